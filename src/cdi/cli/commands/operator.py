"""`cdi operator`: keeps CDI on a cluster, as its CDI object says."""

from __future__ import annotations

import os

import click

from cdi.cli import loading, options, paramtypes


@click.command
@options.kubeconfig
@options.context
@options.installation
@click.option(
    "--listen",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    default="0.0.0.0:8443",
    help="Where metrics are shown, to whom Kubernetes allows it.",
)
@click.option(
    "--health",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    default="0.0.0.0:8444",
    help="Where /healthz and /readyz are answered, in clear.",
)
@options.verbosity
def command(
    kubeconfig: str,
    context: str,
    namespace: str,
    listen: tuple[str, int],
    health: tuple[str, int],
    verbosity: int,
) -> None:
    """Install CDI for a CDI object, and keep it as it should be.

    Images and version of what is installed come from the environment, as the printed manifests
    set it.
    """
    with loading.quickly():
        from cdi.cli import operator
        from cdi.operator.settings import InvalidSettings, parse_environment
        from cdi.web.serving.server import Address

    try:
        settings = parse_environment(os.environ, namespace)
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from None
    operator.run(kubeconfig, context, settings, Address(*listen), Address(*health), verbosity)
