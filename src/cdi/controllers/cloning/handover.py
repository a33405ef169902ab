"""Phase Rebind: the volume of the temporary claim becomes the target's."""

from __future__ import annotations

from cdi.controllers.cloning.outcome import DONE, CannotClone, Outcome
from cdi.controllers.cloning.seen import Seen
from cdi.controllers.populating.rebind import rebind
from cdi.kube import objects


def hand_over(seen: Seen) -> Outcome:
    """Done once the target names the volume."""
    if objects.get(seen.target, "spec", "volumeName"):
        return DONE
    temporary = seen.temporaries.claim
    if temporary is None:
        raise CannotClone("the temporary claim has gone before its volume was handed over")
    return Outcome(wanted=rebind(seen.temporaries.claim_volume, temporary, seen.target))
