"""
A cron goes: with its poller, and with what it has made if that is not to outlive it.

The cron's finalizer is let go of last, so that nothing is left behind whenever we die.
"""

from typing import Final

from cdi.api import annotations, finalizers, labels
from cdi.controllers import kinds, plan
from cdi.controllers.dataimportcron.seen import Seen
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import CRON_JOBS, PERSISTENT_VOLUME_CLAIMS, Resource

_FINALIZER: Final = finalizers.DATA_IMPORT_CRON


def held(seen: Seen) -> plan.Plan | None:
    """The plan that gives a new cron its finalizer; None where it has it."""
    have = objects.finalizers(seen.cron)
    return None if _FINALIZER in have else _with_finalizers(seen.cron, [*have, _FINALIZER])


def clean_up(seen: Seen) -> plan.Plan:
    """Remove what goes with a cron that is being deleted."""
    have = objects.finalizers(seen.cron)
    if _FINALIZER not in have:
        return plan.NOTHING
    steps = [plan.Remove(resource, found) for resource, found in _doomed(seen)]
    kept = [each for each in have if each != _FINALIZER]
    return plan.Plan(tuple(steps)).then(_with_finalizers(seen.cron, kept))


def _doomed(seen: Seen) -> list[tuple[Resource, Object]]:
    found: list[tuple[Resource, Object]] = []
    if seen.cron_job is not None:
        found.append((CRON_JOBS, seen.cron_job))
    if seen.data_source is not None and _goes(seen.data_source, seen):
        found.append((kinds.DATA_SOURCES, seen.data_source))
    for product in seen.products.values():
        for resource, each in (
            (kinds.DATA_VOLUMES, product.volume),
            (PERSISTENT_VOLUME_CLAIMS, product.claim),
            (kinds.SNAPSHOTS, product.snapshot),
        ):
            if each is not None and _goes(each, seen) and not objects.is_deleting(each):
                found.append((resource, each))
    return found


def _goes(obj: Object, seen: Seen) -> bool:
    there = objects.labels(obj)
    ours = there.get(labels.DATA_IMPORT_CRON) == seen.name
    return ours and there.get(labels.DATA_IMPORT_CRON_CLEANUP) == annotations.TRUE


def _with_finalizers(cron: Object, wanted: list[str]) -> plan.Plan:
    meta = {**objects.metadata(cron), "finalizers": wanted}
    return plan.Plan((plan.Change(kinds.DATA_IMPORT_CRONS, cron, {**cron, "metadata": meta}),))
