"""
Imports in several stages: which checkpoint comes next, and when all are done.

The state is in annotations of the importing claim; every function returns the annotations to
change, with None for those to take off. A stage that is copied is marked with the UID of the pod
that copied it, and finished or followed by the next one in the pass after that, so that a crash
between the two copies nothing twice.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cdi.api import annotations, phases
from cdi.kube import objects
from cdi.kube.objects import Object

Checkpoints = Sequence[Mapping[str, Any]]


def in_progress(claim: Object) -> bool:
    """Whether a claim is between its first and its last stage."""
    given = objects.annotations(claim)
    return annotations.CHECKPOINT_CURRENT in given and annotations.CHECKPOINT_DONE not in given


def are_missing(claim: Object, checkpoints: Checkpoints) -> bool:
    """Whether a claim should have checkpoints, and has never heard of them."""
    given = objects.annotations(claim)
    known = annotations.CHECKPOINT_CURRENT in given or annotations.CHECKPOINT_DONE in given
    return bool(checkpoints) and not known


def first(checkpoints: Checkpoints, *, final: bool) -> dict[str, str | None]:
    """The annotations with which a new import begins; none where it has one stage."""
    usable = [number for number, each in enumerate(checkpoints) if each.get("current")]
    return _stage(checkpoints, usable[0], final=final) if usable else {}


def after_stage(claim: Object, checkpoints: Checkpoints, *, final: bool) -> dict[str, str | None]:
    """What changes once the pod of the current stage has succeeded; empty while all is waited for.

    Whether a stage is the last one is judged anew each time: a list may be declared complete
    after its last stage was copied.
    """
    given = objects.annotations(claim)
    mark = annotations.checkpoint_copied(given.get(annotations.CHECKPOINT_CURRENT, ""))
    pod = given.get(annotations.CHECKPOINT_POD, "")
    if mark not in given and pod not in (given[key] for key in _marks(given)):
        return {mark: pod}
    waiting = [
        number
        for number, each in enumerate(checkpoints)
        if each.get("current") and annotations.checkpoint_copied(each["current"]) not in given
    ]
    if waiting:
        again: dict[str, str | None] = {
            annotations.POD_PHASE: phases.Pod.UNKNOWN.value,
            annotations.IMPORT_POD: None,
        }
        return _stage(checkpoints, waiting[0], final=final) | again
    last_known = given.get(annotations.CHECKPOINT_FINAL) == annotations.TRUE
    if last_known or (final and checkpoints):
        return _finished(given)
    return {}


def _stage(checkpoints: Checkpoints, number: int, *, final: bool) -> dict[str, str | None]:
    stage = checkpoints[number]
    last = final and number == len(checkpoints) - 1
    return {
        annotations.CHECKPOINT_CURRENT: str(stage["current"]),
        annotations.CHECKPOINT_PREVIOUS: str(stage.get("previous") or ""),
        annotations.CHECKPOINT_FINAL: annotations.TRUE if last else annotations.FALSE,
    }


def _finished(given: Mapping[str, str]) -> dict[str, str | None]:
    gone = (
        annotations.CHECKPOINT_CURRENT,
        annotations.CHECKPOINT_PREVIOUS,
        annotations.CHECKPOINT_FINAL,
        annotations.CHECKPOINT_POD,
    )
    removed: dict[str, str | None] = dict.fromkeys([*gone, *_marks(given)])
    return {**removed, annotations.CHECKPOINT_DONE: annotations.TRUE}


def _marks(given: Mapping[str, str]) -> list[str]:
    """The keys that mark stages as copied."""
    return [key for key in given if key.startswith(f"{annotations.CHECKPOINT_COPIED}.")]
