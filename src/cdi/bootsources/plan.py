"""What to do about one object, and what to say about it: values, and the words of its status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cdi.api import reasons
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage.conditions import with_condition

_DONE, _FAILED = "ReconcileCompleted", reasons.RECONCILE_FAILED
_CONDITIONS: Final = (("Available", True), ("Progressing", False), ("Degraded", False))


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in order: what should exist, what should go, and the object itself.

    What should exist is given as merge patches: fields that are None are taken off. One with a
    resourceVersion is wanted in that state alone.
    """

    ensure: tuple[Object, ...] = ()
    remove: tuple[Object, ...] = ()
    itself: Object | None = None  # as it should be, without its status
    status: Object | None = None


def outcome(status: Object | None, failure: str, now: str) -> Object:
    """A status that says that all is well, or why it is not; `now` as in RFC 3339."""
    found: Object = dict(status or {})
    conditions: Sequence[Object] = found.get("conditions") or []
    reason, message = (_FAILED, failure) if failure else (_DONE, "")
    for kind, well in _CONDITIONS:
        said = well if not failure else kind == "Degraded"
        text = (reasons.Status.TRUE if said else reasons.Status.FALSE).value
        conditions = with_condition(conditions, kind, text, reason, message, now)
    return {**found, "conditions": list(conditions)}


def failure_of(obj: Object | None) -> str:
    """What an object says of its failure; empty if it says that there is none."""
    conditions: list[Object] = objects.get(obj, "status", "conditions", default=[])
    found = next((each for each in conditions if each.get("type") == "Degraded"), {})
    return str(found.get("message") or "") if found.get("status") == reasons.Status.TRUE else ""


def held(obj: Object, finalizer: str) -> Object:
    """A copy that does not vanish before it has been tidied up after."""
    have = objects.finalizers(obj)
    if finalizer in have:
        return obj
    return {**obj, "metadata": {**objects.metadata(obj), "finalizers": [*have, finalizer]}}


def released(obj: Object, finalizer: str) -> Object:
    """A copy that may go."""
    kept = [each for each in objects.finalizers(obj) if each != finalizer]
    return {**obj, "metadata": {**objects.metadata(obj), "finalizers": kept}}
