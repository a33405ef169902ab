"""
What is to become of one volume, on its node: a decision from one snapshot, with no I/O.

A released volume is kept, or deleted with its data, as its policy says. A finalizer holds the
object until the data is gone, so that a crash at any moment loses neither track nor bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdi.binding import facts
from cdi.kube import objects
from cdi.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Plan:
    """The next steps for one volume, in this order."""

    erase: bool = False  # its data
    let_go: bool = False  # drop our finalizer
    delete: bool = False  # the object


def decide(volume: Object, claim: Object | None) -> Plan:
    """Choose the next steps for a volume of this node; `claim` is the one that its claimRef names,
    or a namesake."""
    if claim is not None and facts.belongs_to(volume, claim):
        return Plan()
    policy = objects.get(volume, "spec", "persistentVolumeReclaimPolicy", default="")
    goes = policy == facts.DELETE
    if objects.is_deleting(volume):
        return Plan(erase=goes, let_go=True)
    released = facts.phase(volume) == facts.RELEASED
    return Plan(erase=True, let_go=True, delete=True) if goes and released else Plan()
