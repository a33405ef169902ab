"""
How an import is kept: as a claim, or as a snapshot from which storage clones faster.

A claim becomes a snapshot once it is full, and goes once the snapshot can be used. The other way
round the image is imported again, and the snapshot goes once the claim is full. The DataSource is
moved in between, so that it always names something that can be cloned from.
"""

from cdi.api import annotations, labels
from cdi.controllers import kinds, metadata, plan
from cdi.controllers.dataimportcron import conditions, marks
from cdi.controllers.dataimportcron.draft import Draft
from cdi.controllers.dataimportcron.importing import Progress, is_populated
from cdi.controllers.dataimportcron.seen import Product, Seen
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS
from cdi.storage import modes, snapshots

_SELECTED = "VolumeSnapshotClassSelected"


def is_ready(product: Product) -> bool:
    """Whether the snapshot of an import can be cloned from."""
    return objects.get(product.snapshot, "status", "readyToUse") is True


def must_import_again(draft: Draft, found: Progress) -> bool:
    """Whether an import is there only in a form that is not wanted any more."""
    seen, product = draft.seen, found.product
    if product.snapshot is None or product.claim is not None or product.volume is not None:
        return False
    return not seen.wants_snapshots or _is_of_another_class(seen, product.snapshot)


def keep(draft: Draft, found: Progress) -> None:
    """Bring a finished import into the form that is wanted, and say whether it is in it."""
    seen, product = draft.seen, found.product
    draft.status["sourceFormat"] = seen.format
    if not seen.wants_snapshots:
        conditions.up_to_date(draft)
        if product.snapshot is not None and not objects.is_deleting(product.snapshot):
            draft.after.append(plan.Remove(kinds.SNAPSHOTS, product.snapshot))
        return
    if product.snapshot is None:
        _take(draft, product)
        return
    if product.claim is not None and _is_of_another_class(seen, product.snapshot):
        conditions.snapshot_under_way(draft, "")
        draft.after.append(plan.Remove(kinds.SNAPSHOTS, product.snapshot))
        return
    _complete(draft, product)
    if not is_ready(product):
        trouble = objects.get(product.snapshot, "status", "error", "message", default="")
        conditions.snapshot_under_way(draft, str(trouble))
        return
    conditions.up_to_date(draft)
    if product.volume is not None:
        draft.after.append(plan.Remove(kinds.DATA_VOLUMES, product.volume))
    elif product.claim is not None and not objects.is_deleting(product.claim):
        draft.after.append(plan.Remove(PERSISTENT_VOLUME_CLAIMS, product.claim))


def _is_of_another_class(seen: Seen, snapshot: Object) -> bool:
    try:
        wanted = _class_for(seen)
    except snapshots.SnapshotClassNotFound:
        return False
    has = objects.get(snapshot, "spec", "volumeSnapshotClassName")
    return bool(wanted) and has != wanted


def _take(draft: Draft, product: Product) -> None:
    seen, claim = draft.seen, product.claim
    on_class = objects.get(claim, "spec", "storageClassName") == seen.class_name
    if claim is None or not on_class or not is_populated(product):
        return
    try:
        chosen = _class_for(seen)
    except snapshots.SnapshotClassNotFound as error:
        conditions.snapshot_under_way(draft, f"{error}: correct the StorageProfile")
        return
    if chosen:
        message = f"VolumeSnapshotClass selected according to StorageProfile {chosen}"
        draft.events.append(plan.normal(claim, _SELECTED, message))
    draft.before.append(plan.Create(kinds.SNAPSHOTS, _snapshot_for(seen, claim, chosen)))
    conditions.snapshot_under_way(draft, "")


def _snapshot_for(seen: Seen, claim: Object, chosen: str) -> Object:
    spec: Object = {"source": {"persistentVolumeClaimName": objects.name(claim)}}
    if chosen:
        spec["volumeSnapshotClassName"] = chosen
    return {
        "apiVersion": kinds.SNAPSHOTS.api_version,
        "kind": kinds.SNAPSHOTS.kind,
        "metadata": {
            "name": objects.name(claim),
            "namespace": seen.namespace,
            "labels": {
                **labels.travelling(objects.labels(claim)),
                labels.APP: labels.APP_VALUE,
                labels.COMPONENT: "",
                **marks.given_labels(seen),
            },
            "annotations": {
                annotations.LAST_USE_TIME: marks.moment(seen.now),
                annotations.SOURCE_VOLUME_MODE: objects.get(
                    claim, "spec", "volumeMode", default=modes.FILESYSTEM
                ),
                annotations.ADVISED_RESTORE_SIZE: _size(seen)
                or str(objects.get(claim, "spec", "resources", "requests", "storage", default="")),
            },
        },
        "spec": spec,
    }


def _complete(draft: Draft, product: Product) -> None:
    """Say on a snapshot of an older release what clones of it have to know."""
    seen, found = draft.seen, product.snapshot
    if found is None or metadata.has(found, annotations.SOURCE_VOLUME_MODE):
        return
    sets = objects.get(seen.profile, "status", "claimPropertySets", 0, "volumeMode")
    template = seen.spec["template"]["spec"]
    form = template.get("pvc") or template.get("storage") or {}
    mode = form.get("volumeMode") or sets or modes.FILESYSTEM
    wanted = metadata.changed(
        marks.used(found, seen),
        annotations={
            annotations.SOURCE_VOLUME_MODE: mode,
            annotations.ADVISED_RESTORE_SIZE: _size(seen)
            or str(objects.get(found, "status", "restoreSize", default="")),
        },
    )
    draft.before = [each for each in draft.before if not _is_change_of(each, found)]
    draft.before.append(plan.Change(kinds.SNAPSHOTS, found, wanted))


def _is_change_of(step: plan.Step, found: Object) -> bool:
    return isinstance(step, plan.Change) and step.seen is found


def _size(seen: Seen) -> str:
    """The size that the template asks for."""
    template = seen.spec["template"]["spec"]
    form = template.get("pvc") or template.get("storage")
    return str(objects.get(form, "resources", "requests", "storage", default=""))


def _class_for(seen: Seen) -> str:
    """The class of snapshots. Raises SnapshotClassNotFound."""
    for_images = objects.annotations(seen.profile or {}).get(annotations.SNAPSHOT_CLASS_FOR_CRON)
    if for_images:
        return for_images
    provisioner = str((seen.storage_class or {}).get("provisioner", ""))
    wanted = objects.get(seen.profile, "status", "snapshotClass", default="")
    return snapshots.choose(seen.snapshot_classes, provisioner, str(wanted)) or (
        snapshots.choose(seen.snapshot_classes, provisioner)
    )
