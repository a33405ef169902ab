"""
Run CDI on one machine in the foreground, until told to stop.

On standard output come `kubeconfig: PATH`, once kubectl gets answers, and `ready`, once everything
is at work. Exit status: 0 stopped as asked, 1 it cannot go on.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import Final

import click

from cdi.kube.errors import KubeError
from cdi.kube.manager import EndedError
from cdi.standalone import logfile, up
from cdi.standalone.apiserver.server import Listen
from cdi.standalone.store.errors import StoreError

EXIT_FAILED: Final = 1

log = logging.getLogger(__name__)


def run(
    directory: Path,
    listen: tuple[str, int],
    stall_timeout: float | None,
    vddk_library: Path | None,
) -> None:
    """Serve at host and port `listen`. Exits with EXIT_FAILED where it cannot go on."""
    settings = up.Settings(directory, Listen(*listen), stall_timeout, vddk_library)
    try:
        logfile.start(directory / "logs")
        asyncio.run(_run(settings))
    except (StoreError, KubeError, EndedError, OSError) as error:
        log.debug("up failed", exc_info=True)
        click.echo(f"cdi up: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


async def _run(settings: up.Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def asked(number: signal.Signals) -> None:
        log.info("asked to stop", extra={"signal": number.name})
        stop.set()
        loop.remove_signal_handler(number)  # a second one ends the process as usual

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked, number)
    if not up.is_loopback(settings.listen.host):
        log.warning("others can reach this API; whoever has its kubeconfig may do everything")
    callbacks = up.Callbacks(
        serving=lambda path: print(f"kubeconfig: {path}", flush=True),
        ready=lambda: print("ready", flush=True),
    )
    await up.Standalone(settings, callbacks).run(stop)
