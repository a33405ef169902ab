"""
Our own provisioner: the one that keeps volumes on the machine on which CDI runs by itself.

It makes directories for Filesystem volumes and files or loop devices for Block ones. A volume
can be used on that machine only; clones and snapshots share their data with what they are of,
where the file system can. What it can do stands here rather than
among the provisioners of others, because here it is our own promise.
"""

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import annotations
from cdi.storage import classes, modes

PROVISIONER: Final = "cdi.kubevirt.io/local"
CLASS: Final = "local"  # the default: a volume is made as soon as it is claimed
CLASS_WAITING: Final = "local-wffc"  # a volume is made when a pod wants to use it

IMMEDIATE: Final = classes.IMMEDIATE
WAIT_FOR_FIRST_CONSUMER: Final = classes.WAIT_FOR_FIRST_CONSUMER

# Filesystem first: making a loop device needs root, making a directory does not.
CLAIMS: Final = (
    modes.ClaimProperties((modes.RWO,), modes.FILESYSTEM),
    modes.ClaimProperties((modes.RWO,), modes.BLOCK),
)
CLONE_STRATEGY: Final = "csi-clone"


def storage_classes() -> list[dict[str, Any]]:
    """Return the StorageClasses of one machine, ready to be created."""
    return [
        _storage_class(CLASS, IMMEDIATE),
        _storage_class(CLASS_WAITING, WAIT_FOR_FIRST_CONSUMER),
    ]


def uses_populators(storage_class: Mapping[str, Any], *, clone: bool = False) -> bool:
    """Tell whether volumes of a class are filled before their claims get them.

    A volume that waited for its consumer must be: bound but empty, it would be the consumer's.
    One that is cloned is made with its content. Our provisioner leaves a claim with a
    dataSourceRef to its populator, as CSI drivers do.
    """
    waits = storage_class.get("volumeBindingMode") == WAIT_FOR_FIRST_CONSUMER
    return is_ours(storage_class) and (waits or clone)


def is_ours(storage_class: Mapping[str, Any]) -> bool:
    """Tell whether our provisioner makes the volumes of a class."""
    return storage_class.get("provisioner") == PROVISIONER


def _storage_class(name: str, binding: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if name == CLASS:
        metadata["annotations"] = {annotations.DEFAULT_STORAGE_CLASS: annotations.TRUE}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": metadata,
        "provisioner": PROVISIONER,
        "reclaimPolicy": "Delete",
        "volumeBindingMode": binding,
        "allowVolumeExpansion": True,
    }
