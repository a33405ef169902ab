"""
What a DataSource's status says.

The kind has no status subresource: labels and status are written at once. Times of conditions
move only with the condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdi.api import labels, phases, reasons
from cdi.controllers import kinds, plan, sourceref
from cdi.controllers.metadata import changed
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage.conditions import with_condition

_READY: Final = reasons.Condition.READY.value


@dataclass(frozen=True, slots=True)
class Seen:
    """A DataSource and what it stands for, at one moment."""

    data_source: Object
    now: str  # RFC 3339
    found: sourceref.Resolved | sourceref.Unresolved
    claim: Object | None = None
    volume: Object | None = None  # the DataVolume of the claim's name
    snapshot: Object | None = None


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What condition Ready says."""

    reason: str
    message: str
    ready: bool = False


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    before = seen.data_source
    if objects.is_deleting(before):
        return plan.NOTHING
    verdict = _verdict(seen)
    conditions = with_condition(
        objects.get(before, "status", "conditions", default=[]),
        _READY,
        (reasons.Status.TRUE if verdict.ready else reasons.Status.FALSE).value,
        verdict.reason,
        verdict.message,
        seen.now,
    )
    after = changed(before, labels=_travelling(seen) if verdict.ready else {})
    after["status"] = {
        **(before.get("status") or {}),
        "source": _source(seen) if verdict.ready else {},
        "conditions": conditions,
    }
    if after == before:
        return plan.NOTHING
    return plan.Plan((plan.Change(kinds.DATA_SOURCES, before, after),))


def _source(seen: Seen) -> Object:
    return seen.found.source if isinstance(seen.found, sourceref.Resolved) else {}


def _verdict(seen: Seen) -> _Verdict:
    found = seen.found
    if isinstance(found, sourceref.Unresolved):
        return _Verdict(found.reason, found.message)
    match found.member:
        case sourceref.PVC:
            return _of_claim(seen)
        case sourceref.SNAPSHOT:
            return _of_snapshot(seen)
        case _:
            return _Verdict(reasons.NO_SOURCE, "No source PVC set")


def _of_claim(seen: Seen) -> _Verdict:
    if seen.volume is not None:
        phase = objects.get(seen.volume, "status", "phase", default="")
        if phase == phases.DataVolume.SUCCEEDED:
            return _ready()
        return _Verdict(phase, f"Import DataVolume phase {phase}")
    if seen.claim is not None:
        return _ready()
    return _Verdict(reasons.SOURCE_NOT_FOUND, "PVC not found")


def _of_snapshot(seen: Seen) -> _Verdict:
    if seen.snapshot is None:
        return _Verdict(reasons.SOURCE_NOT_FOUND, "Snapshot not found")
    if objects.get(seen.snapshot, "status", "readyToUse") is True:
        return _ready()
    return _Verdict(reasons.SNAPSHOT_NOT_READY, "Snapshot phase is not ready")


def _ready() -> _Verdict:
    return _Verdict(reasons.SOURCE_READY, "DataSource is ready to be consumed", ready=True)


def _travelling(seen: Seen) -> dict[str, str | None]:
    """Labels of what it stands for; what a DataVolume says, its claim may say better."""
    found: dict[str, str | None] = {}
    for each in (seen.volume, seen.claim, seen.snapshot):
        found |= labels.travelling(objects.labels(each or {}))
    return found
