"""
Which of the volumes that exist suits a claim: what was promised to it, else the smallest.

Pure. Kubernetes' rules: class, modes, labels and size have to fit, and a volume that is going
or belongs to somebody else does not count.
"""

from __future__ import annotations

from collections.abc import Iterable

from cdi.binding import facts
from cdi.kube import objects, selectors
from cdi.kube.objects import Object


def choose(claim: Object, volumes: Iterable[Object], *, promised_only: bool) -> Object | None:
    """Return the volume to bind, or None. `promised_only` leaves unclaimed ones alone."""
    fitting = [volume for volume in volumes if not mismatch(claim, volume)]
    for volume in fitting:
        if facts.claim_key_of(volume) and facts.belongs_to(volume, claim):
            return volume
    if promised_only:
        return None
    free = [volume for volume in fitting if _is_free(volume) and _is_selected(claim, volume)]
    return min(free, key=lambda volume: (facts.capacity(volume), objects.name(volume)),
               default=None)  # fmt: skip


def mismatch(claim: Object, volume: Object) -> str:
    """Return why a volume cannot hold a claim, in Kubernetes' words; empty if it can."""
    if facts.capacity(volume) < facts.requested(claim):
        return "requested PV is too small"
    if facts.class_name(volume) != facts.class_name(claim):
        return "storageClassName does not match"
    if facts.volume_mode(volume) != facts.volume_mode(claim):
        return "incompatible volumeMode"
    if not set(facts.access_modes(claim)) <= set(facts.access_modes(volume)):
        return "incompatible accessMode"
    return ""


def _is_free(volume: Object) -> bool:
    return (
        facts.claim_key_of(volume) is None
        and facts.phase(volume) == facts.AVAILABLE
        and not objects.is_deleting(volume)
    )


def _is_selected(claim: Object, volume: Object) -> bool:
    selector = objects.get(claim, "spec", "selector")
    return not selector or selectors.selector_for(selector).selects(volume)
