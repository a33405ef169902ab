"""
What a clone is made from: a claim or a snapshot, by name, wherever it is said.

Three kinds of object say it: a DataVolume's source, a VolumeCloneSource, and a DataSource. Where a
DataSource leads is elsewhere (`sourceref`). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cdi.controllers import kinds
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS

CLAIM: Final = PERSISTENT_VOLUME_CLAIMS.kind
SNAPSHOT: Final = kinds.SNAPSHOTS.kind
DATA_SOURCE: Final = kinds.DATA_SOURCES.kind

_MEMBERS: Final = {"pvc": CLAIM, "snapshot": SNAPSHOT}


@dataclass(frozen=True, slots=True)
class CloneSource:
    """What is cloned, or the DataSource that knows it."""

    kind: str
    namespace: str
    name: str

    @property
    def key(self) -> Key:
        return Key(self.namespace, self.name)

    @property
    def index_value(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"

    @property
    def plural(self) -> str:
        """As a clone token names the kind."""
        kind = kinds.SNAPSHOTS if self.kind == SNAPSHOT else PERSISTENT_VOLUME_CLAIMS
        return kind.plural

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


NOTHING: Final = CloneSource("", "", "")


def named_by(obj: Object) -> CloneSource | None:
    """What a DataVolume or a VolumeCloneSource names; None where that is nothing to clone."""
    spec, namespace = obj.get("spec") or {}, objects.namespace(obj)
    if reference := spec.get("sourceRef"):
        where = str(reference.get("namespace") or namespace)
        return CloneSource(DATA_SOURCE, where, str(reference.get("name") or ""))
    source = spec.get("source") or {}
    if source.get("kind") in (CLAIM, SNAPSHOT):
        return CloneSource(str(source["kind"]), namespace, str(source.get("name") or ""))
    return member_of(source, namespace)


def member_of(source: Any, namespace: str) -> CloneSource | None:
    """What `pvc` or `snapshot` of a source names; `namespace` is meant where it names none."""
    for member, kind in _MEMBERS.items():
        if chosen := objects.get(source, member):
            where = str(chosen.get("namespace") or namespace)
            return CloneSource(kind, where, str(chosen.get("name") or ""))
    return None
