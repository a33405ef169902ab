"""
Claims that are restored from a snapshot only to be copied, where no populator can be used.

Such a claim is in the snapshot's namespace, and has no owner: one that a DataVolume owns counts as
filled only once that DataVolume has succeeded, which waits for the copy. A label says what it is,
annotations whose it is, and the DataVolume's finalizer sees to it that it goes. Facts:
spec/clone.md, 3 and 12.2.
"""

from collections.abc import Sequence

from cdi.api import annotations, labels
from cdi.controllers import kinds
from cdi.controllers.clonesource import SNAPSHOT, CloneSource
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from cdi.storage import classes


def is_restored(claim: Object | None) -> bool:
    """Whether a claim was restored to be copied."""
    return objects.labels(claim or {}).get(labels.COMPONENT) == labels.SNAPSHOT_FALLBACK_CLAIM


def is_for(claim: Object | None, volume: Key) -> bool:
    """Whether a claim was restored for the DataVolume of this name."""
    named = objects.annotations(claim or {}).get(annotations.OWNED_BY_DATA_VOLUME)
    return is_restored(claim) and named == str(volume)


def permitted_by(source: CloneSource, claim: Object | None, target: Key) -> CloneSource:
    """What has to be allowed for a copy of a claim: for a restored one, its snapshot."""
    reference = objects.get(claim, "spec", "dataSourceRef") or {}
    group, kind = reference.get("apiGroup"), reference.get("kind")
    if not is_for(claim, target) or (group, kind) != (kinds.SNAPSHOTS.group, SNAPSHOT):
        return source
    return CloneSource(SNAPSHOT, source.namespace, str(reference.get("name") or ""))


def binds_for_reader(claim: Object | None, storage_classes: Sequence[Object]) -> bool:
    """Whether a claim is bound only once the pod is there that copies it."""
    name = objects.get(claim, "spec", "storageClassName")
    found = classes.choose_as_kubernetes(storage_classes, name)
    return is_restored(claim) and classes.waits_for_consumer(found)
