"""The labels of metric kubevirt_cdi_storageprofile_info: what a profile is good for."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from cdi.api import annotations
from cdi.storage import capabilities, classes, documents, modes, profile, provisioners, snapshots

Object = dict[str, Any]

METRIC: Final = "kubevirt_cdi_storageprofile_info"


def labels_for(
    storage_class: Mapping[str, Any],
    status: Mapping[str, Any],
    snapshot_classes: Iterable[Object],
    csi_drivers: Collection[str],
    *,
    single_node: bool,
) -> dict[str, str]:
    """Return the labels of the series of one class; the value is always 1.

    `single_node` says whether the cluster has one node only and never will have more: volumes
    that can be used from several nodes are of no use there.
    """
    rwx = any(modes.RWX in each["accessModes"] for each in status.get("claimPropertySets") or ())
    smart = _clones_smartly(status, snapshot_classes, csi_drivers)
    provisioner = str(storage_class.get("provisioner") or "")
    complete = provisioner in provisioners.UNSUPPORTED or profile.is_complete(status)
    flags = {
        "complete": complete,
        "default": classes.is_marked(storage_class, annotations.DEFAULT_STORAGE_CLASS),
        "virtdefault": classes.is_marked(storage_class, annotations.DEFAULT_VIRT_STORAGE_CLASS),
        "rwx": rwx,
        "smartclone": smart,
        "degraded": (not rwx and not single_node) or not smart,
    }
    names = {"storageclass": documents.name(storage_class), "provisioner": provisioner}
    return names | {key: str(flag).lower() for key, flag in flags.items()}


def _clones_smartly(
    status: Mapping[str, Any], snapshot_classes: Iterable[Object], csi_drivers: Collection[str]
) -> bool:
    provisioner = str(status.get("provisioner") or "")
    match status.get("cloneStrategy"):
        case capabilities.CSI_CLONE:
            return provisioner in csi_drivers
        case capabilities.SNAPSHOT | None:
            return bool(snapshots.of_driver(snapshot_classes, provisioner))
        case _:
            return False
