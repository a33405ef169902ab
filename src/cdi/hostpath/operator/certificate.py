"""
The certificate of the webhook: our own, in a Secret that all replicas share.

It is made when it is missing, of no use, or has lived two thirds of its time, and the webhook's
configuration is told who has signed it. Nobody else is needed for it.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cdi import pki
from cdi.hostpath.operator import kinds
from cdi.hostpath.operator.inventory import marks
from cdi.hostpath.operator.settings import Settings
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock, wait_for
from cdi.kube.objects import Object
from cdi.kube.resource import SECRETS, VALIDATING_WEBHOOKS
from cdi.pki import Pair

log = logging.getLogger(__name__)

SERVICE: Final = "hostpath-provisioner-operator-webhook-service"
SECRET: Final = f"{SERVICE}-cert"
CONFIGURATION: Final = "validate-hostpath-provisioner.kubevirt.io"
PATH: Final = "/validate-hostpathprovisioner-kubevirt-io-v1beta1-hostpathprovisioner"
PORT: Final = 9443

_LIFE: Final = timedelta(days=365)
_EVERY: Final = 600.0  # seconds between two looks
_CERTIFICATE, _KEY, _AUTHORITY = "tls.crt", "tls.key", "ca.crt"


@dataclass(frozen=True, slots=True)
class Held:
    """The certificate with its key, and who has signed it."""

    pair: Pair
    authority: str


class WebhookCertificate:
    """Keeps the certificate; a part for a manager, and what a server shows."""

    name = "webhook certificate"

    def __init__(self, client: Client, settings: Settings, clock: Clock) -> None:
        self._client, self._settings, self._clock = client, settings, clock
        self._held: Held | None = None
        self._there = asyncio.Event()

    # What a server asks before every handshake.

    def stamp(self) -> Hashable:
        return self._held

    def load_into(self, context: ssl.SSLContext) -> None:
        """Raises OSError as long as there is none."""
        if self._held is None:
            raise OSError("there is no certificate yet")
        pki.load_pair(context, self._held.pair)

    # A part.

    async def ready(self) -> None:
        """Return once there is one, and the API server knows who has signed it."""
        await self._there.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep it up to date until `stop`."""
        while not stop.is_set():
            pause = _EVERY
            try:
                await self._ensure()
                self._there.set()
            except errors.KubeError as error:
                log.warning("the webhook has no certificate", extra={"cause": str(error)})
                pause = 5.0
            await wait_for(self._clock, pause, stop)

    async def _ensure(self) -> None:
        secret = await self._found()
        held = parse_secret(secret, self._hosts(), self._clock.wall())
        if held is None:
            held = self._made()
            await self._write(secret, held)
        self._held = held
        await apply.create_or_update(
            self._client, VALIDATING_WEBHOOKS, configuration(self._settings), self._instruct
        )

    async def _found(self) -> Object | None:
        try:
            return await self._client.get(SECRETS, SECRET, self._settings.namespace)
        except errors.NotFound:
            return None

    def _made(self) -> Held:
        now = self._clock.wall()
        authority = pki.make_authority(f"{SERVICE}@{int(now.timestamp())}", now, _LIFE)
        hosts = self._hosts()
        pair = pki.issue(authority, hosts[-1], pki.Use.SERVER, now, _LIFE, hosts=hosts)
        return Held(pair, authority.certificate)

    async def _write(self, secret: Object | None, held: Held) -> None:
        data = {
            key: base64.b64encode(text.encode()).decode()
            for key, text in (
                (_CERTIFICATE, held.pair.certificate),
                (_KEY, held.pair.key),
                (_AUTHORITY, held.authority),
            )
        }
        if secret is None:
            made = marks.named(
                "v1", "Secret", SECRET, self._settings, type="kubernetes.io/tls", data=data
            )
            await self._client.create(SECRETS, made)
        else:
            await apply.ensure_state(self._client, SECRETS, secret, {**secret, "data": data})
        log.info("the webhook has a new certificate")

    def _hosts(self) -> list[str]:
        named = f"{SERVICE}.{self._settings.namespace}"
        return [SERVICE, named, f"{named}.svc"]

    def _instruct(self, found: Object) -> None:
        """Have the API server ask us, and believe this certificate."""
        if self._held is None:
            return
        bundle = base64.b64encode(self._held.authority.encode()).decode()
        there = found.get("webhooks") or [{}]
        found["webhooks"] = [{**there[0], **_webhook(self._settings.namespace, bundle)}]


def configuration(settings: Settings) -> Object:
    """The webhook's configuration, in which nobody is asked yet."""
    return marks.named(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        CONFIGURATION,
        settings,
        namespaced=False,
    )


def _webhook(namespace: str, bundle: str) -> dict[str, Any]:
    return {
        "name": CONFIGURATION,
        "admissionReviewVersions": ["v1"],
        "clientConfig": {
            "caBundle": bundle,
            "service": {"name": SERVICE, "namespace": namespace, "path": PATH, "port": 443},
        },
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "timeoutSeconds": 10,
        "rules": [
            {
                "apiGroups": [kinds.PROVISIONERS.group],
                "apiVersions": ["v1beta1", "v1alpha1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": [kinds.PROVISIONERS.plural],
                "scope": "*",
            }
        ],
    }


def parse_secret(secret: Object | None, hosts: list[str], now: datetime) -> Held | None:
    """What a Secret holds; None where it is of no use, or not for long."""
    try:
        texts = [
            base64.b64decode(objects.get(secret, "data", key, default="")).decode()
            for key in (_CERTIFICATE, _KEY, _AUTHORITY)
        ]
        held = Held(Pair(texts[0], texts[1]), texts[2])
        leaf = held.pair.leaf
        named = pki.hosts_of(leaf)
        pki.parse_certificates(held.authority)
    except (pki.BrokenPem, ValueError, TypeError, IndexError):
        return None
    begun = leaf.not_valid_before_utc
    life = leaf.not_valid_after_utc - begun
    fresh = begun <= now < begun + life * 2 / 3  # a clock that was ahead may have made it
    return held if set(hosts) <= named and fresh else None
