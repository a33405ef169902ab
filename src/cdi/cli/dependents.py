"""
What a DataSource, a DataImportCron or a pod is waiting for: pure functions.

Each is given what was found out about the volumes that it depends on; how those are explained is
in `explanation`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cdi.api import annotations, phases, reasons
from cdi.cli import rows
from cdi.cli.explanation import Explanation
from cdi.kube import objects
from cdi.kube.objects import Object

_UNSEEN_FOR: Final = timedelta(seconds=15)
_SHOWN: Final = len("sha256:") + 12  # characters of a digest
_NOTHING: Final = "nothing, for now"

_SOURCE_REMEDIES: Final[Mapping[str, str]] = {
    reasons.SOURCE_NOT_FOUND: "make what spec.source names, or correct it",
    reasons.SNAPSHOT_NOT_READY: "see what holds the snapshot, with kubectl describe volumesnapshot",
    reasons.NO_SOURCE: "set spec.source",
    reasons.MAX_REFERENCE_DEPTH: "name a claim, a snapshot or a DataSource that names one itself",
    reasons.SELF_REFERENCE: "let spec.source name something else than itself",
    reasons.CROSS_NAMESPACE_REFERENCE: "name a DataSource of the same namespace",
}
_CRON_REMEDIES: Final[Mapping[str, str]] = {
    reasons.NOT_AUTHORIZED: "let its service account clone the source",
    reasons.ERR_DATA_SOURCE_MANAGED: "let spec.managedDataSource name another DataSource",
    reasons.NO_DIGEST: "wait for its poller, or see what holds it with kubectl get jobs -A",
    reasons.POLL_FAILED: "mend what the message says; it is looked at again on schedule",
    reasons.INVALID_DIGEST: f"correct annotation {annotations.DESIRED_DIGEST}",
    reasons.OUTDATED: _NOTHING,
    reasons.CRON_IMPORT_SCHEDULED: _NOTHING,
    reasons.CRON_IMPORT_PROGRESSING: _NOTHING,
}


@dataclass(frozen=True, slots=True)
class Needed:
    """A volume that something depends on."""

    name: str
    explanation: Explanation | None  # None: it does not exist

    @property
    def ready(self) -> bool:
        return self.explanation is not None and self.explanation.settled

    def wait(self) -> Explanation:
        """What whoever needs it waits for."""
        if self.explanation is None:
            return Explanation(
                f"volume {self.name}, which does not exist", "make it, or name another one"
            )
        return replace(
            self.explanation, waits_for=f"volume {self.name}: {self.explanation.waits_for}"
        )


def explanation_of_source(source: Object, needed: Sequence[Needed], now: datetime) -> Explanation:
    """Explain a DataSource."""
    ready = rows.condition(source, "Ready")
    if ready.get("status") == "True":
        since = rows.moment(ready.get("lastTransitionTime"))
        return Explanation(
            "nothing: it can be cloned from", "name it in sourceRef", since, settled=True
        )
    for each in needed:
        if not each.ready:
            return each.wait()
    if not ready:
        return _unseen(source, now)
    return _by_reason("its source", ready, _SOURCE_REMEDIES)


def explanation_of_cron(cron: Object, needed: Sequence[Needed], now: datetime) -> Explanation:
    """Explain a DataImportCron."""
    current = rows.condition(cron, "UpToDate")
    at_work = rows.condition(cron, "Progressing")
    if not current and not at_work:
        return _unseen(cron, now)
    if current.get("status") == "True":
        return _current(cron, at_work)
    for each in needed:
        if not each.ready:
            return each.wait()
    in_the_way = (reasons.OUTDATED, reasons.NO_DIGEST)
    idle = at_work.get("reason") in (None, reasons.NO_IMPORT)
    stated = at_work if current.get("reason") in in_the_way and not idle else current
    return _by_reason("its next import", stated, _CRON_REMEDIES)


def _current(cron: Object, at_work: Object) -> Explanation:
    """The newest image is imported, as far as anybody knows."""
    since = rows.moment(objects.get(cron, "status", "lastImportTimestamp"))
    if at_work.get("reason") == reasons.POLL_FAILED:
        return _by_reason("an answer about newer images", at_work, _CRON_REMEDIES)
    digest = objects.get(cron, "status", "currentImports", 0, "Digest", default="")
    named = f" ({str(digest)[:_SHOWN]})" if digest else ""
    looked = objects.get(cron, "status", "lastExecutionTimestamp")
    again = objects.annotations(cron).get(annotations.NEXT_CRON_TIME)
    when = f"; looked at {looked}" if looked else ""
    when += f"; the next look is at {again}" if again else ""
    return Explanation(
        f"nothing: the newest image{named} is imported{when}", "use its DataSource", since
    )


def explanation_of_pod(pod: Object, needed: Sequence[Needed]) -> Explanation:
    """Explain a pod that is none of ours."""
    phase = objects.get(pod, "status", "phase", default="")
    name = objects.name(pod)
    if phase in (phases.Pod.SUCCEEDED, phases.Pod.FAILED):
        return Explanation(f"nothing: it has ended: {phase}", f"see kubectl logs {name}")
    for each in needed:
        if not each.ready:
            return each.wait()
    for stated in objects.get(pod, "status", "conditions", default=[]):
        if stated.get("type") == "PodScheduled" and stated.get("status") == "False":
            return _by_reason("a node", stated, {})
    for status in objects.get(pod, "status", "containerStatuses", default=[]):
        waiting = objects.get(status, "state", "waiting")
        if waiting is not None:
            return _by_reason(f"container {status.get('name')}", waiting, {})
    if phase == phases.Pod.RUNNING:
        return Explanation("nothing: it runs", f"see kubectl logs {name}", rows.started(pod))
    return Explanation("its node to start it", f"see kubectl describe pod {name}")


def _unseen(obj: Object, now: datetime) -> Explanation:
    created = rows.moment(objects.metadata(obj).get("creationTimestamp"))
    if created and now - created > _UNSEEN_FOR:
        return Explanation(
            "CDI's controllers: none has looked at it", "see whether cdi controller runs", created
        )
    return Explanation("CDI's controllers to look at it", _NOTHING, created)


def _by_reason(what: str, stated: Object, remedies: Mapping[str, str]) -> Explanation:
    reason, message = str(stated.get("reason") or ""), str(stated.get("message") or "")
    why = ": ".join(part for part in (reason, message) if part)
    remedy = remedies.get(reason, "see the message, or kubectl describe")
    return Explanation(
        f"{what}: {why}" if why else what, remedy, rows.moment(stated.get("lastTransitionTime"))
    )
