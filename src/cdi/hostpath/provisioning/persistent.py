"""The PersistentVolumes of both provisioners, as they are created. Pure."""

from __future__ import annotations

from typing import Any

from cdi.api import quantity
from cdi.binding import facts
from cdi.kube import objects
from cdi.kube.objects import Object


def volume_for(
    claim: Object,
    storage_class: Object,
    provisioner: str,
    *,
    capacity: int,
    source: dict[str, Any],
    affinity: dict[str, str],
    annotations: dict[str, str] | None = None,
    access_modes: list[str] | None = None,
) -> Object:
    """The volume of a claim, promised to it from its first moment on.

    `source` is the part that says where the data is; `affinity` names nodes by a label, or none.
    """
    policy = str(storage_class.get("reclaimPolicy") or facts.DELETE)
    metadata: dict[str, Any] = {
        "name": facts.volume_name_for(claim),
        "annotations": {facts.PROVISIONED_BY: provisioner, **(annotations or {})},
    }
    if policy == facts.DELETE:
        metadata["finalizers"] = [facts.DATA_PROTECTION]
    spec: dict[str, Any] = {
        "accessModes": access_modes or objects.get(claim, "spec", "accessModes", default=[]),
        "capacity": {"storage": str(quantity.of_bytes(capacity))},
        "claimRef": facts.reference_to(claim),
        "persistentVolumeReclaimPolicy": policy,
        "storageClassName": facts.class_name(claim),
        "volumeMode": facts.volume_mode(claim),
        **source,
    }
    if options := storage_class.get("mountOptions"):
        spec["mountOptions"] = options
    if affinity:
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [_on(affinity)]}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": metadata,
        "spec": spec,
    }


def _on(affinity: dict[str, str]) -> dict[str, Any]:
    return {
        "matchExpressions": [
            {"key": key, "operator": "In", "values": [value]} for key, value in affinity.items()
        ]
    }
