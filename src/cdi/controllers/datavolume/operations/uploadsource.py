"""The VolumeUploadSource that tells the upload populator what a DataVolume's disk is to be."""

from __future__ import annotations

from typing import Final

from cdi.api import names
from cdi.controllers import kinds
from cdi.controllers.datavolume.operations.sourceobject import SourceObject
from cdi.kube import objects, owners
from cdi.kube.objects import Object


def upload_source_for(volume: Object) -> Object:
    """What to create; deleted once the DataVolume has succeeded."""
    wanted = volume["spec"]
    said = ("contentType", "preallocation")
    return {
        "apiVersion": kinds.UPLOAD_SOURCES.api_version,
        "kind": kinds.UPLOAD_SOURCES.kind,
        "metadata": {
            "name": names.upload_source_for(objects.uid(volume)),
            "namespace": objects.namespace(volume),
            "ownerReferences": [owners.owner_reference(volume)],
        },
        "spec": {key: wanted[key] for key in said if wanted.get(key) is not None},
    }


def _unchanged(found: Object, _volume: Object) -> Object:
    return found


UPLOAD_SOURCE: Final = SourceObject(
    resource=kinds.UPLOAD_SOURCES,
    cache="upload_sources",
    name_for=names.upload_source_for,
    create=upload_source_for,
    updated=_unchanged,
)
