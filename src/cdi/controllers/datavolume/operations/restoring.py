"""
The claim that is restored from a snapshot to be copied, where no populator can be used.

As the clone populator restores it: in a class of the snapshot's own driver, in the mode of what
the snapshot is of. See `origins.restored` for what it is known by.
"""

from typing import Any

from cdi.api import annotations, labels, names, quantity, reasons, workorder
from cdi.controllers import kinds, metadata, plan
from cdi.controllers.datavolume.cloneseen import CloneSeen
from cdi.controllers.datavolume.seen import Seen
from cdi.controllers.origins import restored
from cdi.controllers.origins.origin import Origin
from cdi.kube import objects
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS
from cdi.storage import modes, sizes

_LONGEST_VALUE = 63  # characters of a label's value


def why_not(seen: Seen, origin: Origin) -> str:
    """Why a snapshot cannot be restored; empty if it can."""
    driver = _driver(origin)
    if not driver:
        return f"{origin.source} has no VolumeSnapshotContent yet"
    if not _classes(seen, driver):
        return (
            f"no StorageClass has provisioner {driver}, so {origin.source} cannot be restored; "
            "create one"
        )
    return ""


def begun(seen: Seen, origin: Origin, spec: dict[str, Any]) -> plan.Plan:
    """Have the claim made from which the claim with this spec is to be copied."""
    wanted = claim_for(seen, origin, spec)
    create = plan.Create(
        PERSISTENT_VOLUME_CLAIMS, wanted, refused=lambda error: _refused(seen, wanted, error)
    )
    return plan.Plan((create,))


def claim_for(seen: Seen, origin: Origin, spec: dict[str, Any]) -> Object:
    """The claim as it has to be created."""
    text = objects.get(origin.object, "status", "restoreSize")
    size = 0 if text is None else quantity.parse(str(text)).value()
    reference = {
        "apiGroup": kinds.SNAPSHOTS.group,
        "kind": kinds.SNAPSHOTS.kind,
        "name": origin.source.name,
    }
    shape = {
        "accessModes": [modes.RWO],
        "volumeMode": origin.mode_of_snapshot(spec),
        "storageClassName": _classes(seen, _driver(origin))[0],
        "dataSourceRef": reference,
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": names.legacy_source_claim_for(objects.uid(seen.volume)),
            "namespace": origin.source.namespace,
            "labels": _labels(seen, origin),
            "annotations": _annotations(seen),
        },
        "spec": sizes.with_request(shape, size or sizes.requested(spec) or 0),
    }


def tidied(seen: Seen, clone: CloneSeen) -> plan.Plan:
    """The restored claim of a DataVolume goes with the end of its clone."""
    found = clone.restored
    if found is None or objects.is_deleting(found):
        return plan.NOTHING
    if not restored.is_for(found, objects.key(seen.volume)):
        return plan.NOTHING
    return plan.Plan((plan.Remove(PERSISTENT_VOLUME_CLAIMS, found),))


def _driver(origin: Origin) -> str:
    return str(objects.get(origin.content, "spec", "driver", default=""))


def _classes(seen: Seen, driver: str) -> list[str]:
    fitting = (each for each in seen.storage.classes if each.get("provisioner") == driver)
    return sorted(objects.name(each) for each in fitting)


def _labels(seen: Seen, origin: Origin) -> dict[str, str]:
    # A claim that is to be rendered would be made larger once more.
    given = objects.labels(seen.volume)
    kept = {key: value for key, value in given.items() if key != labels.APPLY_STORAGE_PROFILE}
    return {
        **kept,
        labels.LEGACY_SNAPSHOT_CLAIM: origin.source.name[:_LONGEST_VALUE].rstrip("-."),
        labels.APP: labels.APP_VALUE,
        labels.COMPONENT: labels.SNAPSHOT_FALLBACK_CLAIM,
        labels.EXCLUDE_FROM_BACKUP: annotations.TRUE,
        labels.FILLING_UP_ALERT: "disabled",
        **metadata.recommended_labels(seen.settings),
    }


def _annotations(seen: Seen) -> dict[str, str]:
    volume = seen.volume
    return {
        **metadata.passed_on(objects.annotations(volume)),
        annotations.CONTENT_TYPE: workorder.content_type_of(volume["spec"].get("contentType")),
        annotations.OWNED_BY_DATA_VOLUME: str(objects.key(volume)),
        annotations.OWNER_UID: objects.uid(volume),
        annotations.RUNNING: annotations.FALSE,
        annotations.RUNNING_MESSAGE: reasons.CLONE_COMPLETE_MESSAGE,
        annotations.RUNNING_REASON: reasons.COMPLETED,
    }


def _refused(seen: Seen, wanted: Object, error: ApiError) -> plan.Plan:
    exceeded = reasons.EXCEEDED_QUOTA_TEXT in error.message
    reason = reasons.ERR_EXCEEDED_QUOTA if exceeded else reasons.ERR_CLAIM_NOT_VALID
    text = f"PVC {objects.key(wanted)} cannot be made: {error.message}; it is tried again"
    return plan.Plan(events=(plan.warning(seen.volume, reason, text),))
