"""
Run CDI on one machine in the foreground, until told to stop.

On standard output come `kubeconfig: PATH`, once kubectl gets answers, and `ready`, once everything
is at work. Exit status: 0 stopped as asked, 1 it cannot go on.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
from pathlib import Path
from typing import Final

import click

from cdi.bootsources.common import InvalidTemplates
from cdi.kube.errors import KubeError
from cdi.kube.manager import EndedError
from cdi.standalone import logfile, up
from cdi.standalone.apiserver.server import Listen
from cdi.standalone.store.errors import StoreError
from cdi.standalone.store.lock import ensure_directory
from cdi.web.serving.server import Address

EXIT_FAILED: Final = 1

# What binding a socket may end with. Nothing else that `cdi up` does ends so without a file.
_NO_ADDRESS: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES, errno.EAFNOSUPPORT)

log = logging.getLogger(__name__)


def run(
    directory: Path,
    listen: tuple[str, int],
    stall_timeout: float | None,
    vddk_library: Path | None,
    *,
    listen_uploads: tuple[str, int] | None = None,
    require_walls: bool = False,
    boot_images: Path | None = None,
) -> None:
    """Serve at host and port `listen`. Exits with EXIT_FAILED where it cannot go on."""
    settings = up.Settings(
        directory,
        Listen(*listen),
        listen_for_uploads=None if listen_uploads is None else Address(*listen_uploads),
        stall_timeout=stall_timeout,
        require_walls=require_walls,
        vddk_library=vddk_library,
        boot_images=boot_images,
    )
    try:
        ensure_directory(directory)
        logfile.start(directory / "logs")
        asyncio.run(_run(settings))
    except (StoreError, KubeError, EndedError, up.Unconfined, InvalidTemplates, OSError) as error:
        log.debug("up failed", exc_info=True)
        click.echo(f"cdi up: {explained(error, listen)}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


def explained(error: Exception, listen: tuple[str, int]) -> str:
    """Return what a person should know of an error: what happened, to what, and what to do."""
    if not isinstance(error, OSError):
        return str(error)
    number = error.errno or 0
    why = (os.strerror(number) if number > 0 else error.strerror or str(error)).lower()
    if error.filename is not None:
        return f"{error.filename}: {why}"
    if isinstance(error, socket.gaierror) or error.errno in _NO_ADDRESS:
        host, port = listen
        return f"cannot listen on {host}:{port}: {why}; name another address with --listen"
    return str(error)


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
