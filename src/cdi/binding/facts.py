"""
What is read from claims and volumes, and the few constants that are Kubernetes' own.

Pure functions on plain objects in which any field may be missing. Sizes in bytes.
"""

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import annotations, quantity
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from cdi.storage import modes

BOUND_BY_CONTROLLER: Final = "pv.kubernetes.io/bound-by-controller"
PROVISIONED_BY: Final = "pv.kubernetes.io/provisioned-by"
STORAGE_PROVISIONER: Final = "volume.kubernetes.io/storage-provisioner"
_STORAGE_PROVISIONERS: Final = (
    STORAGE_PROVISIONER,
    "volume.beta.kubernetes.io/storage-provisioner",
)
# With which claims have always been able to choose their node.
PROVISION_ON_NODE: Final = "kubevirt.io/provisionOnNode"
CLAIM_PROTECTION: Final = "kubernetes.io/pvc-protection"
VOLUME_PROTECTION: Final = "kubernetes.io/pv-protection"
# On volumes whose data goes with them: the provisioner removes it first.
DATA_PROTECTION: Final = "external-provisioner.volume.kubernetes.io/finalizer"
NO_PROVISIONER: Final = "kubernetes.io/no-provisioner"

PENDING: Final = "Pending"
AVAILABLE: Final = "Available"
BOUND: Final = "Bound"
RELEASED: Final = "Released"
FAILED: Final = "Failed"
LOST: Final = "Lost"

DELETE: Final = "Delete"
YES: Final = "yes"


def size_of(quantity_text: Any) -> int:
    """Return a quantity in bytes; 0 where there is none or it cannot be read."""
    try:
        return quantity.parse(str(quantity_text)).value() if quantity_text is not None else 0
    except ValueError:
        return 0


def requested(claim: Mapping[str, Any]) -> int:
    return size_of(objects.get(claim, "spec", "resources", "requests", "storage"))


def capacity(volume: Mapping[str, Any]) -> int:
    return size_of(objects.get(volume, "spec", "capacity", "storage"))


def granted(claim: Mapping[str, Any]) -> int:
    """What a claim says that it has."""
    return size_of(objects.get(claim, "status", "capacity", "storage"))


def phase(obj: Mapping[str, Any]) -> str:
    return str(objects.get(obj, "status", "phase", default=""))


def volume_mode(obj: Mapping[str, Any]) -> str:
    """The mode of a claim or a volume."""
    return str(objects.get(obj, "spec", "volumeMode", default=modes.FILESYSTEM))


def access_modes(obj: Mapping[str, Any]) -> list[str]:
    return list(objects.get(obj, "spec", "accessModes", default=[]))


def class_name(obj: Mapping[str, Any]) -> str:
    """The class of a claim or a volume; empty where it has none."""
    return str(objects.get(obj, "spec", "storageClassName", default=""))


def volume_name(claim: Mapping[str, Any]) -> str:
    return str(objects.get(claim, "spec", "volumeName", default=""))


def selected_node(claim: Mapping[str, Any]) -> str:
    return objects.annotations(claim).get(annotations.SELECTED_NODE, "")


def provisioner(claim: Mapping[str, Any]) -> str:
    """Who is to make the volume of a claim, as Kubernetes says."""
    noted = objects.annotations(claim)
    return next((noted[each] for each in _STORAGE_PROVISIONERS if each in noted), "")


def volume_name_for(claim: Mapping[str, Any]) -> str:
    """The name of the volume that is made for a claim: the same at every attempt."""
    return f"pvc-{objects.uid(claim)}"


def is_bound(claim: Mapping[str, Any]) -> bool:
    """Whether binding was completed once, whatever became of the volume since."""
    return annotations.BIND_COMPLETED in objects.annotations(claim)


def claim_key_of(volume: Mapping[str, Any]) -> Key | None:
    """The claim that a volume is bound to, or promised to."""
    reference = objects.get(volume, "spec", "claimRef", default={})
    if not reference.get("name"):
        return None
    return Key(str(reference.get("namespace", "")), str(reference["name"]))


def belongs_to(volume: Mapping[str, Any], claim: Mapping[str, Any]) -> bool:
    """Whether the volume is bound or promised to this very claim, not to a namesake."""
    uid = objects.get(volume, "spec", "claimRef", "uid", default="")
    return claim_key_of(volume) == objects.key(claim) and uid in ("", objects.uid(claim))


def reference_to(claim: Object) -> dict[str, Any]:
    """The claimRef of a volume that is bound to `claim`."""
    namespace, name = objects.key(claim)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": namespace,
        "name": name,
        "uid": objects.uid(claim),
        "resourceVersion": objects.resource_version(claim),
    }
