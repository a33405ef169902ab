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

import click

from cdi.cli import datadir, options, paramtypes
from cdi.kube.errors import KubeError
from cdi.kube.manager import EndedError
from cdi.standalone import logfile, up
from cdi.standalone.apiserver.server import DEFAULT_HOST, DEFAULT_PORT, Listen
from cdi.standalone.store.errors import StoreError

EXIT_FAILED = 1

log = logging.getLogger(__name__)


class _HostPort(click.ParamType[Listen]):
    """An address to listen on."""

    name = "HOST:PORT"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> Listen:
        host, colon, port = value.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or not port.isdecimal() or int(port) > 65535:
            self.fail(f"{value!r} is not HOST:PORT.", param, ctx)
        return Listen(host, int(port))


@click.command
@click.option(
    "--data-dir",
    type=paramtypes.HomePath(),
    metavar="DIR",
    help="Where everything is kept; $XDG_DATA_HOME/cdi unless given.",
)
@click.option(
    "--listen",
    type=_HostPort(),
    metavar="HOST:PORT",
    default=f"{DEFAULT_HOST}:{DEFAULT_PORT}",
    help="Where the API is served; port 0 takes a free one.",
)
@options.stall_timeout
@click.option(
    "--vddk-libdir",
    type=paramtypes.HomePath(exists=True, file_okay=False),
    metavar="DIR",
    help="Where VMware's VDDK library is, for imports from vSphere.",
)
def command(
    data_dir: Path | None,
    listen: Listen,
    stall_timeout: float | None,
    vddk_libdir: Path | None,
) -> None:
    """Run CDI on this machine: an API, volumes and workers."""
    directory = data_dir or datadir.default()
    try:
        logfile.start(directory / "logs")
        asyncio.run(_run(up.Settings(directory, listen, stall_timeout, vddk_libdir)))
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
