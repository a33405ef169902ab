"""Observe one ObjectTransfer from the caches, decide, act."""

from collections.abc import Iterable

from cdi.api import annotations
from cdi.controllers.act import Actor
from cdi.controllers.cluster import Cluster
from cdi.controllers.transferring.decide import decide
from cdi.controllers.transferring.seen import (
    DATA_VOLUME,
    VOLUME_NAME,
    Seen,
    child_of,
    kind_of,
    source_of,
    target_of,
)
from cdi.controllers.working import context as workers
from cdi.kube import objects
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.objects import Key, Object

NAME = "transfer-controller"


class Reconciler:
    """Keys are names of ObjectTransfers."""

    def __init__(self, cluster: Cluster, actor: Actor, clock: Clock) -> None:
        self._cluster, self._actor, self._clock = cluster, actor, clock

    async def reconcile(self, key: Key) -> Result | None:
        seen = self.observe(key)
        return None if seen is None else await self._actor.act(decide(seen))

    def observe(self, key: Key) -> Seen | None:
        """Everything about one transfer; None where it is gone."""
        cluster = self._cluster
        transfer = cluster.transfers.get(key)
        if transfer is None:
            return None
        there, here = target_of(transfer), source_of(transfer)
        kept = cluster.data_volumes if kind_of(transfer) == DATA_VOLUME else cluster.claims
        claim = cluster.claims.get(here)
        return Seen(
            transfer=transfer,
            now=self._clock.wall().strftime("%Y-%m-%dT%H:%M:%SZ"),
            source=kept.get(here),
            target=kept.get(there),
            claim=claim,
            target_claim=cluster.claims.get(there),
            volume=cluster.volumes.get(Key("", self._volume_name(transfer, claim))),
            users=[] if claim is None else workers.other_users(cluster, claim, None),
            child=cluster.transfers.get(child_of(transfer)),
        )

    def _volume_name(self, transfer: Object, claim: Object | None) -> str:
        known = objects.get(transfer, "status", "data", VOLUME_NAME)
        return str(known or objects.get(claim, "spec", "volumeName") or "")

    def keys_of_moved(self, found: Object) -> Iterable[Key]:
        """A source names its transfer; a target is waited for, and looked at now and then."""
        name = objects.annotations(found).get(annotations.OBJECT_TRANSFER)
        return [Key("", name)] if name else []


def keys_of_transfer(transfer: Object) -> Iterable[Key]:
    """It concerns itself, and the one that it is a part of."""
    parent = objects.get(transfer, "spec", "parentName")
    return [objects.key(transfer), *([Key("", parent)] if parent else [])]
