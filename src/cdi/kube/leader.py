"""
Leader election by Lease: of several replicas, one works.

Here: taking, renewing and giving back a lease. A replica leads from the end of `ready` until
`run` ends; it ends with LeadershipLost where the lease could not be renewed in time, and the
process is expected to end with it.

Clocks of machines differ, so times written in the lease are for people only. Whether another
holder's time is up is judged by how long this process has seen the lease unchanged. A leader
counts from before its request left and gives up `renew_deadline` later, well before others may
take over after `duration`. Times are in seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import uuid
from dataclasses import dataclass
from typing import Any

from cdi.kube import errors, objects, tasks
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock, wait_for, within
from cdi.kube.objects import Object
from cdi.kube.resource import LEASES

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """How long a lease lasts, when its holder gives up, and how often it is tried.

    The distance between `duration` and `renew_deadline` is what a request that was lost on its
    way back, and the drift of two clocks, may cost without two leaders at once.
    """

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not self.retry < self.renew_deadline < self.duration:
            raise ValueError("leader election needs retry < renew_deadline < duration")


@dataclass(frozen=True, slots=True)
class Sighting:
    """A lease's spec, and when this process first saw it so."""

    spec: dict[str, Any]
    since: float

    @property
    def holder(self) -> str:
        return str(self.spec.get("holderIdentity") or "")


def may_take(seen: Sighting, identity: str, now: float, terms: Terms) -> bool:
    """Whether the lease is ours to take: ours already, nobody's, or its time is up."""
    if seen.holder in ("", identity):
        return True
    lasts = float(seen.spec.get("leaseDurationSeconds") or terms.duration)
    return now >= seen.since + lasts


def new_identity() -> str:
    """A name for this process that no other run of it ever had."""
    return f"{socket.gethostname()}_{os.getpid()}_{uuid.uuid4().hex[:8]}"


class Elector:
    """Stands for election under one lease. A part for `manager.Group.ELECTION`."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        *,
        identity: str = "",
        terms: Terms | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.name = f"leader election {name}"
        self.identity = identity or new_identity()
        # Its requests are few and must not wait behind others.
        self._client = client.unthrottled()
        self._namespace = namespace
        self._lease_name = name
        self._terms = terms or Terms()
        self._clock = clock or SystemClock()
        self._leading = asyncio.Event()
        self._lease: Object | None = None
        self._seen: Sighting | None = None
        self._renewed = 0.0

    @property
    def leading(self) -> bool:
        """Whether this process leads, as far as it can know."""
        return self._leading.is_set() and not self._too_late()

    @property
    def holder(self) -> str:
        """Who leads, as far as this process has seen; empty where nobody does."""
        return self._seen.holder if self._seen else ""

    async def ready(self) -> None:
        """Return once this process leads."""
        await self._leading.wait()

    async def run(self, stop: asyncio.Event) -> None:
        """Stand for election, lead until `stop`, then give the lease back.

        Raises LeadershipLost.
        """
        try:
            await self._acquire(stop)
            if self._leading.is_set():
                await self._hold(stop)
        finally:
            if self._leading.is_set():
                self._leading.clear()
                await self._release()

    async def _acquire(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if await tasks.until(stop, self._attempt(self._terms.renew_deadline)):
                log.info("leading now", extra={"lease": self._lease_name})
                self._leading.set()
                return
            await wait_for(self._clock, self._terms.retry, stop)

    async def _hold(self, stop: asyncio.Event) -> None:
        while not await wait_for(self._clock, self._terms.retry, stop):
            left = self._renewed + self._terms.renew_deadline - self._clock.now()
            renewed = left > 0 and await self._attempt(left)
            if not renewed and (self._too_late() or self._deposed()):
                self._leading.clear()
                raise errors.LeadershipLost(
                    f"lease {self._namespace}/{self._lease_name} was not renewed in time; "
                    f"holder now: {self.holder or 'unknown'}"
                )

    def _too_late(self) -> bool:
        return self._clock.now() >= self._renewed + self._terms.renew_deadline

    def _deposed(self) -> bool:
        return self.holder != self.identity

    async def _attempt(self, seconds: float) -> bool:
        """Try once to take or renew the lease; return whether it is ours."""
        began = self._clock.now()
        try:
            taken = await within(self._clock, seconds, self._take())
        except (errors.KubeError, TimeoutError) as error:
            self._lease = None  # read it again: somebody may have written
            log.debug("lease was not taken", extra={"cause": str(error)})
            return False
        if taken:
            self._renewed = began
        return taken

    async def _take(self) -> bool:
        if self._leading.is_set() and self._lease is not None:
            # While we lead nobody else writes, so the lease need not be read each time.
            with contextlib.suppress(errors.Conflict, errors.NotFound):
                return await self._write(self._lease)
        lease = await self._read()
        if lease is None:
            return await self._create()
        seen = self._note(lease)
        if not may_take(seen, self.identity, self._clock.now(), self._terms):
            return False
        return await self._write(lease)

    async def _create(self) -> bool:
        meta = {"name": self._lease_name, "namespace": self._namespace}
        self._note(await self._client.create(LEASES, {"metadata": meta, "spec": self._spec({})}))
        return True

    async def _write(self, lease: Object) -> bool:
        # With the resourceVersion that was read: whoever writes second gets a Conflict.
        spec = self._spec(lease.get("spec") or {})
        self._note(await self._client.update(LEASES, {**lease, "spec": spec}))
        return True

    async def _read(self) -> Object | None:
        try:
            return await self._client.get(LEASES, self._lease_name, self._namespace)
        except errors.NotFound:
            return None

    def _note(self, lease: Object) -> Sighting:
        """Remember the lease, and since when it has been as it is."""
        spec = objects.get(lease, "spec", default={})
        if self._seen is None or self._seen.spec != spec:
            self._seen = Sighting(spec, self._clock.now())
        self._lease = lease
        return self._seen

    def _spec(self, before: dict[str, Any]) -> dict[str, Any]:
        now = self._clock.wall().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        stays = before.get("holderIdentity") == self.identity
        terms = int(before.get("leaseTransitions") or 0)
        first = not before
        return {
            **before,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": round(self._terms.duration),
            "acquireTime": before.get("acquireTime", now) if stays else now,
            "renewTime": now,
            "leaseTransitions": terms if stays or first else terms + 1,
        }

    async def _release(self) -> None:
        """Give the lease back, so that the next leader need not wait for its end."""
        if self._lease is None:
            return
        spec = {**self._lease.get("spec", {}), "holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            update = self._client.update(LEASES, {**self._lease, "spec": spec})
            await within(self._clock, self._terms.retry, update)
        except (errors.KubeError, TimeoutError) as error:
            log.debug("lease was not given back", extra={"cause": str(error)})
