"""`cdi uploadproxy`: where uploads will arrive; it takes none yet."""

from __future__ import annotations

from pathlib import Path

import click

from cdi.cli import loading, options, paramtypes

_CERTIFICATES = Path("/var/run/certs/cdi-uploadproxy-server-cert")


@click.command
@click.option(
    "--listen",
    type=paramtypes.HostPort(),
    metavar="HOST:PORT",
    default="0.0.0.0:8443",
    help="Where to listen; port 0 takes a free one.",
)
@click.option(
    "--tls-cert-file",
    type=paramtypes.HomePath(),
    metavar="FILE",
    envvar="SERVER_CERT_FILE",
    show_envvar=True,
    default=_CERTIFICATES / "tls.crt",
    help="Certificate to show, PEM; followed when it is replaced.",
)
@click.option(
    "--tls-key-file",
    type=paramtypes.HomePath(),
    metavar="FILE",
    envvar="SERVER_KEY_FILE",
    show_envvar=True,
    default=_CERTIFICATES / "tls.key",
    help="Its key.",
)
@options.verbosity
def command(
    listen: tuple[str, int], tls_cert_file: Path, tls_key_file: Path, verbosity: int
) -> None:
    """Answer uploads, which are refused: they are not there yet."""
    with loading.quickly():
        from cdi.cli import uploadproxy

    uploadproxy.run(listen, tls_cert_file, tls_key_file, verbosity)
