"""Which source a DataVolume's spec names, by kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdi.controllers.importing import requests
from cdi.kube import objects
from cdi.kube.objects import Object

SOURCE_REF: Final = "sourceRef"  # a DataSource, which names what is cloned
DATA_SOURCE: Final = "dataSource"  # something that a foreign populator fills the claim from

# Members of `spec.source`; should a spec have several, the first of these counts.
_MEMBERS: Final = ("pvc", "snapshot", "upload", *requests.IMPORTABLE)


def kind_of(volume: Object) -> str:
    """The kind of source that a DataVolume names; empty where nobody knows one."""
    spec = volume.get("spec") or {}
    if spec.get("sourceRef"):
        return SOURCE_REF
    source = spec.get("source")
    if source is None:
        return DATA_SOURCE if data_source_of(spec) else ""
    return next((kind for kind in _MEMBERS if source.get(kind) is not None), "")


def data_source_of(spec: Mapping[str, Any]) -> Object | None:
    """The foreign source that a DataVolume's claim names."""
    for form in ("pvc", "storage"):
        for key in ("dataSourceRef", "dataSource"):
            if found := objects.get(spec, form, key):
                return dict(found)
    return None


def source_of(volume: Object) -> Object:
    """What a DataVolume says of its source: a dict with one member, by kind."""
    return dict(objects.get(volume, "spec", "source", default={}))
