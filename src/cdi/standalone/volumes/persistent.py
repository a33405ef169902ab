"""The PersistentVolume that describes a local volume, as it is created. Pure."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cdi.binding import facts
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import local

_HOST_NAME: Final = "kubernetes.io/hostname"


def name_for(claim: Object) -> str:
    """The name of the volume that is made for a claim: the same at every attempt."""
    return f"pvc-{objects.uid(claim)}"


def volume_for(claim: Object, storage_class: Object, directory: Path, node: str) -> Object:
    """The volume of a claim, bound to it from its first moment on."""
    policy = str(storage_class.get("reclaimPolicy") or facts.DELETE)
    finalizers = [facts.VOLUME_PROTECTION]
    if policy == facts.DELETE:
        finalizers.append(facts.DATA_PROTECTION)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name_for(claim),
            "annotations": {facts.PROVISIONED_BY: local.PROVISIONER},
            "finalizers": finalizers,
        },
        "spec": {
            "accessModes": facts.access_modes(claim),
            "capacity": {"storage": claim["spec"]["resources"]["requests"]["storage"]},
            "claimRef": facts.reference_to(claim),
            "local": {"path": str(directory)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [_on(node)]}},
            "persistentVolumeReclaimPolicy": policy,
            "storageClassName": facts.class_name(claim),
            "volumeMode": facts.volume_mode(claim),
        },
    }


def _on(node: str) -> Object:
    return {"matchExpressions": [{"key": _HOST_NAME, "operator": "In", "values": [node]}]}
