"""
What a volume is waiting for, since when, and what to do about it: pure functions.

`explanation_for` goes through what has to happen one after the other - the claim, its volume, a
consumer, the worker, the bytes - and explains the first that has not happened. Words for what
failed come from whoever failed; what to do follows from the reason, which is stable. Where a
condition names a trouble, the answer is never that there is nothing to do.
"""

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cdi.api import annotations, failures, phases, reasons
from cdi.cli import cloning, rows
from cdi.cli.remedies import REMEDIES
from cdi.cli.terminal import format_bytes
from cdi.kube import objects
from cdi.kube.objects import Object

Phase = phases.DataVolume

_UNSEEN_FOR: Final = timedelta(seconds=15)  # so long nobody looks at a DataVolume: none is there
_IN_USE: Final = (reasons.IMPORT_TARGET_IN_USE, reasons.UPLOAD_TARGET_IN_USE)
_BY_ITSELF: Final = "it is tried again by itself"

# Reasons of conditions that are not true yet, and of no concern.
_USUAL: Final = frozenset(
    {
        "",
        reasons.CLAIM_BOUND,
        reasons.CLAIM_PENDING,
        reasons.CLAIM_NOT_FOUND,
        reasons.CREATING_SCRATCH,
        reasons.TRANSFER_RUNNING,
        reasons.POD_RUNNING,
        reasons.POPULATOR_RUNNING,
        reasons.COMPLETED,
        reasons.SCRATCH_REQUIRED,
        reasons.SIZE_DETECTION_POD_NOT_READY,
    }
)
# Usual as well, unless there is a message: then it names what the pod lacks.
_STARTING: Final = frozenset({"ContainerCreating", "PodInitializing"})


@dataclass(frozen=True, slots=True)
class Seen:
    """A DataVolume and what concerns it, at one moment. Events are those about any of them."""

    volume: Object
    now: datetime
    claim: Object | None = None
    prime: Object | None = None  # what a populator fills for the claim
    pod: Object | None = None
    storage_class: Object | None = None
    events: Sequence[Object] = ()
    hidden: frozenset[str] = frozenset()  # kinds, by plural name, that may not be read
    noun: str = "DataVolume"  # what is deleted and applied again, where nothing else helps


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer. `since` is None where nobody noted it."""

    waits_for: str
    do: str
    since: datetime | None = None
    settled: bool = False  # all is well, and nothing more is to come

    def lines(self, now: datetime) -> list[str]:
        """Return the answer as text."""
        found = [f"Waits for:   {self.waits_for}"]
        if self.since is not None:
            at = self.since.strftime("%Y-%m-%d %H:%M:%S UTC")
            found.append(f"Since:       {at} ({_ago(now - self.since)})")
        return [*found, f"What to do:  {self.do}"]


def explanation_for(seen: Seen) -> Explanation:
    """Explain the first thing that has not happened yet."""
    return _in_words_of_users(_with_trouble(_first(seen), seen), seen)


def _first(seen: Seen) -> Explanation:
    for step in _STEPS:
        if found := step(seen):
            return found
    return Explanation("the controllers' next step", "nothing, for now", _created(seen.volume))


def _with_trouble(found: Explanation, seen: Seen) -> Explanation:
    """Say what to do about a condition's trouble, where what is waited for asks for nothing."""
    over = objects.is_deleting(seen.volume) or _phase(seen) == Phase.SUCCEEDED
    trouble = _trouble(seen)
    if over or trouble is None or not found.do.startswith("nothing"):
        return found
    reason, message = trouble
    waits_for = found.waits_for
    if message not in waits_for or reason not in waits_for:
        waits_for = f"{waits_for}, after {_joined(reason, message)}"
    return replace(found, waits_for=waits_for, do=_again(_remedy(reason)))


def _in_words_of_users(found: Explanation, seen: Seen) -> Explanation:
    """Name the claim that somebody made, and not the one in which a populator fills it."""
    prime, claim = objects.name(seen.prime or {}), objects.name(seen.claim or {})
    if not prime or not claim:
        return found
    ours = re.compile(rf"(?<![-.\w]){re.escape(prime)}(?![-.\w])")
    return replace(found, waits_for=ours.sub(claim, found.waits_for), do=ours.sub(claim, found.do))


def _trouble(seen: Seen) -> tuple[str, str] | None:
    """Reason and message of the first condition that is not true and says why."""
    for kind in ("Running", "Bound", "Ready"):
        reason, message = _said(seen, kind)
        is_true = rows.condition(seen.volume, kind).get("status") == "True"
        if not is_true and not _is_usual(reason, message):
            return reason, message
    return None


def _is_usual(reason: str, message: str) -> bool:
    return reason in _USUAL or (reason in _STARTING and not message)


def _remedy(reason: str) -> str:
    return REMEDIES.get(reason, "see the message")


def _again(remedy: str) -> str:
    return f"{remedy}; {_BY_ITSELF}"


# The steps, in the order in which things happen.


def _deleted(seen: Seen) -> Explanation | None:
    if not objects.is_deleting(seen.volume):
        return None
    held = ", ".join(objects.finalizers(seen.volume)) or "its dependents"
    since = rows.moment(objects.metadata(seen.volume).get("deletionTimestamp"))
    return Explanation(f"its deletion, held by {held}", "nothing, for now", since)


def _done(seen: Seen) -> Explanation | None:
    if _phase(seen) != Phase.SUCCEEDED:
        return None
    since = _changed(seen, "Ready")
    do = "use its claim in a pod"
    return Explanation("nothing: the volume is filled", do, since, settled=True)


def _failed(seen: Seen) -> Explanation | None:
    if _phase(seen) != Phase.FAILED:
        return None
    reason, message = _said(seen, "Running")
    if not reason and not message:
        reason, message = _said(seen, "Bound")
    remedy = REMEDIES.get(reason, "see the message, remove its cause")
    return Explanation(
        f"nothing: it failed for good: {_joined(reason, message)}",
        f"{remedy}, then delete the {seen.noun} and apply it again",
        _changed(seen, "Ready"),
    )


def _unseen(seen: Seen) -> Explanation | None:
    if _phase(seen) or objects.get(seen.volume, "status", "conditions"):
        return None
    created = _created(seen.volume)
    if created and seen.now - created > _UNSEEN_FOR:
        return Explanation(
            "CDI's controllers: none has looked at it", "see whether cdi controller runs", created
        )
    return Explanation("CDI's controllers to look at it", "nothing, for now", created)


def _without_claim(seen: Seen) -> Explanation | None:
    if seen.claim is not None:
        return None
    reason, message = _said(seen, "Bound")
    return Explanation(
        f"its claim to be created: {_joined(reason, message)}",
        "nothing, for now" if reason in _USUAL else _again(_remedy(reason)),
        _changed(seen, "Bound"),
    )


def _consumer(seen: Seen) -> Explanation | None:
    if _phase(seen) not in (Phase.WAIT_FOR_FIRST_CONSUMER, Phase.PENDING_POPULATION):
        return None
    kind = objects.get(seen.claim, "spec", "storageClassName", default="")
    return Explanation(
        f"a pod that uses claim {objects.name(seen.volume)}, as StorageClass {kind} demands",
        "start what uses it, or create the DataVolume with annotation "
        f"{annotations.BIND_IMMEDIATE}",
        _changed(seen, "Bound"),
    )


def _cloning(seen: Seen) -> Explanation | None:
    if seen.claim is None or not cloning.is_clone(seen.claim):
        return None
    what, remedy = cloning.waits_for(seen.claim)
    do = _again(remedy) if remedy else "nothing: it is at work"
    return Explanation(what, do, _changed(seen, "Running"))


def _unbound(seen: Seen) -> Explanation | None:
    claim = seen.prime or seen.claim
    if objects.get(claim, "status", "phase") == phases.Claim.BOUND:
        return None
    name = objects.get(seen.claim, "spec", "storageClassName")
    if name and seen.storage_class is None and "storageclasses" not in seen.hidden:
        what = f"StorageClass {name}, which does not exist"
        return Explanation(what, "create it, or name another class", _changed(seen, "Bound"))
    warned = _newest_warning(seen)
    told = warned[1] if warned else _said(seen, "Bound")[1]
    return Explanation(
        f"a volume for claim {objects.name(claim or {})}" + (f": {told}" if told else ""),
        "see whether the provisioner of its StorageClass runs",
        _changed(seen, "Bound"),
    )


def _without_pod(seen: Seen) -> Explanation | None:
    if seen.pod is not None or "pods" in seen.hidden:
        return None
    reason, message = _trouble(seen) or _newest_warning(seen, _IN_USE) or ("", "")
    why = _joined(reason, message)
    return Explanation(
        f"its {_worker(seen)} pod to be created" + (f": {why}" if why else ""),
        _again(_remedy(reason)) if why else "nothing, for now",
        _changed(seen, "Running"),
    )


def _uploadable(seen: Seen) -> Explanation | None:
    if _phase(seen) != Phase.UPLOAD_READY:
        return None
    name = objects.name(seen.volume)
    kind = "dv" if seen.noun == "DataVolume" else "pvc"
    reason, message = _said(seen, "Running")
    failed = f", after {message} ({reason})" if message else ""
    remedy = f"{_remedy(reason)}, then " if message else ""
    return Explanation(
        f"somebody to send the disk{failed}",
        f"{remedy}cdi image-upload {kind} {name} --image-path FILE",
        _changed(seen, "Running"),
    )


def _unscheduled(seen: Seen) -> Explanation | None:
    for each in objects.get(seen.pod, "status", "conditions", default=[]):
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            return Explanation(
                f"a node for pod {objects.name(seen.pod or {})}: {each.get('message', '')}",
                f"see kubectl describe pod {objects.name(seen.pod or {})}",
                rows.moment(each.get("lastTransitionTime")),
            )
    return None


def _retried(seen: Seen) -> Explanation | None:
    reason, message = _said(seen, "Running")
    status = rows.condition(seen.volume, "Running").get("status")
    if status == "True" or reason in _STARTING or _is_usual(reason, message):
        return None
    what = f"another attempt, after {_joined(reason, message)}"
    return Explanation(what, _again(_remedy(reason)), _changed(seen, "Running"))


def _starting(seen: Seen) -> Explanation | None:
    for each in objects.get(seen.pod, "status", "containerStatuses", default=[]):
        waiting = objects.get(each, "state", "waiting")
        if waiting is not None:
            why = _joined(waiting.get("reason", ""), waiting.get("message", ""))
            return Explanation(
                f"its {_worker(seen)} to start: {why}",
                "nothing, for now",
                _created(seen.pod or {}),
            )
    return None


def _running(seen: Seen) -> Explanation | None:
    since = rows.started(seen.pod)
    if since is None or rows.is_upload(seen.volume, seen.claim):
        return None
    row = rows.row_for(seen.volume, seen.prime or seen.claim, seen.pod, seen.now)
    parts = ["the bytes"]
    if row.progress is not None:
        parts.append(f"{row.progress:.1f}% are there")
    if row.rate:
        parts.append(f"{format_bytes(row.rate)}/s")
    if row.progress and row.progress > 0:
        left = (seen.now - since) * (100.0 / row.progress - 1)
        parts.append(f"about {_span(left)} left")
    return Explanation(", ".join(parts), "nothing: it is at work", since)


def _paused(seen: Seen) -> Explanation | None:
    if _phase(seen) != Phase.PAUSED:
        return None
    return Explanation(
        "the next checkpoint of a multi-stage import",
        "add it to spec.checkpoints, or set spec.finalCheckpoint",
        _changed(seen, "Running"),
    )


_STEPS: Final[Sequence[Callable[[Seen], Explanation | None]]] = (
    _deleted,
    _done,
    _failed,
    _unseen,
    _without_claim,
    _consumer,
    _cloning,
    _unbound,
    _paused,
    _uploadable,
    _without_pod,
    _unscheduled,
    _retried,
    _running,
    _starting,
)


def _worker(seen: Seen) -> str:
    return "upload server" if rows.is_upload(seen.volume, seen.claim) else "importer"


def _phase(seen: Seen) -> str:
    return str(objects.get(seen.volume, "status", "phase", default=""))


def _said(seen: Seen, kind: str) -> tuple[str, str]:
    found = rows.condition(seen.volume, kind)
    return failures.precise(str(found.get("reason") or ""), str(found.get("message") or ""))


def _changed(seen: Seen, kind: str) -> datetime | None:
    found = rows.condition(seen.volume, kind)
    return rows.moment(found.get("lastTransitionTime"))


def _created(obj: Object) -> datetime | None:
    return rows.moment(objects.metadata(obj).get("creationTimestamp"))


def _newest_warning(seen: Seen, reasons: Container[str] = ()) -> tuple[str, str] | None:
    """Reason and message of the newest warning about the claim, with one of `reasons` if given."""
    found = [
        (
            str(event.get("lastTimestamp") or event.get("eventTime") or ""),
            str(event.get("reason") or ""),
            str(event["message"]),
        )
        for event in seen.events
        if event.get("type") == "Warning"
        and objects.get(event, "involvedObject", "kind") == "PersistentVolumeClaim"
        and event.get("message")
        and (not reasons or event.get("reason") in reasons)
    ]
    return max(found)[1:] if found else None


def _joined(reason: str, message: str) -> str:
    return ": ".join(part for part in (reason, message) if part)


def _ago(span: timedelta) -> str:
    return f"{_span(span)} ago"


def _span(span: timedelta) -> str:
    seconds = max(0, round(span.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h"
