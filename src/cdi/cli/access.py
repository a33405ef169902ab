"""
Which API server a command speaks to, and what becomes of its errors.

As for kubectl: `--kubeconfig`, else KUBECONFIG, else the file in the home directory. Where none of
them is there, the one that `cdi up` wrote to its default place.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import click
import yaml

from cdi.cli import datadir
from cdi.kube import connection, errors, objects
from cdi.kube.client import Client
from cdi.kube.connection import Credentials

EXIT_FAILED: Final = 1
_DEFAULT: Final = "default"

Command = Callable[[Client, str], Coroutine[Any, Any, None]]


def run(command: Command, kubeconfig: str, context: str) -> None:
    """Run a command with a client and the namespace that is meant where nobody names one.

    Whatever the server refuses ends the program with one line and EXIT_FAILED.
    """
    path = kubeconfig or _fallback()
    try:
        credentials = connection.choose(path, context)
        asyncio.run(_with_client(command, credentials, _namespace(path, context)))
    except errors.KubeError as error:
        click.echo(f"cdi: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


async def _with_client(command: Command, credentials: Credentials, namespace: str) -> None:
    async with Client.to(credentials, field_manager="cdi") as client:
        await command(client, namespace)


def _namespace(kubeconfig: str, context: str) -> str:
    """The namespace that a kubeconfig's context names, as kubectl understands it."""
    named = kubeconfig or os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config"
    for path in str(named).split(os.pathsep):
        try:
            config = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except (OSError, ValueError, yaml.YAMLError):
            continue  # whoever opens the connection says what is wrong with it
        wanted = context or objects.get(config, "current-context")
        for each in objects.get(config, "contexts", default=[]):
            if objects.get(each, "name") == wanted:
                return str(objects.get(each, "context", "namespace", default=_DEFAULT))
    return _DEFAULT


def _fallback() -> str:
    """The kubeconfig of `cdi up`, unless kubectl would find another; else empty."""
    others = Path.home() / ".kube" / "config"
    ours = datadir.default() / "kubeconfig"
    known = os.environ.get("KUBECONFIG") or os.environ.get("KUBERNETES_SERVICE_HOST")
    return str(ours) if not known and not others.exists() and ours.exists() else ""
