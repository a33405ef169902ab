"""`cdi apiserver`: webhooks and upload tokens, for a Kubernetes API server."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cdi.cli import loading, options, paramtypes

_CERTIFICATES = Path("/var/run/certs/cdi-apiserver-server-cert")


@click.command
@options.kubeconfig
@options.context
@options.installation
@click.option(
    "--listen",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    default="0.0.0.0:8443",
    help="Where everything is served; port 0 takes a free one.",
)
@click.option(
    "--tls-cert-file",
    type=paramtypes.HomePath(),
    metavar="FILE",
    envvar="CERT_FILE",
    show_envvar=True,
    default=_CERTIFICATES / "tls.crt",
    help="Certificate to show, PEM; followed when it is replaced.",
)
@click.option(
    "--tls-key-file",
    type=paramtypes.HomePath(),
    metavar="FILE",
    envvar="KEY_FILE",
    show_envvar=True,
    default=_CERTIFICATES / "tls.key",
    help="Its key.",
)
@options.verbosity
def command(
    kubeconfig: str,
    context: str,
    namespace: str,
    listen: tuple[str, int],
    tls_cert_file: Path,
    tls_key_file: Path,
    verbosity: int,
) -> None:
    """Serve admission webhooks and upload tokens of a cluster."""
    with loading.quickly():
        from cdi.api.labels import installer_labels
        from cdi.cli import apiserver
        from cdi.web.apiserver.server import Settings
        from cdi.web.serving.server import Address
        from cdi.web.serving.tls import Files

    files = Files(tls_cert_file, tls_key_file)
    settings = Settings(namespace, Address(*listen), files, installer_labels(os.environ))
    apiserver.run(kubeconfig, context, settings, verbosity)
