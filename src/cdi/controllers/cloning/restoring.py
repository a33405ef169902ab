"""Phase SnapshotClone: the storage makes a claim from a snapshot."""

from __future__ import annotations

from cdi.controllers.clonesource import SNAPSHOT, CloneSource
from cdi.controllers.cloning import attempt, temporaries
from cdi.controllers.cloning.outcome import CannotClone, Outcome, wait
from cdi.controllers.cloning.seen import Seen
from cdi.controllers.cloning.strategy import restore_size
from cdi.kube import objects
from cdi.kube.objects import Object


def restore(seen: Seen) -> Outcome:
    """The temporary claim from the snapshot: the one that is cloned, or the one we have taken."""
    if seen.temporaries.claim is not None:
        return attempt.bound(seen, seen.temporaries.claim)
    origin = seen.cloned
    snapshot = origin.object if origin.is_snapshot else seen.temporaries.snapshot
    if snapshot is None:
        raise CannotClone("the snapshot has gone; what it was taken for is made again")
    if not _is_ready(snapshot):
        return _awaited(seen, snapshot)
    size = restore_size(snapshot)
    if size is None:
        raise CannotClone(f"VolumeSnapshot {objects.name(snapshot)} does not show its restoreSize")
    source = CloneSource(SNAPSHOT, seen.source_namespace, objects.name(snapshot))
    wanted = temporaries.claim_for(seen, size=size or None, source=temporaries.reference_to(source))
    return attempt.made(seen, wanted)


def restore_source(seen: Seen) -> Outcome:
    """A claim from the snapshot that pods can read, where the target's storage cannot restore."""
    if seen.temporaries.source_claim is not None:
        return attempt.bound(seen, seen.temporaries.source_claim, may_fall_back=False)
    if not _is_ready(seen.cloned_object):
        return wait(f"{seen.cloned.source} is not ready to use yet")
    return attempt.made(seen, temporaries.source_claim_for(seen))


def _is_ready(snapshot: Object) -> bool:
    return objects.get(snapshot, "status", "readyToUse") is True


def _awaited(seen: Seen, snapshot: Object) -> Outcome:
    name, error = objects.name(snapshot), objects.get(snapshot, "status", "error", "message")
    if not seen.cloned.is_snapshot and attempt.is_hopeless(seen, snapshot, failing=bool(error)):
        return attempt.given_up(seen, str(error or f"VolumeSnapshot {name} does not become ready"))
    return wait(str(error or f"VolumeSnapshot {name} is not ready to use yet"), attempt.LOOK_AGAIN)
