"""
What is to become of one volume: a decision from one snapshot, with no I/O and no clock.

A volume is available, bound, or released by a claim that has gone. A released one is kept, or
deleted with its data, as its policy says; finalizers hold it until its claim and its data are
gone, so that a crash at any moment loses neither track nor bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdi.binding import facts
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import local


@dataclass(frozen=True, slots=True)
class Seen:
    """One volume, and the claim that its claimRef names, whether or not it is the same one."""

    volume: Object
    claim: Object | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step for one volume, in this order."""

    phase: str = ""  # empty: leave it
    unbind: bool = False  # forget a claim that chose another volume
    erase: bool = False  # remove its data
    let_go: bool = False  # drop our finalizers
    delete: bool = False  # the object


def decide(seen: Seen) -> Plan:
    """Choose the next step for a volume."""
    phase = _phase(seen)
    if _is_left_over(seen):
        return Plan(unbind=True)
    if phase == facts.BOUND:
        return Plan(phase)
    if objects.is_deleting(seen.volume):
        return Plan(erase=_goes_with_data(seen.volume), let_go=True)
    return Plan(phase, delete=phase == facts.RELEASED and _goes_with_data(seen.volume))


def _phase(seen: Seen) -> str:
    volume, claim = seen.volume, seen.claim
    if facts.claim_key_of(volume) is None:
        return facts.AVAILABLE
    promised = not objects.get(volume, "spec", "claimRef", "uid")
    if claim is None or not facts.belongs_to(volume, claim):
        return facts.AVAILABLE if promised else facts.RELEASED
    name = facts.volume_name(claim)
    if name == objects.name(volume):
        return facts.AVAILABLE if promised else facts.BOUND
    if not name and not promised:
        return ""  # about to be bound, which makes the next phase
    if name and not promised and _goes_with_data(volume):
        return facts.RELEASED  # made for a claim that was bound to another one meanwhile
    return facts.AVAILABLE


def _is_left_over(seen: Seen) -> bool:
    """Whether we bound the volume to a claim that then was bound to another one."""
    volume, claim = seen.volume, seen.claim
    return (
        claim is not None
        and facts.belongs_to(volume, claim)
        and facts.volume_name(claim) not in ("", objects.name(volume))
        and facts.BOUND_BY_CONTROLLER in objects.annotations(volume)
        and not _is_ours(volume)
    )


def _goes_with_data(volume: Object) -> bool:
    policy = objects.get(volume, "spec", "persistentVolumeReclaimPolicy", default="Retain")
    return policy == facts.DELETE and _is_ours(volume)


def _is_ours(volume: Object) -> bool:
    return objects.annotations(volume).get(facts.PROVISIONED_BY) == local.PROVISIONER
