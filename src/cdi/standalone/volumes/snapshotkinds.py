"""
The kinds of `snapshot.storage.k8s.io`, as one machine serves them, and its one class of snapshots.

On a cluster they come with its snapshot controller. Here are the fields that this controller,
CDI's and `kubectl` read and write; what else somebody writes is kept, and means nothing.
"""

from __future__ import annotations

from typing import Any, Final

from cdi.kube.objects import Object
from cdi.storage import local

_GROUP: Final = "snapshot.storage.k8s.io"
_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_NUMBER: Final = {"type": "integer", "format": "int64"}
_SIZE: Final = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
}
_MOMENT: Final = {"type": "string", "format": "date-time"}
_POLICY: Final = {"type": "string", "enum": ["Delete", "Retain"]}
_TEXTS: Final = {"type": "object", "additionalProperties": _TEXT}

CLASS: Final = "local-snapshots"


def _record(required: str = "", **fields: Any) -> Object:
    found: Object = {"type": "object", "properties": fields}
    return found | ({"required": required.split()} if required else {})


_ERROR: Final = _record(message=_TEXT, time=_MOMENT)

_SNAPSHOT: Final = _record(
    "spec",
    spec=_record(
        "source",
        source=_record(persistentVolumeClaimName=_TEXT, volumeSnapshotContentName=_TEXT),
        volumeSnapshotClassName=_TEXT,
    ),
    status=_record(
        boundVolumeSnapshotContentName=_TEXT,
        creationTime=_MOMENT,
        error=_ERROR,
        readyToUse=_FLAG,
        restoreSize=_SIZE,
    ),
)
_CONTENT: Final = _record(
    "spec",
    spec=_record(
        "deletionPolicy driver source volumeSnapshotRef",
        deletionPolicy=_POLICY,
        driver=_TEXT,
        source=_record(snapshotHandle=_TEXT, volumeHandle=_TEXT),
        sourceVolumeMode=_TEXT,
        volumeSnapshotClassName=_TEXT,
        volumeSnapshotRef=_record(
            apiVersion=_TEXT,
            kind=_TEXT,
            name=_TEXT,
            namespace=_TEXT,
            resourceVersion=_TEXT,
            uid=_TEXT,
        ),
    ),
    status=_record(
        creationTime=_NUMBER,
        error=_ERROR,
        readyToUse=_FLAG,
        restoreSize=_NUMBER,
        snapshotHandle=_TEXT,
    ),
)
_CLASS: Final = _record(
    "driver deletionPolicy", driver=_TEXT, deletionPolicy=_POLICY, parameters=_TEXTS
)


def definitions() -> list[Object]:
    """The CustomResourceDefinitions, ready to be created."""
    return [
        _definition(
            "VolumeSnapshot", "Namespaced", "vs", _SNAPSHOT, _SNAPSHOT_COLUMNS, status=True
        ),
        _definition(
            "VolumeSnapshotContent", "Cluster", "vsc", _CONTENT, _CONTENT_COLUMNS, status=True
        ),
        _definition("VolumeSnapshotClass", "Cluster", "vsclass", _CLASS, _CLASS_COLUMNS),
    ]


def snapshot_class() -> Object:
    """The class of the snapshots of local volumes."""
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "VolumeSnapshotClass",
        "metadata": {"name": CLASS},
        "driver": local.PROVISIONER,
        "deletionPolicy": "Delete",
    }


def _columns(*columns: tuple[str, str, str]) -> list[Object]:
    return [{"name": name, "type": kind, "jsonPath": path} for name, kind, path in columns]


_AGE: Final = ("Age", "date", ".metadata.creationTimestamp")
_SNAPSHOT_COLUMNS: Final = _columns(
    ("ReadyToUse", "boolean", ".status.readyToUse"),
    ("SourcePVC", "string", ".spec.source.persistentVolumeClaimName"),
    ("RestoreSize", "string", ".status.restoreSize"),
    ("SnapshotClass", "string", ".spec.volumeSnapshotClassName"),
    ("SnapshotContent", "string", ".status.boundVolumeSnapshotContentName"),
    _AGE,
)
_CONTENT_COLUMNS: Final = _columns(
    ("ReadyToUse", "boolean", ".status.readyToUse"),
    ("RestoreSize", "integer", ".status.restoreSize"),
    ("DeletionPolicy", "string", ".spec.deletionPolicy"),
    ("Driver", "string", ".spec.driver"),
    ("VolumeSnapshot", "string", ".spec.volumeSnapshotRef.name"),
    _AGE,
)
_CLASS_COLUMNS: Final = _columns(
    ("Driver", "string", ".driver"), ("DeletionPolicy", "string", ".deletionPolicy"), _AGE
)


def _definition(
    kind: str,
    scope: str,
    short: str,
    schema: Object,
    columns: list[Object],
    *,
    status: bool = False,
) -> Object:
    singular = kind.lower()
    plural = f"{singular}es" if singular.endswith("s") else f"{singular}s"
    top = {"apiVersion": _TEXT, "kind": _TEXT, "metadata": {"type": "object"}}
    wanted = {**schema, "properties": {**top, **schema["properties"]}}
    version: Object = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": wanted},
        "additionalPrinterColumns": columns,
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{_GROUP}",
            # The group is Kubernetes' own, and asks who has agreed to what is in it.
            "annotations": {"api-approved.kubernetes.io": "unapproved, for one machine"},
        },
        "spec": {
            "group": _GROUP,
            "scope": scope,
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": singular,
                "shortNames": [short, f"{short}s" if short != "vsclass" else "vsclasses"],
            },
            "versions": [version | ({"subresources": {"status": {}}} if status else {})],
        },
    }
