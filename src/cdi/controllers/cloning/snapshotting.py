"""Phase Snapshot: the storage takes a snapshot of the source."""

from __future__ import annotations

from cdi.controllers import kinds, plan
from cdi.controllers.cloning import attempt, snapshotclass, temporaries
from cdi.controllers.cloning.outcome import DONE, CannotClone, Outcome, step, wait
from cdi.controllers.cloning.seen import Seen
from cdi.controllers.origins import use
from cdi.kube import objects


def take_snapshot(seen: Seen) -> Outcome:
    """Done once the snapshot is cut: from then on the source may be written again."""
    found = seen.temporaries.snapshot
    if found is None:
        return _take(seen)
    if objects.get(found, "status", "creationTime"):
        return DONE
    error = objects.get(found, "status", "error", "message")
    if attempt.is_hopeless(seen, found, failing=bool(error)):
        return attempt.given_up(seen, str(error or "the snapshot is not taken"))
    return wait(str(error or "the snapshot is being taken"), attempt.LOOK_AGAIN)


def _take(seen: Seen) -> Outcome:
    origin = seen.cloned
    if seen.temporaries.claim is not None:
        return DONE  # restored already, and the snapshot has gone since
    if busy := use.busy(origin):
        return attempt.source_busy(seen, busy)
    driver = snapshotclass.driver_of(seen, seen.target, None)
    selected = snapshotclass.select(seen, [seen.target], driver)
    if selected is None:
        raise CannotClone(f"no VolumeSnapshotClass has driver {driver} any longer; create one")
    wanted = temporaries.snapshot_for(seen, selected.name)
    return step(plan.Create(kinds.SNAPSHOTS, wanted))
