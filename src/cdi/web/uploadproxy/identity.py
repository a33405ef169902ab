"""
What the proxy shows upload servers, and whom it believes: read anew, so that both may be renewed.

On a cluster the certificate is mounted as files, and the authorities are in a ConfigMap of the
installation. Raises OSError and what `kube.client` raises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from cdi.kube import objects
from cdi.kube.client import Client
from cdi.kube.resource import CONFIG_MAPS
from cdi.web.serving.tls import Files

BUNDLE_CONFIG_MAP: Final = "cdi-uploadserver-signer-bundle"
BUNDLE_KEY: Final = "ca-bundle.crt"


@dataclass(frozen=True, slots=True)
class Identity:
    """PEM texts: a client certificate, its key, and the authorities of servers."""

    certificate: str
    key: str = field(repr=False)
    authorities: str


ReadIdentity = Callable[[], Awaitable[Identity]]


class MountedIdentity:
    """Certificate files, and a ConfigMap in the namespace of the installation."""

    def __init__(
        self, client: Client, files: Files, namespace: str, bundle: str = BUNDLE_CONFIG_MAP
    ) -> None:
        self._client = client
        self._files = files
        self._namespace = namespace
        self._bundle = bundle

    async def __call__(self) -> Identity:
        found = await self._client.get(CONFIG_MAPS, self._bundle, self._namespace)
        return Identity(
            self._files.certificate.read_text(encoding="ascii"),
            self._files.key.read_text(encoding="ascii"),
            str(objects.get(found, "data", BUNDLE_KEY, default="")),
        )
