"""What a HostPathProvisioner says of itself: three conditions, versions, its pools. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cdi.api import phases
from cdi.kube import conditions, objects
from cdi.kube.conditions import Said
from cdi.kube.objects import Object

AVAILABLE, PROGRESSING, DEGRADED = "Available", "Progressing", "Degraded"
UNKNOWN_READY: Final = -1


@dataclass(frozen=True, slots=True)
class PoolOnClaims:
    """How far a pool on claims has come."""

    name: str
    phase: str
    desired: int  # nodes that should have it
    current: int  # nodes that have it
    claims: tuple[tuple[str, Object], ...] = ()  # their names, and what they say of themselves


@dataclass(frozen=True, slots=True)
class Status:
    """What the object should say."""

    available: Said
    progressing: Said
    degraded: Said
    pools: tuple[str, ...] | None = None  # that are ready; None: it says nothing of them
    on_claims: tuple[PoolOnClaims, ...] = ()

    def conditions(self) -> dict[str, Said]:
        return {
            AVAILABLE: self.available,
            PROGRESSING: self.progressing,
            DEGRADED: self.degraded,
        }


def deploying() -> Status:
    reason, message = "DeployStarted", "Started Deployment"
    return Status(
        Said(False, reason, message), Said(True, reason, message), Said(False, reason, message)
    )


def upgrading(version: str) -> Status:
    words = ("UpgradeStarted", f"Started upgrade to version {version}")
    return Status(Said(True, *words), Said(True, *words), Said(True, *words))


def complete(pools: tuple[str, ...], message: str = "Application Available") -> Status:
    words = ("Complete", message)
    return Status(Said(True, *words), Said(False, *words), Said(False, *words), pools)


def degraded(message: str) -> Status:
    words = ("Degraded", message)
    return Status(Said(False, *words), Said(False, *words), Said(True, *words))


def failed(message: str, reason: str = "ReconcileFailed", *, busy: bool = True) -> Status:
    words = (reason, message)
    return Status(Said(False, *words), Said(busy, *words), Said(True, *words))


def rendered(provisioner: Object, wanted: Status, versions: Object, now: datetime) -> Object:
    """The status to write; equal to what is there where nothing has changed but the time."""
    before = objects.get(provisioner, "status", default={})
    made: dict[str, Any] = {
        **before,
        "conditions": conditions.rendered(before.get("conditions"), wanted.conditions(), now),
        **versions,
    }
    if wanted.pools is not None or wanted.on_claims:
        made["storagePoolStatuses"] = _pools(wanted)
    return made


def _pools(wanted: Status) -> list[Object]:
    said: dict[str, Object] = {
        name: {"phase": str(phases.Pool.READY)} for name in wanted.pools or ()
    }
    for each in wanted.on_claims:
        said[each.name] = {
            "phase": str(each.phase),
            "desiredReady": each.desired,
            "currentReady": each.current,
            "claimStatuses": [{"name": name, "status": status} for name, status in each.claims],
        }
    return [{"name": name, **said[name]} for name in sorted(said)]


def ready_value(provisioner: Object, before: int) -> int:
    """The metric: 1 ready, 0 not, as it was while something is being done."""
    if conditions.is_true(provisioner, AVAILABLE):
        return 1
    return before if conditions.is_true(provisioner, PROGRESSING) else 0
