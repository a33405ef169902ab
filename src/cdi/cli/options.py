"""Options that several commands have, each said once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from cdi.cli import paramtypes

Command = TypeVar("Command", bound=Callable[..., Any])

# As `cdi.api.workersettings` has it, which takes as long to load as click does.
STALL_VARIABLE: Final = "CDI_STALL_TIMEOUT"

stall_timeout = click.option(
    "--stall-timeout",
    type=paramtypes.Seconds(min=0.1),
    metavar="SECONDS",
    envvar=STALL_VARIABLE,
    show_envvar=True,
    help="Ask a source again that sends no byte for so long; 60 unless given.",
)

require_walls = click.option(
    "--require-walls",
    is_flag=True,
    help="Run no other programs where a wall around them is missing.",
)

scraped_at = click.option(
    "--listen",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    help="Where health and, to whom Kubernetes allows it, metrics are shown; nowhere unless given.",
)

boot_images = click.option(
    "--boot-images",
    type=paramtypes.HomePath(exists=True, file_okay=False),
    metavar="DIR",
    help="Directory with templates, as YAML, of common boot images; those of CDI unless given.",
)

kubeconfig = click.option(
    "--kubeconfig",
    type=click.Path(),
    default="",
    show_default=False,
    help="File that says where the API server is, as for kubectl.",
)

context = click.option(
    "--context",
    metavar="NAME",
    default="",
    show_default=False,
    help="Context of that file; by default its current one.",
)

server = click.option(
    "-s",
    "--server",
    metavar="URL",
    default="",
    show_default=False,
    help="Another address of the kubeconfig's API server.",
)

namespace = click.option(
    "-n",
    "--namespace",
    metavar="NAME",
    default="",
    show_default=False,
    help="By default that of the kubeconfig's context.",
)

# Where every pod finds the namespace that it is in.
_OWN_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def _own_namespace() -> str:
    try:
        return _OWN_NAMESPACE.read_text().strip() or "cdi"
    except OSError:
        return "cdi"


installation = click.option(
    "--namespace",
    metavar="NAME",
    default=_own_namespace,
    show_default="the pod's own, else cdi",
    help="Namespace of the installation.",
)


def listen(help_text: str) -> Callable[[Command], Command]:
    """Where a server of a cluster listens."""
    return click.option(
        "--listen",
        type=paramtypes.HostPort(),
        metavar="HOST:PORT",
        default="0.0.0.0:8443",
        help=f"{help_text}; port 0 takes a free one.",
    )


def certificate(directory: Path, prefix: str = "") -> Callable[[Command], Command]:
    """What a server of a cluster shows; `prefix` of the variables that name it."""
    shown = click.option(
        "--tls-cert-file",
        type=paramtypes.HomePath(),
        metavar="FILE",
        envvar=f"{prefix}CERT_FILE",
        show_envvar=True,
        default=directory / "tls.crt",
        help="Certificate to show, PEM; followed when it is replaced.",
    )
    key = click.option(
        "--tls-key-file",
        type=paramtypes.HomePath(),
        metavar="FILE",
        envvar=f"{prefix}KEY_FILE",
        show_envvar=True,
        default=directory / "tls.key",
        help="Its key.",
    )
    return lambda command: shown(key(command))


verbosity = click.option(
    "-v",
    "--verbosity",
    type=paramtypes.Verbosity(),
    metavar="NUMBER",
    default=0,
    help="How much is logged; 2 or more: debug.",
)
