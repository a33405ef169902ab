"""Changes of a claim's metadata: what its controller says of it."""

from collections.abc import Mapping

from cdi.api import annotations as known
from cdi.controllers import metadata, plan
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS


def change(
    claim: Object, annotations: Mapping[str, str | None], labels: Mapping[str, str] | None = None
) -> plan.Plan:
    """One change of the claim's metadata; none where nothing differs."""
    given = objects.annotations(claim)
    there = objects.labels(claim)
    if all(given.get(key) == value for key, value in annotations.items()) and all(
        there.get(key) == value for key, value in (labels or {}).items()
    ):
        return plan.NOTHING
    wanted = _shortened(metadata.changed(claim, annotations=annotations, labels=labels))
    if wanted == claim:
        return plan.NOTHING
    return plan.Plan((plan.Change(PERSISTENT_VOLUME_CLAIMS, claim, wanted),))


def _shortened(wanted: Object) -> Object:
    """A claim that is full of others' annotations gets as much of our messages as fits."""
    for key in (known.RUNNING_MESSAGE, known.BOUND_MESSAGE):
        given = objects.annotations(wanted)
        over = metadata.annotations_size(given) - metadata.ANNOTATIONS_LIMIT
        if over > 0 and given.get(key):
            kept = given[key].encode()[:-over].decode(errors="ignore")
            wanted = metadata.changed(wanted, annotations={key: kept})
    return wanted
