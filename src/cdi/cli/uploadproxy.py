"""Run the upload proxy in the foreground, until told to stop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import click

from cdi.kube.manager import Group, Manager
from cdi.web.serving import process
from cdi.web.serving.server import Address
from cdi.web.serving.tls import Files
from cdi.web.uploadproxy.server import upload_proxy

EXIT_FAILED: Final = 1


def run(listen: tuple[str, int], certificate: Path, key: Path, verbosity: int) -> None:
    """Serve until SIGTERM. Exits with EXIT_FAILED where it cannot go on."""
    process.log_to_stderr(verbosity)
    try:
        asyncio.run(_run(Address(*listen), Files(certificate, key)))
    except OSError as error:
        click.echo(f"cdi uploadproxy: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


async def _run(address: Address, files: Files) -> None:
    manager = Manager()
    manager.add(Group.SERVERS, upload_proxy(address, files))
    await manager.run(process.stop_on_signals())
