"""The VolumeImportSource that tells the import populator what a DataVolume wants imported."""

from __future__ import annotations

from typing import Any, Final

from cdi.api import names
from cdi.controllers import kinds
from cdi.controllers.datavolume import source
from cdi.controllers.datavolume.operations.sourceobject import SourceObject
from cdi.controllers.importing import requests
from cdi.kube import objects, owners
from cdi.kube.objects import Object


def import_source_for(volume: Object) -> Object:
    """What to create; deleted once the DataVolume has succeeded."""
    return {
        "apiVersion": kinds.IMPORT_SOURCES.api_version,
        "kind": kinds.IMPORT_SOURCES.kind,
        "metadata": {
            "name": names.import_source_for(objects.uid(volume)),
            "namespace": objects.namespace(volume),
            "ownerReferences": [owners.owner_reference(volume)],
        },
        "spec": _spec(volume),
    }


def with_current_stages(found: Object, volume: Object) -> Object:
    """A copy whose checkpoints are those of the DataVolume; they may change at any time."""
    return {**found, "spec": {**found.get("spec", {}), **_stages(volume)}}


IMPORT_SOURCE: Final = SourceObject(
    resource=kinds.IMPORT_SOURCES,
    cache="import_sources",
    name_for=names.import_source_for,
    create=import_source_for,
    updated=with_current_stages,
)


def _spec(volume: Object) -> Object:
    wanted, given = volume["spec"], source.source_of(volume)
    chosen = next((kind for kind in requests.IMPORTABLE if given.get(kind) is not None), None)
    spec: dict[str, Any] = {"source": {chosen: given[chosen]} if chosen else {"blank": {}}}
    for key in ("contentType", "preallocation"):
        if wanted.get(key) is not None:
            spec[key] = wanted[key]
    stages = _stages(volume)
    return spec | stages | ({"targetClaim": objects.name(volume)} if stages else {})


def _stages(volume: Object) -> dict[str, Any]:
    wanted = volume["spec"]
    staged = wanted.get("checkpoints") and requests.can_have_stages(source.source_of(volume))
    if not staged:
        return {}
    return {
        "checkpoints": wanted["checkpoints"],
        "finalCheckpoint": wanted.get("finalCheckpoint") is True,
    }
