"""Which phases make up a strategy, in order. Each may be run again, and is where it has ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from cdi.api.phases import Clone
from cdi.controllers.clonesource import CLAIM, SNAPSHOT
from cdi.controllers.cloning.copying import copy_claim, copy_restored
from cdi.controllers.cloning.csiclone import csi_clone
from cdi.controllers.cloning.handover import hand_over
from cdi.controllers.cloning.outcome import CannotClone, Outcome
from cdi.controllers.cloning.preparing import prepare, prepare_source
from cdi.controllers.cloning.restoring import restore, restore_source
from cdi.controllers.cloning.seen import Seen
from cdi.controllers.cloning.snapshotting import take_snapshot
from cdi.storage import capabilities as by

Phase: TypeAlias = tuple[Clone, Callable[[Seen], Outcome]]

_END: Final[tuple[Phase, ...]] = ((Clone.PREP_CLAIM, prepare), (Clone.REBIND, hand_over))

_PHASES: Final[Mapping[tuple[str, str], tuple[Phase, ...]]] = {
    (CLAIM, by.CSI_CLONE): ((Clone.CSI_CLONE, csi_clone), *_END),
    (CLAIM, by.SNAPSHOT): (
        (Clone.SNAPSHOT, take_snapshot),
        (Clone.SNAPSHOT_CLONE, restore),
        *_END,
    ),
    (CLAIM, by.COPY): ((Clone.HOST_CLONE, copy_claim), (Clone.REBIND, hand_over)),
    (SNAPSHOT, by.SNAPSHOT): ((Clone.SNAPSHOT_CLONE, restore), *_END),
    (SNAPSHOT, by.COPY): (
        (Clone.SNAPSHOT_CLONE, restore_source),
        (Clone.PREP_CLAIM, prepare_source),
        (Clone.HOST_CLONE, copy_restored),
        (Clone.REBIND, hand_over),
    ),
}


def phases_of(kind: str, strategy: str) -> tuple[Phase, ...]:
    """The phases for a kind of source. Raises CannotClone."""
    found = _PHASES.get((kind, strategy))
    if found is None:
        raise CannotClone(f"unknown strategy/source: a {kind} cannot be cloned by {strategy!r}")
    return found


def advance(seen: Seen, strategy: str) -> tuple[Clone, Outcome]:
    """The first phase that is not done, and what it does; SUCCEEDED once all are."""
    for name, phase in phases_of(seen.cloned.source.kind, strategy):
        try:
            outcome = phase(seen)
        except CannotClone as error:
            return name, Outcome(note=str(error), failed=error)
        if not outcome.done:
            return name, outcome
    return Clone.SUCCEEDED, Outcome(done=True)
