"""
The status of a CDI object: phase, versions and three conditions, always with reason and message.

Clients wait for `Available` and compare `observedVersion`. Pure: the time is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cdi.kube import conditions
from cdi.kube.conditions import Said
from cdi.kube.objects import Object

AVAILABLE, PROGRESSING, DEGRADED = "Available", "Progressing", "Degraded"

DEPLOYING: Final = "Deploying"
DEPLOYED: Final = "Deployed"
UPGRADING: Final = "Upgrading"
DELETING: Final = "Deleting"
DELETED: Final = "Deleted"
ERROR: Final = "Error"

_NO_REASON: Final = {
    AVAILABLE: "NotAvailable",
    PROGRESSING: "NotProgressing",
    DEGRADED: "AsExpected",
}
_NO_MESSAGE: Final = {
    AVAILABLE: "CDI cannot be used yet",
    PROGRESSING: "Nothing is being changed",
    DEGRADED: "Everything is as it should be",
}


NO: Final = Said(False)


@dataclass(frozen=True, slots=True)
class Status:
    """What a CDI object should say."""

    phase: str
    available: Said = NO
    progressing: Said = NO
    degraded: Said = NO

    def conditions(self) -> dict[str, Said]:
        return {
            AVAILABLE: self.available,
            PROGRESSING: self.progressing,
            DEGRADED: self.degraded,
        }


def deploying(message: str = "Started Deployment") -> Status:
    return Status(DEPLOYING, progressing=Said(True, "DeployStarted", message))


def upgrading(version: str) -> Status:
    started = Said(True, "UpgradeStarted", f"Started upgrade to version {version}")
    return Status(UPGRADING, Said(True, "UpgradeStarted", started.message), started)


def deployed() -> Status:
    return Status(DEPLOYED, Said(True, "DeployCompleted", "Deployment Completed"))


def wrong(phase: str, reason: str, message: str, *, available: bool, busy: bool = False) -> Status:
    """Something is wrong, with what works meanwhile."""
    words = (reason, message)
    return Status(
        phase,
        Said(available, *words),
        Said(busy, *words),
        Said(True, *words),
    )


def deleting() -> Status:
    return Status(DELETING, progressing=Said(True, "Deleting", "Removing what was installed"))


def deleted() -> Status:
    return Status(DELETED, NO, Said(False, "Deleted", "Everything that was installed goes"))


def is_true(cdi: Object, condition: str) -> bool:
    """Whether a CDI object says so."""
    return conditions.is_true(cdi, condition)


def rendered(
    before: Mapping[str, object], wanted: Status, versions: Object, now: datetime
) -> Object:
    """The status to write; equal to `before` where nothing has changed but the time."""
    said = {name: _completed(name, each) for name, each in wanted.conditions().items()}
    made = conditions.rendered(before.get("conditions"), said, now)
    return {**before, "phase": wanted.phase, "conditions": made, **versions}


def _completed(name: str, said: Said) -> Said:
    reason = said.reason or (_NO_REASON[name] if not said.holds else name)
    message = said.message or (_NO_MESSAGE[name] if not said.holds else "")
    return Said(said.holds, reason, message)


def ready_value(cdi: Object, before: int) -> int:
    """The metric: 1 ready, 0 not, as it was while something is being done."""
    if is_true(cdi, AVAILABLE):
        return 1
    return before if is_true(cdi, PROGRESSING) else 0
