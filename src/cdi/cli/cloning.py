"""What the clone of a claim is waiting for, in words for people: pure functions."""

from collections.abc import Mapping
from typing import Final

from cdi.api import annotations, phases
from cdi.kube import objects
from cdi.kube.objects import Object

_CLONE_SOURCE: Final = "VolumeCloneSource"
_PHASES: Final[Mapping[str, str]] = {
    "": "the clone to begin",
    phases.Clone.PENDING: "the clone to begin",
    phases.Clone.SNAPSHOT: "a snapshot of its source",
    phases.Clone.SNAPSHOT_CLONE: "the storage to restore a snapshot",
    phases.Clone.CSI_CLONE: "the storage to clone its source",
    phases.Clone.HOST_CLONE: "a pod that copies its source",
    phases.Clone.PREP_CLAIM: "the storage to make the clone as large as is wanted",
    phases.Clone.REBIND: "the clone to be handed over",
    phases.Clone.SUCCEEDED: "the controllers' next step",
}


def is_clone(claim: Object | None) -> bool:
    """Whether a claim is filled with the content of another one, or of a snapshot."""
    kind = objects.get(claim, "spec", "dataSourceRef", "kind")
    return kind == _CLONE_SOURCE or annotations.CLONE_REQUEST in objects.annotations(claim or {})


def waits_for(claim: Object) -> tuple[str, str]:
    """What the clone into a claim waits for, and what to do about it; nothing if it is at work."""
    given = objects.annotations(claim)
    if error := given.get(annotations.CLONE_ERROR):
        return f"another attempt at the clone, after: {error}", "see the message"
    phase = given.get(annotations.CLONE_PHASE, "")
    if annotations.CLONE_REQUEST in given:
        phase = phases.Clone.HOST_CLONE
    what = _PHASES.get(phase, "the clone")
    said = given.get(annotations.RUNNING_MESSAGE, "")
    if said and given.get(annotations.POD_PHASE) != phases.Pod.SUCCEEDED:
        return f"{what}: {said}", "see the message"
    progress = given.get(annotations.POPULATOR_PROGRESS, "")
    return (f"{what}, {progress} is done" if progress.endswith("%") else what), ""
