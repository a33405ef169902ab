"""
What one DataVolume is doing, in one row: from the DataVolume, its claim and its worker.

Pure. Rates are bytes of the disk a second, on average since the worker was started.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cdi.api import annotations, failures, names, phases, quantity
from cdi.kube import objects
from cdi.kube.objects import Object

_PERCENT: Final = 100.0
Phase = phases.DataVolume

_UPLOADED: Final = "VolumeUploadSource"


@dataclass(frozen=True, slots=True)
class Row:
    """One volume."""

    namespace: str
    name: str
    phase: str
    progress: float | None = None  # percent
    rate: float | None = None
    reason: str = ""
    message: str = ""
    restarts: int = 0

    @property
    def final(self) -> bool:
        return self.phase in (Phase.SUCCEEDED, Phase.FAILED)

    def as_document(self) -> dict[str, Any]:
        """Return the row as JSON shows it."""
        return {
            "namespace": self.namespace,
            "name": self.name,
            "phase": self.phase,
            "progress": self.progress,
            "bytesPerSecond": None if self.rate is None else round(self.rate),
            "reason": self.reason,
            "message": self.message,
            "restarts": self.restarts,
        }


def worker_of(volume: Object, claim: Object | None) -> str:
    """Return the name of the pod that fills a volume, whether or not it exists."""
    given = objects.annotations(claim or {})
    filled = given.get(annotations.PVC_PRIME) or objects.name(volume)
    if is_upload(volume, claim):
        return names.upload_pod_for(filled)
    return names.importer_for(filled, given.get(annotations.CHECKPOINT_CURRENT, ""))


def is_upload(volume: Object, claim: Object | None) -> bool:
    """Whether somebody is to send the disk, as a DataVolume or a claim of its own says."""
    if objects.get(volume, "spec", "source", "upload") is not None:
        return True
    source = objects.get(claim, "spec", "dataSourceRef", "kind")
    return annotations.UPLOAD_TARGET in objects.annotations(claim or {}) or source == _UPLOADED


def row_for(volume: Object, claim: Object | None, pod: Object | None, now: datetime) -> Row:
    """Sum up one volume."""
    phase = str(objects.get(volume, "status", "phase", default=""))
    progress = _progress(volume)
    under_way = phase == Phase.IMPORT_IN_PROGRESS
    reason, message = _reason(volume, phase)
    return Row(
        namespace=objects.namespace(volume),
        name=objects.name(volume),
        phase=phase,
        progress=progress,
        rate=_rate(progress, claim, pod, now) if under_way else None,
        reason=reason,
        message=message,
        restarts=int(objects.get(volume, "status", "restartCount", default=0)),
    )


def condition(volume: Object, kind: str) -> Object:
    """Return one of the conditions of a DataVolume; empty if it has none of the kind."""
    found = objects.get(volume, "status", "conditions", default=[])
    return next((dict(each) for each in found if each.get("type") == kind), {})


def moment(text: object) -> datetime | None:
    """Return a time as Kubernetes writes it; None where it is missing or no time."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC) if text else None
    except ValueError:
        return None


def started(pod: Object | None) -> datetime | None:
    """Return when the worker's process started, if it runs."""
    statuses = objects.get(pod, "status", "containerStatuses", default=[])
    for each in statuses:
        if at := moment(objects.get(each, "state", "running", "startedAt")):
            return at
    return None


def _progress(volume: Object) -> float | None:
    text = str(objects.get(volume, "status", "progress", default=""))
    try:
        return float(text.removesuffix("%"))
    except ValueError:
        return None


def _rate(
    progress: float | None, claim: Object | None, pod: Object | None, now: datetime
) -> float | None:
    since = started(pod)
    size = objects.get(claim, "spec", "resources", "requests", "storage")
    if progress is None or since is None or size is None or now <= since:
        return None
    try:
        total = quantity.parse(str(size)).value()
    except ValueError:
        return None
    return total * progress / _PERCENT / (now - since).total_seconds()


def _reason(volume: Object, phase: str) -> tuple[str, str]:
    """The condition that says why the volume is not filled, as reason and message."""
    if phase == Phase.SUCCEEDED:
        return "", ""
    if phase == Phase.UPLOAD_READY:
        # The server is up, and may have something to say of the last upload.
        return failures.precise("", str(condition(volume, "Running").get("message") or ""))
    for kind in ("Running", "Bound"):
        found = condition(volume, kind)
        if found.get("status") != "True" and (found.get("reason") or found.get("message")):
            said = str(found.get("reason") or ""), str(found.get("message") or "")
            return failures.precise(*said)
    return "", ""
