"""
Conditions of a status, written so that a time changes only with what it is of. Pure.

Each has reason and message, and two times, as operators of this family have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdi.kube import objects
from cdi.kube.objects import Object, Objects


@dataclass(frozen=True, slots=True)
class Said:
    """One condition: whether it holds, and why."""

    holds: bool
    reason: str = ""
    message: str = ""


def is_true(obj: Object, condition: str) -> bool:
    """Whether an object says so of itself."""
    return any(
        each.get("type") == condition and each.get("status") == "True"
        for each in objects.get(obj, "status", "conditions", default=[])
    )


def rendered(before: Any, wanted: Mapping[str, Said], now: datetime) -> Objects:
    """The conditions to write; those of `before` where nothing has changed but the time."""
    known = {each["type"]: each for each in before} if isinstance(before, list) else {}
    return [_condition(name, said, known.get(name), now) for name, said in wanted.items()]


def _condition(name: str, said: Said, before: Object | None, now: datetime) -> Object:
    value = "True" if said.holds else "False"
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    made = {
        "type": name,
        "status": value,
        "reason": said.reason,
        "message": said.message,
        "lastTransitionTime": at,
        "lastHeartbeatTime": at,
    }
    if before is None:
        return made
    if before.get("status") == value and before.get("lastTransitionTime"):
        made["lastTransitionTime"] = before["lastTransitionTime"]
    same = all(before.get(key) == made[key] for key in ("status", "reason", "message"))
    return before if same else made
