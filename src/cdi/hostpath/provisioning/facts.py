"""
What is read from claims and volumes, and the constants that are Kubernetes' own.

Pure functions on plain objects in which any field may be missing. Sizes in bytes.
"""

from typing import Any, Final

from cdi.api import annotations, quantity
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from cdi.volumes.pool import Mode

PROVISIONED_BY: Final = "pv.kubernetes.io/provisioned-by"
STORAGE_PROVISIONERS: Final = (
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
)
# With which the claims of the legacy provisioner have always been able to choose their node.
PROVISION_ON_NODE: Final = "kubevirt.io/provisionOnNode"
# Keeps a volume until its data is gone.
DATA_PROTECTION: Final = "external-provisioner.volume.kubernetes.io/finalizer"

PENDING: Final = "Pending"
BOUND: Final = "Bound"
RELEASED: Final = "Released"
DELETE: Final = "Delete"


def size_of(text: Any) -> int:
    """A quantity in bytes; 0 where there is none or it cannot be read."""
    try:
        return quantity.parse(str(text)).value() if text is not None else 0
    except ValueError:
        return 0


def requested(claim: Object) -> int:
    return size_of(objects.get(claim, "spec", "resources", "requests", "storage"))


def capacity(volume: Object) -> int:
    return size_of(objects.get(volume, "spec", "capacity", "storage"))


def granted(claim: Object) -> int:
    """What a claim says that it has."""
    return size_of(objects.get(claim, "status", "capacity", "storage"))


def phase(obj: Object) -> str:
    return str(objects.get(obj, "status", "phase", default=""))


def mode(obj: Object) -> Mode:
    return Mode(objects.get(obj, "spec", "volumeMode", default=Mode.FILESYSTEM))


def class_name(obj: Object) -> str:
    return str(objects.get(obj, "spec", "storageClassName", default=""))


def volume_name(claim: Object) -> str:
    return str(objects.get(claim, "spec", "volumeName", default=""))


def selected_node(claim: Object) -> str:
    return objects.annotations(claim).get(annotations.SELECTED_NODE, "")


def provisioner(claim: Object) -> str:
    """Who is to make the volume of a claim, as Kubernetes says."""
    noted = objects.annotations(claim)
    return next((noted[each] for each in STORAGE_PROVISIONERS if each in noted), "")


def claim_key_of(volume: Object) -> Key | None:
    """The claim that a volume is bound to."""
    reference = objects.get(volume, "spec", "claimRef", default={})
    if not reference.get("name"):
        return None
    return Key(str(reference.get("namespace", "")), str(reference["name"]))


def belongs_to(volume: Object, claim: Object) -> bool:
    """Whether a volume is of this very claim, not of a namesake."""
    uid = objects.get(volume, "spec", "claimRef", "uid", default="")
    return claim_key_of(volume) == objects.key(claim) and uid in ("", objects.uid(claim))


def volume_name_for(claim: Object) -> str:
    """The name of the volume that is made for a claim: the same at every attempt."""
    return f"pvc-{objects.uid(claim)}"
