"""
The Secret with the keys of tokens: made where it is missing, followed while the process runs.

Everybody who signs or reads tokens waits for it, so it is made before anything is served. Keys
that somebody writes into it take effect at once, keys that cannot be used do not; a Secret that
somebody deletes is made again with the keys that it had, so that no token becomes worthless.
Raises keys.BadKeys and what `kube.client` raises.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from cdi import pki
from cdi.api import labels, names, signingkey
from cdi.kube import errors, objects, owners
from cdi.kube.cache import Change
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.informer import Informer
from cdi.kube.objects import Object
from cdi.kube.resource import CONFIG_MAPS, SECRETS
from cdi.web.tokens import keys
from cdi.web.tokens.keys import KeySet

log = logging.getLogger(__name__)

_AGAIN: Final = 5.0  # seconds until a Secret that could not be made again is tried once more


class KeyStore:
    """The keys as they are now; `name`, `ready` and `run` make it a part for `kube.manager`."""

    name = "signing key"

    def __init__(
        self,
        client: Client,
        namespace: str,
        installed_by: Mapping[str, str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`installed_by` are labels that say of which installation everything is a part."""
        self._client = client
        self._namespace = namespace
        self._labels = dict(installed_by or {})
        self._clock = clock or SystemClock()
        self._keys = KeySet(None, ())
        self._data: dict[str, str] = {}
        self._missing = asyncio.Event()
        selector = f"metadata.name={signingkey.SECRET}"
        self.informer = Informer(client, SECRETS, namespace, fields=selector, clock=clock)
        self.informer.on_change(self._follow)

    def signing(self) -> rsa.RSAPrivateKey:
        return self._keys.signing()

    def believed(self) -> tuple[rsa.RSAPublicKey, ...]:
        return self._keys.believed()

    async def ensure(self) -> None:
        """Read the Secret, or make it."""
        secret = await self._read() or await self._make(_new_data())
        self._data = _data_of(secret)
        self._keys = keys.parse_secret(self._data)
        self._keys.signing()

    async def ready(self) -> None:
        """Nothing to wait for after `ensure`."""

    async def run(self, stop: asyncio.Event) -> None:
        """Make the Secret again whenever it is gone."""
        ended = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                missing = asyncio.ensure_future(self._missing.wait())
                await asyncio.wait({ended, missing}, return_when=asyncio.FIRST_COMPLETED)
                missing.cancel()
                if self._missing.is_set() and not stop.is_set():
                    await self._make_again()
        finally:
            ended.cancel()

    async def _make_again(self) -> None:
        self._missing.clear()
        try:
            await self._make(self._data)
            log.info("signing key was deleted and is back", extra={"secret": signingkey.SECRET})
        except errors.KubeError as error:
            log.warning("signing key cannot be made again", extra={"cause": str(error)})
            await self._clock.sleep(_AGAIN)
            self._missing.set()

    def _follow(self, change: Change) -> None:
        if change.new is None:
            self._missing.set()
            return
        data = _data_of(change.new)
        if data == self._data:
            return
        try:
            found = keys.parse_secret(data)
            found.signing()
        except keys.BadKeys as error:
            log.warning("new signing keys cannot be used", extra={"cause": str(error)})
            return
        self._data, self._keys = data, found
        log.info("signing keys have changed", extra={"believed": len(found.public)})

    async def _read(self) -> Object | None:
        try:
            return await self._client.get(SECRETS, signingkey.SECRET, self._namespace)
        except errors.NotFound:
            return None

    async def _make(self, data: Mapping[str, str]) -> Object:
        """Create the Secret, or read the one of somebody who was faster."""
        secret = secret_of(self._namespace, data, self._labels, await self._owner())
        try:
            return await self._client.create(SECRETS, secret)
        except errors.AlreadyExists:
            return await self._client.get(SECRETS, signingkey.SECRET, self._namespace)

    async def _owner(self) -> Object | None:
        """The CDI object, by way of the ConfigMap that says whose the installation is."""
        try:
            found = await self._client.get(CONFIG_MAPS, names.CDI_CONFIG_MAP, self._namespace)
        except errors.NotFound:
            return None
        return owners.controller_of(found)


def secret_of(
    namespace: str, data: Mapping[str, str], installed_by: Mapping[str, str], owner: Object | None
) -> Object:
    """The Secret as it is created."""
    metadata: Object = {
        "name": signingkey.SECRET,
        "namespace": namespace,
        "labels": {
            labels.COMPONENT: labels.KEYSTORE,
            labels.MANAGED_BY: labels.API_SERVER,
            labels.APP_COMPONENT: "storage",
            **installed_by,
        },
    }
    if owner is not None:
        metadata["ownerReferences"] = [owner]
    return {"metadata": metadata, "type": "Opaque", "data": dict(data)}


def _new_data() -> dict[str, str]:
    private, public = pki.make_rsa_pair()
    return {
        signingkey.PRIVATE: base64.b64encode(private.encode()).decode(),
        signingkey.PUBLIC: base64.b64encode(public.encode()).decode(),
    }


def _data_of(secret: Object) -> dict[str, str]:
    return dict(objects.get(secret, "data", default={}))
