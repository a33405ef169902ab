"""
Certificates and keys of one installation, brought up to date against a cluster.

Called by the operator at the end of every pass, by the one that leads. Safe to repeat and to stop
anywhere: what was not written is made anew the next time. Raises what `kube.client` raises.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cdi.api import signingkey as layout
from cdi.kube import errors
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.objects import Object
from cdi.kube.resource import CONFIG_MAPS, SECRETS, Resource
from cdi.operator.certificates import chains, contents, signingkey
from cdi.operator.certificates.chains import Chain
from cdi.operator.certificates.renewal import Seen, Write, renew
from cdi.storage.lifetimes import Lifetimes

log = logging.getLogger(__name__)


class Certificates:
    """Keeps all chains and the key of tokens of the installation in a namespace."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        identity: Mapping[str, Any],
        clock: Clock | None = None,
        kept: Sequence[Chain] = chains.ALL,
    ) -> None:
        """`identity` is metadata (labels, owner references) of objects that have to be created."""
        self._chains = kept
        self._client = client
        self._namespace = namespace
        self._identity = identity
        self._clock = clock or SystemClock()

    async def sync(self, lifetimes: Lifetimes) -> float:
        """Renew what is due; return in how many seconds something will be again."""
        now = self._clock.wall()
        moments = [await self._sync_chain(chain, lifetimes, now) for chain in self._chains]
        moments.append(await self._sync_signing_key(now))
        return max(0.0, (min(moments) - now).total_seconds())

    async def _sync_chain(self, chain: Chain, lifetimes: Lifetimes, now: datetime) -> datetime:
        target = chain.target.secret if chain.target else ""
        seen = Seen(
            *await asyncio.gather(
                self._read(SECRETS, chain.signer),
                self._read(CONFIG_MAPS, chain.bundle),
                self._read(SECRETS, target),
            )
        )
        renewal = renew(chain, seen, lifetimes, self._namespace, now)
        for write in renewal.writes:
            await self._write(write)
        return renewal.again_at

    async def _sync_signing_key(self, now: datetime) -> datetime:
        secret = await self._read(SECRETS, layout.SECRET)
        due = signingkey.exchange(secret, now)
        if due.patch is not None:
            await self._client.patch(SECRETS, layout.SECRET, self._namespace, due.patch)
            log.info("signing keys are exchanged", extra={"cause": due.reason})
        return due.again_at

    async def _read(self, resource: Resource, name: str) -> Object | None:
        if not name:
            return None
        try:
            return await self._client.get(resource, name, self._namespace)
        except errors.NotFound:
            return None

    async def _write(self, write: Write) -> None:
        resource = SECRETS if write.kind == SECRETS.kind else CONFIG_MAPS
        try:
            await self._client.patch(resource, write.name, self._namespace, write.body)
        except errors.NotFound:
            await self._client.create(resource, self._new(resource, write))
        log.info(
            "certificates are renewed",
            extra={"kind": write.kind, "object": write.name, "cause": write.reason},
        )

    def _new(self, resource: Resource, write: Write) -> Object:
        metadata = {
            **self._identity,
            **write.body.get("metadata", {}),
            "name": write.name,
            "namespace": self._namespace,
        }
        made = {**write.body, "metadata": metadata}
        return {**made, "type": contents.TYPE} if resource == SECRETS else made
