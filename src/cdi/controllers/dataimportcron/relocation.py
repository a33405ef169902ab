"""
Imports follow their storage class: a default that moves, or a cron made anew with another class.

What was imported on the old class goes first, and only then is the new class noted, so that a
pass that died in between goes on removing.
"""

from cdi.api import annotations, phases
from cdi.controllers import kinds, plan
from cdi.controllers.dataimportcron.draft import Draft
from cdi.controllers.dataimportcron.seen import Product, name_for
from cdi.kube import objects
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS


def relocate(draft: Draft) -> bool:
    """Let imports be on the class that is wanted; whether the pass has to end for it."""
    seen = draft.seen
    if not seen.class_name:
        return False
    noted = draft.annotation(annotations.STORAGE_CLASS)
    if noted and noted != seen.class_name and _removed(draft):
        return True
    draft.annotations[annotations.STORAGE_CLASS] = seen.class_name
    return _waits_elsewhere(draft)


def _removed(draft: Draft) -> bool:
    """Remove the wanted version from the old class; whether there was anything left of it."""
    seen = draft.seen
    digest = draft.annotation(annotations.DESIRED_DIGEST)
    product = seen.product(name_for(seen.cron, digest)) if digest else Product("")
    for resource, found in (
        (kinds.SNAPSHOTS, product.snapshot),
        (kinds.DATA_VOLUMES, product.volume),
        (PERSISTENT_VOLUME_CLAIMS, product.claim),
    ):
        if found is not None and not objects.is_deleting(found):
            draft.before.append(plan.Remove(resource, found))
    return bool(product.there)


def _waits_elsewhere(draft: Draft) -> bool:
    """A claim that has no volume yet and asks for another class is made again."""
    seen = draft.seen
    current = seen.current or {}
    claim = seen.product(str(current.get("DataVolumeName", ""))).claim
    if claim is None or objects.get(claim, "status", "phase") != phases.Claim.PENDING:
        return False
    asked = objects.get(claim, "spec", "storageClassName")
    if asked == seen.class_name or objects.is_deleting(claim):
        return bool(objects.is_deleting(claim))
    draft.before.append(plan.Remove(PERSISTENT_VOLUME_CLAIMS, claim))
    return True
