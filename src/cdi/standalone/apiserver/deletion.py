"""
What a deletion does to an object: remove it now, mark it, or leave it marked.

Here: a pure decision from the live object and the options. Elsewhere: who acts once an object is
marked (finalizers' owners, `garbage`, `namespaces`, the node agent for pods).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cdi.standalone.apiserver.options import DeleteOptions
from cdi.standalone.apiserver.timestamps import rfc3339
from cdi.standalone.schema.registry import KindInfo

Document = dict[str, Any]

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
POD_GRACE = 30  # seconds, where neither the pod nor the request says


@dataclass(frozen=True, slots=True)
class Outcome:
    """The object after the deletion; `removed` when it is gone, else it waits for somebody."""

    document: Document
    removed: bool


def decide(
    kind: KindInfo, live: Document, options: DeleteOptions, now: datetime, *, bump: bool
) -> Outcome:
    """Choose what becomes of `live`. `bump` says that the kind counts generations."""
    metadata = dict(live["metadata"])
    finalizers = _finalizers(metadata.get("finalizers") or [], options.policy)
    _put(metadata, "finalizers", finalizers)
    grace = _grace(kind, live, options)
    waits = bool(finalizers) or grace > 0 or bool(_content_finalizers(kind, live))
    document = {**live, "metadata": metadata}
    if not waits:
        return Outcome(document, removed=True)
    _mark(metadata, grace, now, bump=bump)
    if (kind.group, kind.kind) == ("", "Namespace"):
        document["status"] = {**(live.get("status") or {}), "phase": "Terminating"}
    return Outcome(document, removed=False)


def is_finished(kind: KindInfo, document: Document) -> bool:
    """Whether a marked object has nothing left to wait for."""
    metadata = document["metadata"]
    return (
        "deletionTimestamp" in metadata
        and not metadata.get("finalizers")
        and not metadata.get("deletionGracePeriodSeconds")
        and not _content_finalizers(kind, document)
    )


def _mark(metadata: Document, grace: int, now: datetime, *, bump: bool) -> None:
    marked = "deletionTimestamp" in metadata
    if marked and grace >= (metadata.get("deletionGracePeriodSeconds") or 0):
        return
    metadata["deletionTimestamp"] = rfc3339(now + timedelta(seconds=grace))
    metadata["deletionGracePeriodSeconds"] = grace
    if bump and not marked:
        metadata["generation"] = metadata.get("generation", 1) + 1


def _finalizers(present: list[str], policy: str) -> list[str]:
    if not policy:
        return list(present)
    kept = [name for name in present if name not in (ORPHAN, FOREGROUND)]
    added = {"Orphan": [ORPHAN], "Foreground": [FOREGROUND]}.get(policy, [])
    return [*kept, *added]


def _content_finalizers(kind: KindInfo, document: Document) -> list[str]:
    """What a namespace waits for before it goes: its content."""
    if (kind.group, kind.kind) != ("", "Namespace"):
        return []
    return list((document.get("spec") or {}).get("finalizers") or [])


def _grace(kind: KindInfo, live: Document, options: DeleteOptions) -> int:
    """Seconds that the object's process gets; only pods have one."""
    if (kind.group, kind.kind) != ("", "Pod"):
        return 0
    spec, status = live.get("spec") or {}, live.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    if options.grace is not None:
        return max(0, options.grace)
    period = spec.get("terminationGracePeriodSeconds")
    return POD_GRACE if period is None else int(period)


def _put(metadata: Document, key: str, value: list[str]) -> None:
    if value:
        metadata[key] = value
    else:
        metadata.pop(key, None)
