"""
A cron has gone: so does its poller, and what it has made if that is not to outlive it.

No finalizer holds the cron: a controller of another build would never take it off. What was made
bears the cron's name, so that whoever starts later still finds what was left behind. One that an
older version of ours has held is let go of.
"""

from collections.abc import Iterable
from typing import Final

from cdi.api import annotations, finalizers, labels
from cdi.controllers import kinds, plan
from cdi.controllers.dataimportcron.seen import Seen
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import CRON_JOBS, Resource

_FINALIZER: Final = finalizers.DATA_IMPORT_CRON


def released(seen: Seen) -> plan.Plan | None:
    """The plan that lets go of a cron that was held; None where it is not."""
    have = objects.finalizers(seen.cron)
    if _FINALIZER not in have:
        return None
    meta = {**objects.metadata(seen.cron), "finalizers": [x for x in have if x != _FINALIZER]}
    wanted = {**seen.cron, "metadata": meta}
    return plan.Plan((plan.Change(kinds.DATA_IMPORT_CRONS, seen.cron, wanted),))


def swept(name: str, made: Iterable[tuple[Resource, Object]]) -> plan.Plan:
    """Remove what goes with a cron that is gone."""
    steps: list[plan.Step] = []
    for resource, each in made:
        if objects.is_deleting(each) or not (resource == CRON_JOBS or _goes(each, name)):
            continue
        if resource != CRON_JOBS:  # a label may say by now that it is to stay
            steps.append(plan.Confirm(resource, each, unchanged=True))
        steps.append(plan.Remove(resource, each))
    return plan.Plan(tuple(steps))


def _goes(obj: Object, name: str) -> bool:
    there = objects.labels(obj)
    ours = there.get(labels.DATA_IMPORT_CRON) == name
    return ours and there.get(labels.DATA_IMPORT_CRON_CLEANUP) == annotations.TRUE
