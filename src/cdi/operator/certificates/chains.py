"""The chains: a signer, the bundle of those who trust it, and what the signer signs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdi.api import names

BUNDLE_KEY: Final = names.BUNDLE_KEY
_LONGEST_NAME: Final = 64  # characters of a common name, by X.509


@dataclass(frozen=True, slots=True)
class Target:
    """A certificate that the installation itself needs: of a Service, or of a client."""

    secret: str
    service: str = ""
    client: str = ""  # its common name

    def hosts(self, namespace: str) -> frozenset[str]:
        """By which names the Service is reached; none for a client."""
        if not self.service:
            return frozenset()
        named = f"{self.service}.{namespace}"
        return frozenset({self.service, named, f"{named}.svc"})


@dataclass(frozen=True, slots=True)
class Chain:
    """Names of Secrets (signer, target) and of a ConfigMap (bundle)."""

    signer: str
    bundle: str
    target: Target | None = None

    def signer_name(self, namespace: str, issued: int) -> str:
        """What a signer's certificate is called; `issued` is Unix time, so that each is unique."""
        rest = f"_{self.signer}@{issued}"
        return namespace[: _LONGEST_NAME - len(rest)] + rest


API_SERVER: Final = Chain(
    "cdi-apiserver-signer",
    "cdi-apiserver-signer-bundle",
    Target("cdi-apiserver-server-cert", service="cdi-api"),
)
UPLOAD_PROXY: Final = Chain(
    "cdi-uploadproxy-signer",
    "cdi-uploadproxy-signer-bundle",
    Target("cdi-uploadproxy-server-cert", service="cdi-uploadproxy"),
)
# Certificates of upload servers are made for each upload, by its controller.
UPLOAD_SERVER: Final = Chain(names.UPLOAD_SERVER_SIGNER, names.UPLOAD_SERVER_BUNDLE)
UPLOAD_CLIENT: Final = Chain(
    names.UPLOAD_CLIENT_SIGNER,
    names.UPLOAD_CLIENT_BUNDLE,
    Target(names.UPLOAD_CLIENT_CERTIFICATE, client=names.UPLOAD_CLIENT),
)

ALL: Final = (API_SERVER, UPLOAD_PROXY, UPLOAD_SERVER, UPLOAD_CLIENT)
