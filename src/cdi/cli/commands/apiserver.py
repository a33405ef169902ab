"""`cdi apiserver`: webhooks and upload tokens, for a Kubernetes API server."""

from __future__ import annotations

import os
from pathlib import Path

import click

from cdi.cli import loading, options

_CERTIFICATES = Path("/var/run/certs/cdi-apiserver-server-cert")


@click.command
@options.kubeconfig
@options.context
@options.installation
@options.listen("Where everything is served")
@options.certificate(_CERTIFICATES)
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

    # Mounted where the operator mounts it, it is the Secret of that name.
    secret = _CERTIFICATES.name if tls_cert_file.parent == _CERTIFICATES else ""
    settings = Settings(
        namespace,
        Address(*listen),
        Files(tls_cert_file, tls_key_file),
        installer_labels(os.environ),
        secret,
    )
    apiserver.run(kubeconfig, context, settings, verbosity)
