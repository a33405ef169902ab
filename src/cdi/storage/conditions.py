"""
Conditions: which times change when a condition is said again.

`lastTransitionTime` moves with the status only; `lastHeartbeatTime` whenever status, reason or
message change. Saying the same again changes nothing, so that nothing has to be written.
"""

from collections.abc import Sequence
from typing import Any

Object = dict[str, Any]


def with_condition(
    conditions: Sequence[Object], type_: str, status: str, reason: str, message: str, now: str
) -> list[Object]:
    """Return `conditions` with one of them said anew; `now` is a time as RFC 3339 writes it."""
    wanted = {"type": type_, "status": status, "reason": reason, "message": message}
    fresh = {**wanted, "lastTransitionTime": now, "lastHeartbeatTime": now}
    if not any(each.get("type") == type_ for each in conditions):
        return [*conditions, fresh]
    return [
        _repeated(each, wanted, now) if each.get("type") == type_ else each for each in conditions
    ]


def _repeated(old: Object, wanted: Object, now: str) -> Object:
    if all((old.get(key) or "") == value for key, value in wanted.items()):
        return old
    same_status = old.get("status") == wanted["status"]
    since = old.get("lastTransitionTime", now) if same_status else now
    return {**old, **wanted, "lastTransitionTime": since, "lastHeartbeatTime": now}
