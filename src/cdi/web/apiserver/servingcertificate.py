"""
The certificate of Service `cdi-api`: as its Secret has it now, and until that is known as mounted.

A kubelet takes a minute and more to show a pod what a Secret holds now. Where certificates live
short, that is too long: what is mounted may have expired while the new one has been there for a
while. So the Secret itself is followed. Whoever renews it sees to it that its signer is trusted
before (`cdi.operator.certificates`).
"""

from __future__ import annotations

import base64
import binascii
import logging
import ssl
from collections.abc import Hashable
from typing import Final

from cdi import pki
from cdi.kube import objects
from cdi.kube.cache import Change
from cdi.kube.client import Client
from cdi.kube.informer import Informer
from cdi.kube.resource import SECRETS
from cdi.web.serving.tls import Certificate

log = logging.getLogger(__name__)

_CERTIFICATE: Final = "tls.crt"
_KEY: Final = "tls.key"


class FollowedSecret:
    """The pair in a Secret; one that cannot be used leaves the last good one in effect."""

    def __init__(self, client: Client, namespace: str, name: str, mounted: Certificate) -> None:
        self._mounted = mounted
        self._pair: pki.Pair | None = None
        self.informer = Informer(client, SECRETS, namespace, fields=f"metadata.name={name}")
        self.informer.on_change(self._follow)

    def stamp(self) -> Hashable:
        return self._mounted.stamp() if self._pair is None else self._pair.certificate

    def load_into(self, context: ssl.SSLContext) -> None:
        if self._pair is None:
            self._mounted.load_into(context)
        else:
            pki.load_pair(context, self._pair)

    def _follow(self, change: Change) -> None:
        data = objects.get(change.new, "data", default={})
        try:
            key, certificate = (_decoded(data.get(each)) for each in (_KEY, _CERTIFICATE))
            if not (key and certificate):
                return  # made empty, and filled in a moment
            pair = pki.Pair(certificate, key)
            pki.load_pair(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), pair)
        except (OSError, ValueError) as error:
            log.warning("the serving certificate cannot be used", extra={"cause": str(error)})
            return
        self._pair = pair


def _decoded(text: str | None) -> str:
    """Raises ValueError."""
    try:
        return base64.b64decode(text or "", validate=True).decode("ascii")
    except binascii.Error as error:
        raise ValueError(f"no base64: {error}") from error
