"""
Which API server a command speaks to, and what becomes of its errors.

As for kubectl: `--kubeconfig`, else KUBECONFIG, else the file in the home directory. Where none of
them is there, the one that `cdi up` wrote to its default place.
"""

from __future__ import annotations

import asyncio
import os
import signal
import urllib.parse
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
EXIT_TERMINATED: Final = 128 + signal.SIGTERM
_DEFAULT: Final = "default"

Command = Callable[[Client, str], Coroutine[Any, Any, None]]


def run(command: Command, kubeconfig: str, context: str, server: str = "") -> None:
    """Run a command with a client and the namespace that is meant where nobody names one.

    Whatever the server refuses ends the program with one line and EXIT_FAILED.
    """
    try:
        path = kubeconfig or _fallback()
        chosen = credentials(path, context, server)
        asyncio.run(_with_client(command, chosen, _namespace(path, context)))
    except errors.KubeError as error:
        click.echo(f"cdi: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None
    except asyncio.CancelledError:
        raise click.exceptions.Exit(EXIT_TERMINATED) from None


def credentials(kubeconfig: str, context: str, server: str = "") -> Credentials:
    """Those that `run` uses; `server` is another address of it. Raises ConfigurationError."""
    chosen = connection.choose(kubeconfig or _fallback(), context)
    return connection.At(chosen, server) if server else chosen


async def _with_client(command: Command, credentials: Credentials, namespace: str) -> None:
    current = asyncio.current_task()
    if current is not None:
        # A terminal is left as it was found, also by SIGTERM.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, current.cancel)
    async with Client.to(credentials, field_manager="cdi") as client:
        server = (await credentials.current()).server
        try:
            await command(client, namespace)
        except errors.KubeError as error:
            raise errors.KubeError(explained(error, server)) from error


def explained(error: errors.KubeError, server: str) -> str:
    """Return what a person should know of an error: what happened, where, and what to do."""
    match error:
        case errors.ConnectFailed():
            return f"{server} cannot be reached: {_why(error)}; {_is_it_running(server)}"
        case errors.Unauthorized():
            return f"{server} does not accept these credentials; name others with --kubeconfig"
        case _:
            return str(error)


def _why(error: errors.ConnectFailed) -> str:
    cause = error.__cause__
    number = cause.errno if isinstance(cause, OSError) else None
    return os.strerror(number).lower() if number and number > 0 else str(cause or error)


def _is_it_running(server: str) -> str:
    host = urllib.parse.urlsplit(server).hostname or ""
    if host in ("localhost", "::1") or host.startswith("127."):
        return "is `cdi up` running?"
    return "is it running, and the right one? --kubeconfig and --context name another"


def _namespace(kubeconfig: str, context: str) -> str:
    """The namespace that a kubeconfig's context names, as kubectl understands it."""
    named = kubeconfig or os.environ.get("KUBECONFIG") or _in_home() or ""
    for path in str(named).split(os.pathsep):
        try:
            config = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
        except (OSError, ValueError, yaml.YAMLError):
            continue  # whoever opens the connection says what is wrong with it
        wanted = context or objects.get(config, "current-context")
        contexts = objects.get(config, "contexts")
        for each in contexts if isinstance(contexts, list) else ():
            if objects.get(each, "name") == wanted:
                return str(objects.get(each, "context", "namespace", default=_DEFAULT))
    return _DEFAULT


def _fallback() -> str:
    """The kubeconfig of `cdi up`, unless kubectl would find another; else empty.

    Raises ConfigurationError where neither is there.
    """
    if os.environ.get("KUBECONFIG") or os.environ.get("KUBERNETES_SERVICE_HOST"):
        return ""
    others, kept = _in_home(), datadir.default()
    ours = kept and kept / "kubeconfig"
    if others and others.exists():
        return ""
    if ours and ours.exists():
        return str(ours)
    raise errors.ConfigurationError(
        f"no API server is known: there is neither {others or '~/.kube/config'} nor "
        f"{ours or 'a kubeconfig of `cdi up`'}; start `cdi up`, or name a kubeconfig with "
        "--kubeconfig or KUBECONFIG"
    )


def _in_home() -> Path | None:
    """Where kubectl looks last."""
    home = datadir.home()
    return home and home / ".kube" / "config"
