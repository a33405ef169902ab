"""Which operation a DataVolume's spec asks for; at most one controller feels responsible."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from cdi.controllers.importing import requests
from cdi.kube import objects
from cdi.kube.objects import Object


class Operation(Enum):
    NONE = auto()  # nothing that anybody does; such a DataVolume has no status
    IMPORT = auto()
    UPLOAD = auto()
    CLONE = auto()
    EXTERNAL = auto()  # a foreign populator fills the claim


def operation_of(volume: Object) -> Operation:
    spec = volume.get("spec") or {}
    source = spec.get("source")
    if spec.get("sourceRef"):
        return Operation.CLONE
    if source is None:
        return Operation.EXTERNAL if data_source_of(spec) else Operation.NONE
    if any(source.get(kind) is not None for kind in ("pvc", "snapshot")):
        return Operation.CLONE
    if source.get("upload") is not None:
        return Operation.UPLOAD
    if any(source.get(kind) is not None for kind in requests.IMPORTABLE):
        return Operation.IMPORT
    return Operation.NONE


def data_source_of(spec: Mapping[str, Any]) -> Object | None:
    """The foreign source that a DataVolume's claim names."""
    for form in ("pvc", "storage"):
        for key in ("dataSourceRef", "dataSource"):
            if found := objects.get(spec, form, key):
                return dict(found)
    return None


def source_of(volume: Object) -> Object:
    """The source of an import; empty stands for a blank disk."""
    return dict(objects.get(volume, "spec", "source", default={}))
