"""What binder and node agent watch, each kind once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cdi.binding import facts
from cdi.controllers import kinds
from cdi.kube import objects
from cdi.kube.client import Client
from cdi.kube.informer import Informer
from cdi.kube.objects import Key, Object
from cdi.kube.resource import (
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    STORAGE_CLASSES,
)
from cdi.standalone.volumes import origins

_BY_CLAIM = "claim"
_BY_VOLUME = "volume"
_BY_SOURCE = "source"
_NOBODY = ""


@dataclass(frozen=True, slots=True)
class Caches:
    """Informers with the indexes that are needed here."""

    claims: Informer
    volumes: Informer
    classes: Informer
    pods: Informer
    nodes: Informer
    snapshots: Informer
    snapshot_contents: Informer
    snapshot_classes: Informer

    @classmethod
    def on(cls, client: Client) -> Caches:
        """Return informers that are to be run by whoever called."""
        return cls(
            claims=Informer(
                client,
                PERSISTENT_VOLUME_CLAIMS,
                indexes={_BY_VOLUME: _volume_of_claim, _BY_SOURCE: _source_of_claim},
            ),
            volumes=Informer(client, PERSISTENT_VOLUMES, indexes={_BY_CLAIM: _claim_of_volume}),
            classes=Informer(client, STORAGE_CLASSES),
            pods=Informer(client, PODS, indexes={_BY_CLAIM: _claims_of_pod}),
            nodes=Informer(client, NODES),
            snapshots=Informer(client, kinds.SNAPSHOTS, optional=True),
            snapshot_contents=Informer(client, kinds.SNAPSHOT_CONTENTS, optional=True),
            snapshot_classes=Informer(client, kinds.SNAPSHOT_CLASSES, optional=True),
        )

    def all(self) -> tuple[Informer, ...]:
        of_snapshots = self.snapshots, self.snapshot_contents, self.snapshot_classes
        return self.claims, self.volumes, self.classes, self.pods, self.nodes, *of_snapshots

    def node(self, name: str) -> Object | None:
        return self.nodes.cache.get(Key("", name))

    def claim(self, key: Key) -> Object | None:
        return self.claims.cache.get(key)

    def volume(self, name: str) -> Object | None:
        return self.volumes.cache.get(Key("", name)) if name else None

    def storage_class(self, name: str) -> Object | None:
        return self.classes.cache.get(Key("", name)) if name else None

    def volumes_of(self, claim: Key) -> list[Object]:
        """The volumes whose claimRef names this claim."""
        return self.volumes.cache.by_index(_BY_CLAIM, str(claim))

    def unclaimed_volumes(self) -> list[Object]:
        return self.volumes.cache.by_index(_BY_CLAIM, _NOBODY)

    def claims_on(self, volume: str) -> list[Object]:
        """The claims that name this volume: one, and those that it was taken from."""
        return self.claims.cache.by_index(_BY_VOLUME, volume)

    def unbound_claims(self) -> list[Object]:
        unnamed = self.claims.cache.by_index(_BY_VOLUME, _NOBODY)
        return [claim for claim in unnamed if not facts.is_bound(claim)]

    def claims_from(self, kind: str, source: Key) -> list[Object]:
        """The claims that are to be made from this claim or snapshot."""
        return self.claims.cache.by_index(_BY_SOURCE, f"{kind}/{source}")

    def source_of(self, claim: Object) -> origins.DataSource | None:
        """What our provisioner is to make a claim from; None if anything, somebody else does."""
        kind, name = origins.reference_of(claim)
        if kind not in origins.KINDS:
            return None
        key = Key(objects.namespace(claim), name)
        if kind == origins.CLAIM:
            found = self.claim(key)
            return origins.DataSource(
                kind, name, found, self.volume(facts.volume_name(found or {}))
            )
        found = self.snapshots.cache.get(key)
        content = objects.get(found, "status", "boundVolumeSnapshotContentName", default="")
        return origins.DataSource(
            kind, name, found, self.snapshot_contents.cache.get(Key("", content))
        )

    def pods_of(self, claim: Key) -> list[Object]:
        """The pods that name this claim."""
        return self.pods.cache.by_index(_BY_CLAIM, str(claim))


def claim_keys(pod: Object) -> Iterator[Key]:
    """The claims that a pod names."""
    for volume in objects.get(pod, "spec", "volumes", default=[]):
        if name := objects.get(volume, "persistentVolumeClaim", "claimName"):
            yield Key(objects.namespace(pod), str(name))


def has_ended(pod: Object) -> bool:
    return facts.phase(pod) in ("Succeeded", "Failed")


def holds_claims(pod: Object) -> bool:
    """Whether the claims that a pod names have to stay: it has a node, be it over or not.

    A pod without a node gets none while a claim of it is being deleted.
    """
    return bool(objects.get(pod, "spec", "nodeName"))


def _claim_of_volume(volume: Object) -> tuple[str, ...]:
    key = facts.claim_key_of(volume)
    return (str(key) if key else _NOBODY,)


def _volume_of_claim(claim: Object) -> tuple[str, ...]:
    return (facts.volume_name(claim) or _NOBODY,)


def _source_of_claim(claim: Object) -> tuple[str, ...]:
    kind, name = origins.reference_of(claim)
    return (f"{kind}/{objects.namespace(claim)}/{name}",) if kind in origins.KINDS else ()


def _claims_of_pod(pod: Object) -> tuple[str, ...]:
    return tuple(str(key) for key in claim_keys(pod))
