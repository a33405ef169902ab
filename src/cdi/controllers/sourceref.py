"""
What a DataSource stands for. Pure.

A DataSource may name another one of its namespace, which has to name a claim or a snapshot
itself: chains end after one step, and so cannot go round.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from cdi.api import reasons
from cdi.controllers import clonesource
from cdi.controllers.clonesource import DATA_SOURCE, CloneSource
from cdi.kube import objects
from cdi.kube.objects import Key, Object

PVC: Final = "pvc"
SNAPSHOT: Final = "snapshot"
REFERENCE: Final = "dataSource"
_MEMBERS: Final = (PVC, SNAPSHOT)  # should there be both, the first of these counts

Find: TypeAlias = Callable[[Key], Object | None]  # a DataSource, by its key


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is cloned: a claim, a snapshot, or nothing yet."""

    data_source: Object  # the DataSource that names it
    source: Object  # as it stands there; may be empty

    @property
    def member(self) -> str:
        """`pvc`, `snapshot`, or empty where nothing is named."""
        return next((each for each in _MEMBERS if self.source.get(each)), "")

    @property
    def named(self) -> CloneSource | None:
        """The claim or the snapshot; in the DataSource's namespace where none is given."""
        return clonesource.member_of(self.source, objects.namespace(self.data_source))

    @property
    def key(self) -> Key:
        """Of what is named, which has to be something."""
        if self.named is None:
            raise LookupError("nothing is named")
        return self.named.key


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A reference that leads nowhere: the reason of condition Ready, and words for people."""

    reason: str
    message: str


def resolve(data_source: Object, find: Find) -> Resolved | Unresolved:
    """Follow a DataSource to what it stands for."""
    source = _source_of(data_source)
    reference = source.get(REFERENCE)
    if not reference:
        return Resolved(data_source, source)
    own = objects.key(data_source)
    target = reference_of(data_source) or own
    if target.namespace != own.namespace:
        return Unresolved(
            reasons.CROSS_NAMESPACE_REFERENCE,
            f"DataSource {target} is in another namespace; name one of namespace {own.namespace}",
        )
    if target == own:
        return Unresolved(reasons.SELF_REFERENCE, "DataSource names itself; name another one")
    found = find(target)
    if found is None:
        return Unresolved(reasons.SOURCE_NOT_FOUND, f"DataSource {target.name} not found")
    if _source_of(found).get(REFERENCE):
        return Unresolved(
            reasons.MAX_REFERENCE_DEPTH,
            f"DataSource {target.name} names another DataSource; name the last one directly",
        )
    return Resolved(found, _source_of(found))


def cloned(named: CloneSource, find: Find) -> CloneSource | Unresolved:
    """What is cloned where this is named: it, or what stands behind a DataSource."""
    if named.kind != DATA_SOURCE:
        return named
    data_source = find(named.key)
    if data_source is None:
        return Unresolved(reasons.SOURCE_NOT_FOUND, f"{named} does not exist")
    found = resolve(data_source, find)
    if isinstance(found, Unresolved):
        return found
    return found.named or Unresolved(reasons.NO_SOURCE, f"{named} has no source yet")


def reference_of(data_source: Object) -> Key | None:
    """The DataSource that one names instead of a source of its own."""
    reference = _source_of(data_source).get(REFERENCE)
    if not reference:
        return None
    namespace = reference.get("namespace") or objects.namespace(data_source)
    return Key(str(namespace), str(reference.get("name", "")))


def _source_of(data_source: Object) -> Object:
    return dict(objects.get(data_source, "spec", "source", default={}))
