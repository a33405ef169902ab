"""Options that several commands have, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from cdi.cli import paramtypes

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

verbosity = click.option(
    "-v",
    "--verbosity",
    type=paramtypes.Verbosity(),
    metavar="NUMBER",
    default=0,
    help="How much is logged; 2 or more: debug.",
)
