"""
`cdi up`: CDI on one machine, until told to stop.

On standard output come `kubeconfig: PATH`, once kubectl gets answers, and `ready`, once everything
is at work. Exit status: 0 stopped as asked, 1 it cannot go on, 2 usage.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cdi.cli import datadir
from cdi.cli.patience import StallTimeout
from cdi.kube.errors import KubeError
from cdi.kube.manager import EndedError
from cdi.standalone import logfile, up
from cdi.standalone.apiserver.server import DEFAULT_HOST, DEFAULT_PORT, Listen
from cdi.standalone.store.errors import StoreError

EXIT_FAILED, EXIT_USAGE = 1, 2

log = logging.getLogger(__name__)


def command(
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where everything is kept.", show_default="$XDG_DATA_HOME/cdi"),
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where the API is served; port 0 takes a free one.",
        ),
    ] = f"{DEFAULT_HOST}:{DEFAULT_PORT}",
    stall_timeout: StallTimeout = None,
    vddk_libdir: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Where VMware's VDDK library is, for imports from vSphere."
        ),
    ] = None,
) -> None:
    """Run CDI on this machine: an API for kubectl, local volumes, and the workers."""
    place = (data_dir or datadir.usual()).expanduser().absolute()
    where = _parsed(listen)
    library = vddk_libdir.expanduser().absolute() if vddk_libdir else None
    if library is not None and not library.is_dir():
        _usage(f"--vddk-libdir: {library} is no directory")
    try:
        logfile.start(place / "logs")
        asyncio.run(_run(up.Settings(place, where, stall_timeout, library)))
    except (StoreError, KubeError, EndedError, OSError) as error:
        log.debug("up failed", exc_info=True)
        typer.echo(f"cdi up: {error}", err=True)
        raise typer.Exit(EXIT_FAILED) from None


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


def _parsed(listen: str) -> Listen:
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        _usage(f"--listen: {listen!r} is not HOST:PORT")
    return Listen(host, int(port))


def _usage(message: str) -> NoReturn:
    typer.echo(f"cdi up: {message}", err=True)
    raise typer.Exit(EXIT_USAGE)
