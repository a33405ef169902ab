"""Plain storage objects, as a server sends them, for tests of rules over them."""

from typing import Any

Object = dict[str, Any]

K8S_DEFAULT = "storageclass.kubernetes.io/is-default-class"
VIRT_DEFAULT = "storageclass.kubevirt.io/is-default-virt-class"
SNAPSHOT_DEFAULT = "snapshot.storage.kubernetes.io/is-default-class"


def storage_class(
    name: str,
    provisioner: str = "example.com/disks",
    *marks: str,
    created: str = "2024-01-01T00:00:00Z",
    parameters: dict[str, str] | None = None,
    **annotations: str,
) -> Object:
    marked = dict.fromkeys(marks, "true") | annotations
    obj: Object = {
        "metadata": {"name": name, "creationTimestamp": created, "annotations": marked},
        "provisioner": provisioner,
    }
    return obj | ({"parameters": parameters} if parameters is not None else {})


def profile(name: str, *sets: tuple[str, str], **annotations: str) -> Object:
    """A StorageProfile; a set is written `("ReadWriteOnce ReadWriteMany", "Block")`."""
    return {
        "metadata": {"name": name, "annotations": annotations},
        "spec": {},
        "status": {
            "claimPropertySets": [
                {"accessModes": access.split(), "volumeMode": volume} for access, volume in sets
            ]
        },
    }


def snapshot_class(
    name: str, driver: str = "example.com/disks", *marks: str, **parameters: str
) -> Object:
    annotations = dict.fromkeys(marks, "true")
    metadata = {"name": name, "annotations": annotations}
    return {"metadata": metadata, "driver": driver, "parameters": parameters}


def persistent_volume(
    name: str,
    class_name: str,
    capacity: str = "10Gi",
    access: str = "ReadWriteOnce",
    volume_mode: str | None = None,
    phase: str = "Available",
) -> Object:
    spec: Object = {
        "storageClassName": class_name,
        "capacity": {"storage": capacity},
        "accessModes": access.split(),
    }
    if volume_mode:
        spec["volumeMode"] = volume_mode
    return {"metadata": {"name": name}, "spec": spec, "status": {"phase": phase}}


def config(overhead: str = "0.06", **of_class: str) -> Object:
    """A CDIConfig in which only the overhead is in effect."""
    return {"status": {"filesystemOverhead": {"global": overhead, "storageClass": of_class}}}
