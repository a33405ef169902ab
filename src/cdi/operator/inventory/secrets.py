"""Where certificates are kept: Secrets and ConfigMaps that are made empty and filled afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdi.kube.objects import Objects
from cdi.operator.inventory import marks

SIGNERS: Final = (
    "cdi-apiserver-signer",
    "cdi-uploadproxy-signer",
    "cdi-uploadserver-signer",
    "cdi-uploadserver-client-signer",
)
BUNDLES: Final = tuple(f"{signer}-bundle" for signer in SIGNERS)
CERTIFICATES: Final = (
    "cdi-apiserver-server-cert",
    "cdi-uploadproxy-server-cert",
    "cdi-uploadserver-client-cert",
)
API_SERVER_BUNDLE: Final = "cdi-apiserver-signer-bundle"
UPLOAD_PROXY_BUNDLE: Final = "cdi-uploadproxy-signer-bundle"
BUNDLE_KEY: Final = "ca-bundle.crt"


def certificate_stores(namespace: str, given: Mapping[str, str]) -> Objects:
    """The objects of all chains, empty."""
    empty = {"tls.crt": "", "tls.key": ""}
    return [
        *(
            marks.named(
                "v1", "Secret", name, given, namespace, type="kubernetes.io/tls", data=dict(empty)
            )
            for name in (*SIGNERS, *CERTIFICATES)
        ),
        *(marks.named("v1", "ConfigMap", name, given, namespace) for name in BUNDLES),
    ]
