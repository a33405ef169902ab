"""
The process of an upload server: an order comes in, one termination message goes out.

SIGTERM ends it within 5 s, with a journal where one is of use. How it ends: spec/upload.md, 4.5.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Mapping

from cdi.api.termination import Termination
from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import InvalidVariable, UploadOrder
from cdi.images import errors
from cdi.workers import ending, report, starting
from cdi.workers.ranged import greeting
from cdi.workers.uploadserver import tls
from cdi.workers.uploadserver.filling import Filling
from cdi.workers.uploadserver.server import Contexts, UploadServer

log = logging.getLogger(__name__)

LEAVE_WITHIN = 4.0  # from a signal to the end, whatever the disk does
ANSWER_WITHIN = 0.5  # and then for whoever waits for an answer, whatever the network does
PORT_FILE = "upload-port"  # beside the termination log, where the port is not fixed


def main(env: Mapping[str, str]) -> int:
    """Carry out the order in `env`; write how it ended and return the exit status."""
    return starting.start(env, UploadOrder.from_env, _run)


def _run(order: UploadOrder, settings: WorkerSettings) -> int:
    try:
        return _filled(order, settings)
    except (InvalidVariable, OSError) as error:
        return report.write(starting.wrong(error), settings)


def _filled(order: UploadOrder, settings: WorkerSettings) -> int:
    filling = Filling(order, settings)
    ended = filling.note.read()
    if ended is not None:
        log.info("an earlier start has filled the volume")
    else:
        ended = asyncio.run(_serve(order, settings, filling))
    status = report.write(ended, settings)
    if status == ended.exit_code and ended.says_complete:
        filling.note.remove()  # somebody is told
    return status


async def _serve(order: UploadOrder, settings: WorkerSettings, filling: Filling) -> Termination:
    contexts = Contexts(
        tls.context_for(order, settings), tls.context_for(order, settings, greeting.PROTOCOL)
    )
    server = UploadServer(order, filling, contexts, settings.idle_timeout)
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)

    def listening(port: int) -> None:
        if order.listen_port == 0:
            report.write_whole(settings.termination_log.with_name(PORT_FILE), f"{port}\n")

    serving = asyncio.create_task(server.run(listening))
    stopping = asyncio.create_task(told.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        stopping.cancel()
        return serving.result()
    log.info("told to stop")
    stopped = errors.Cancelled("the server was told to stop")
    await asyncio.wait({asyncio.create_task(server.stop(stopped))}, timeout=LEAVE_WITHIN)
    serving.cancel()
    await asyncio.wait({serving}, timeout=ANSWER_WITHIN)
    return ending.failed(stopped, "", connecting=False)
