"""The cells of volumes, claims, classes, drivers and snapshots, as kubectl prints them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cdi.standalone.schema import age
from cdi.standalone.schema.rows import NONE, UNSET, Object, Row, age_of, name_of

_ACCESS_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _access_modes(modes: Iterable[str] | None) -> str:
    given = set(modes or ())
    return ",".join(short for mode, short in _ACCESS_MODES.items() if mode in given)


def _persistent_volume_claim(obj: Object, now: datetime) -> list[Any]:
    spec, status, meta = obj.get("spec", {}), obj.get("status", {}), obj.get("metadata", {})
    volume = spec.get("volumeName", "")
    phase = "Terminating" if meta.get("deletionTimestamp") else status.get("phase", "")
    capacity = status.get("capacity", {}).get("storage", "0") if volume else ""
    modes = _access_modes(status.get("accessModes")) if volume else ""
    return [
        name_of(obj),
        phase,
        volume,
        capacity,
        modes,
        _class_of(obj),
        spec.get("volumeAttributesClassName") or UNSET,
        age_of(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def _class_of(obj: Object) -> str:
    annotations = obj.get("metadata", {}).get("annotations", {})
    found = annotations.get("volume.beta.kubernetes.io/storage-class")
    return str(found if found is not None else obj.get("spec", {}).get("storageClassName") or "")


def _persistent_volume(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    claim = spec.get("claimRef")
    terminating = obj.get("metadata", {}).get("deletionTimestamp")
    return [
        name_of(obj),
        spec.get("capacity", {}).get("storage", "0"),
        _access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if terminating else status.get("phase", ""),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class_of(obj),
        spec.get("volumeAttributesClassName") or UNSET,
        status.get("reason", ""),
        age_of(obj, now),
        spec.get("volumeMode") or UNSET,
    ]


def _storage_class(obj: Object, now: datetime) -> list[Any]:
    annotations = obj.get("metadata", {}).get("annotations", {})
    default = (
        annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
        or annotations.get("storageclass.beta.kubernetes.io/is-default-class") == "true"
    )
    return [
        name_of(obj) + (" (default)" if default else ""),
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", "Delete"),
        obj.get("volumeBindingMode", "Immediate"),
        _go_bool(obj.get("allowVolumeExpansion", False)),
        age_of(obj, now),
    ]


def _go_bool(value: Any) -> str:
    return "true" if value else "false"


def _csi_driver(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec", {})
    audiences = [token.get("audience", "") for token in spec.get("tokenRequests", ())]
    modes = spec.get("volumeLifecycleModes") or ()
    return [
        name_of(obj),
        spec.get("attachRequired", True),
        spec.get("podInfoOnMount", False),
        spec.get("storageCapacity", False),
        ",".join(audiences) or UNSET,
        spec.get("requiresRepublish", False),
        ",".join(modes) or NONE,
        age_of(obj, now),
    ]


def _volume_attachment(obj: Object, now: datetime) -> list[Any]:
    spec = obj.get("spec", {})
    volume = spec.get("source", {}).get("persistentVolumeName", "")
    attached = bool(obj.get("status", {}).get("attached", False))
    attacher, node = spec.get("attacher", ""), spec.get("nodeName", "")
    return [name_of(obj), attacher, volume, node, attached, age_of(obj, now)]


def _snapshot(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    source = spec.get("source", {})
    created = status.get("creationTime")
    return [
        name_of(obj),
        _flag(status.get("readyToUse")),
        source.get("persistentVolumeClaimName"),
        source.get("volumeSnapshotContentName"),
        status.get("restoreSize"),
        spec.get("volumeSnapshotClassName"),
        status.get("boundVolumeSnapshotContentName"),
        age.since(created, now) if created else None,
        age_of(obj, now),
    ]


def _flag(value: bool | None) -> str | None:
    return None if value is None else _go_bool(value)


def _snapshot_class(obj: Object, now: datetime) -> list[Any]:
    return [name_of(obj), obj.get("driver", ""), obj.get("deletionPolicy", ""), age_of(obj, now)]


def _snapshot_content(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    reference = spec.get("volumeSnapshotRef", {})
    return [
        name_of(obj),
        _flag(status.get("readyToUse")),
        status.get("restoreSize"),
        spec.get("deletionPolicy"),
        spec.get("driver"),
        spec.get("volumeSnapshotClassName"),
        reference.get("name"),
        reference.get("namespace"),
        age_of(obj, now),
    ]


ROWS: dict[str, Row] = {
    "CSIDriver": _csi_driver,
    "CSINode": lambda o, now: [
        name_of(o),
        len(o.get("spec", {}).get("drivers") or ()),
        age_of(o, now),
    ],
    "CSIStorageCapacity": lambda o, _: [name_of(o), o.get("storageClassName"), o.get("capacity")],
    "PersistentVolume": _persistent_volume,
    "PersistentVolumeClaim": _persistent_volume_claim,
    "StorageClass": _storage_class,
    "VolumeAttachment": _volume_attachment,
    "VolumeAttributesClass": lambda o, now: [name_of(o), o.get("driverName", ""), age_of(o, now)],
    "VolumeSnapshot": _snapshot,
    "VolumeSnapshotClass": _snapshot_class,
    "VolumeSnapshotContent": _snapshot_content,
}
