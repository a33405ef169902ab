"""What differs from what is wanted, as steps that a `Writer` carries out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from cdi.kube import managed, objects, owners
from cdi.kube.installing.ref import Ref, ref_of
from cdi.kube.managed import Marks
from cdi.kube.objects import Object, Objects

# Kinds whose pods are found by a selector that cannot be changed.
_SELECTING: Final = frozenset({"Deployment", "DaemonSet"})


@dataclass(frozen=True, slots=True)
class Create:
    """Make an object. One of its name that is there becomes ours, unless it is `adopts=False`:
    then it stays as it is, and nobody's."""

    obj: Object
    adopts: bool = True


@dataclass(frozen=True, slots=True)
class Update:
    """Bring an object back to what is wanted."""

    wanted: Object


@dataclass(frozen=True, slots=True)
class Remove:
    """Take an object away, its pods first if it has any."""

    seen: Object


Step: TypeAlias = Create | Update | Remove


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be told about the object that an operator works for."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Maker:
    """In whose name objects are made: the object that wants them, the operator's version and
    the marks that it leaves."""

    owner: Object
    version: str
    marks: Marks


def step_for(wanted: Object, current: Object | None, maker: Maker) -> Step | None:
    """What turns `current` into `wanted`; None where nothing does now."""
    if current is None:
        return Create(managed.marked(wanted, maker.owner, maker.version, maker.marks))
    if objects.is_deleting(current):
        return None
    if wanted["kind"] in _SELECTING and _selector(wanted) != _selector(current):
        return Remove(current)  # it is made anew afterwards
    restored = managed.restored(current, wanted, maker.owner, maker.version, maker.marks)
    return None if restored is None else Update(restored)


def leftovers(
    wanted: Iterable[Object], current: Mapping[Ref, Object], owner: Object, kept: Iterable[str]
) -> Objects:
    """What `owner` wanted before, and does not any longer; nothing of the kinds `kept`."""
    keep, kinds = {ref_of(each) for each in wanted}, frozenset(kept)
    return [
        each
        for ref, each in current.items()
        if ref not in keep
        and ref.kind not in kinds
        and owners.is_controlled_by(each, owner)
        and not objects.is_deleting(each)
    ]


def _selector(obj: Object) -> object:
    return objects.get(obj, "spec", "selector")
