"""How a process of CDI logs, how it hears that it should stop, and what it leaves alone."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys

from cdi.api.logline import Lines
from cdi.kube.logs import Fields

log = logging.getLogger(__name__)


def log_to_stderr(verbosity: int = 1) -> None:
    """One JSON object a line from now on, with the fields that are bound; 2 or more: debug."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    handler.addFilter(Fields())
    level = logging.DEBUG if verbosity > 1 else logging.INFO
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    # What it logs as errors are clients that hung up or never spoke TLS.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets; a second signal ends the process as usual."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        log.info("asked to stop", extra={"signal": number.name})
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked, number)
    return stop


async def settle(stop: asyncio.Event) -> None:
    """Keep the search for garbage away from what is there to stay: a part that starts late.

    Looking through everything that is loaded and cached takes tens of milliseconds, in which
    nobody is answered. What is frozen still goes as soon as nothing refers to it.
    """
    gc.collect()
    gc.freeze()
    await stop.wait()
