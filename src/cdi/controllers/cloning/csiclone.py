"""Phase CSIClone: the storage clones the source into the temporary claim."""

from __future__ import annotations

from cdi.api import quantity
from cdi.controllers.cloning import attempt, temporaries
from cdi.controllers.cloning.outcome import Outcome
from cdi.controllers.cloning.seen import Seen
from cdi.controllers.origins import use
from cdi.kube import objects


def csi_clone(seen: Seen) -> Outcome:
    """Done once the temporary claim is bound, or only waits for a pod."""
    origin = seen.cloned
    if seen.temporaries.claim is not None:
        return attempt.bound(seen, seen.temporaries.claim)
    if busy := use.busy(origin):
        return attempt.source_busy(seen, busy)
    capacity = objects.get(origin.object, "status", "capacity", "storage", default="0")
    size = quantity.parse(str(capacity)).value()
    source = temporaries.reference_to(origin.source)
    return attempt.made(seen, temporaries.claim_for(seen, size=size, source=source))
