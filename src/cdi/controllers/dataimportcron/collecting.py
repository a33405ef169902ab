"""
Old imports go: those that were used longest ago, beyond as many as are to be kept.

Claims and snapshots are counted separately. The newest import, and whatever the DataSource names,
never go, however few are to be kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cdi.controllers import kinds, plan
from cdi.controllers.dataimportcron import marks
from cdi.controllers.dataimportcron.draft import Draft
from cdi.controllers.dataimportcron.seen import Product, Seen
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS

NEVER: Final = "Never"
_KEPT: Final = 3


def collect(draft: Draft, newest: str) -> None:
    """Remove what is too old; `newest` is the import that has just been found good."""
    seen = draft.seen
    if seen.spec.get("garbageCollect") == NEVER:
        return
    for name in too_many(seen, newest, lambda each: each.claim):
        product = seen.products[name]
        if product.volume is not None:
            draft.after.append(plan.Remove(kinds.DATA_VOLUMES, product.volume))
        elif product.claim is not None:
            draft.after.append(plan.Remove(PERSISTENT_VOLUME_CLAIMS, product.claim))
    for name in too_many(seen, newest, lambda each: each.snapshot):
        if (snapshot := seen.products[name].snapshot) is not None:
            draft.after.append(plan.Remove(kinds.SNAPSHOTS, snapshot))


def too_many(seen: Seen, newest: str, part: Callable[[Product], Object | None]) -> list[str]:
    """The names of imports whose claim, or snapshot, goes."""
    there = {
        product.name: found
        for product in seen.products.values()
        if (found := part(product)) is not None and not objects.is_deleting(found)
    }
    said = seen.spec.get("importsToKeep")
    kept = _KEPT if said is None else int(said)
    by_use = sorted(there, key=lambda name: marks.last_use(there[name]), reverse=True)
    spared = {newest, _named(seen)}
    return [name for name in by_use[kept:] if name not in spared]


def _named(seen: Seen) -> str:
    """The import that the DataSource names now, which may not be the newest."""
    source: Object = objects.get(seen.data_source, "spec", "source", default={})
    return next((str(each.get("name")) for each in source.values() if each), "")
