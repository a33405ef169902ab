"""`cdi uploadproxy`: takes uploads from outside a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from cdi.cli import loading, options, paramtypes

_CERTIFICATES = Path("/var/run/certs")
_SERVER = _CERTIFICATES / "cdi-uploadproxy-server-cert"
_CLIENT = _CERTIFICATES / "cdi-uploadserver-client-cert"
_KEYS = Path("/var/run/cdi/token/keys")


@click.command
@options.kubeconfig
@options.context
@options.installation
@options.listen("Where to listen")
@options.certificate(_SERVER, "SERVER_")
@click.option(
    "--client-cert-file",
    type=paramtypes.HomePath(),
    metavar="FILE",
    envvar="UPLOAD_CLIENT_CERT_FILE",
    show_envvar=True,
    default=_CLIENT / "tls.crt",
    help="Certificate to show upload servers, PEM; followed when it is replaced.",
)
@click.option(
    "--client-key-file",
    type=paramtypes.HomePath(),
    metavar="FILE",
    envvar="UPLOAD_CLIENT_KEY_FILE",
    show_envvar=True,
    default=_CLIENT / "tls.key",
    help="Its key.",
)
@click.option(
    "--server-ca-config-map",
    metavar="NAME",
    envvar="UPLOAD_SERVER_CA_BUNDLE_CONFIG_MAP",
    show_envvar=True,
    default="cdi-uploadserver-signer-bundle",
    help="ConfigMap with the authorities of upload servers, in the installation's namespace.",
)
@click.option(
    "--token-key",
    metavar="PEM",
    envvar="APISERVER_PUBLIC_KEY",
    show_envvar=True,
    default="",
    help="Public key of tokens, as text.",
)
@click.option(
    "--token-keys",
    type=paramtypes.HomePath(),
    metavar="DIRECTORY",
    default=_KEYS,
    show_default=True,
    help="Where public keys of tokens are mounted; they count instead, and are followed.",
)
@click.option(
    "--allow-origin",
    "origins",
    metavar="ORIGIN",
    multiple=True,
    default=("*",),
    show_default=True,
    help="Whose pages may upload, for instance https://console.example.org; may be repeated.",
)
@options.verbosity
def command(
    kubeconfig: str,
    context: str,
    namespace: str,
    listen: tuple[str, int],
    tls_cert_file: Path,
    tls_key_file: Path,
    client_cert_file: Path,
    client_key_file: Path,
    server_ca_config_map: str,
    token_key: str,
    token_keys: Path,
    origins: tuple[str, ...],
    verbosity: int,
) -> None:
    """Take uploads, and pass them to their upload servers."""
    with loading.quickly():
        from cdi.cli import uploadproxy
        from cdi.web.serving.server import Address
        from cdi.web.serving.tls import Files

    settings = uploadproxy.Settings(
        namespace,
        Address(*listen),
        Files(tls_cert_file, tls_key_file),
        Files(client_cert_file, client_key_file),
        server_ca_config_map,
        token_key,
        token_keys,
        origins,
    )
    uploadproxy.run(kubeconfig, context, settings, verbosity)
