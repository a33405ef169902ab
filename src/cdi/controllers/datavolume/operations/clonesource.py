"""The VolumeCloneSource that tells the clone populator what a DataVolume wants cloned.

It is beside what is cloned. In another namespace than the DataVolume's it has no owner, but an
annotation that names it; the DataVolume's finalizer sees to it that it goes.
"""

from typing import Any, Final

from cdi.api import annotations, names
from cdi.controllers import clonesource, kinds
from cdi.controllers.datavolume.operations.sourceobject import SourceObject
from cdi.kube import objects, owners
from cdi.kube.objects import Object


def clone_source_for(volume: Object) -> Object:
    """What to create for a DataVolume whose source is resolved."""
    source = clonesource.named_by(volume) or clonesource.NOTHING
    made: Object = {
        "apiVersion": kinds.CLONE_SOURCES.api_version,
        "kind": kinds.CLONE_SOURCES.kind,
        "metadata": {
            "name": names.clone_source_for(objects.uid(volume)),
            "namespace": source.namespace,
        },
        "spec": _spec(volume, source),
    }
    if source.namespace == objects.namespace(volume):
        made["metadata"]["ownerReferences"] = [owners.owner_reference(volume)]
    else:
        by = str(objects.key(volume))
        made["metadata"]["annotations"] = {annotations.OWNED_BY_DATA_VOLUME: by}
    return made


def namespace_of(volume: Object, claim: Object | None) -> str:
    """Where a DataVolume's VolumeCloneSource is, whatever became of its DataSource since."""
    elsewhere = objects.annotations(claim or {}).get(annotations.DATA_SOURCE_NAMESPACE)
    named = clonesource.named_by(volume)
    direct = named.namespace if named and named.kind != clonesource.DATA_SOURCE else ""
    return elsewhere or direct or objects.namespace(volume)


CLONE_SOURCE: Final = SourceObject(
    resource=kinds.CLONE_SOURCES,
    cache="clone_sources",
    name_for=names.clone_source_for,
    create=clone_source_for,
    updated=lambda found, _volume: found,
    namespace_for=namespace_of,
)


def _spec(volume: Object, source: clonesource.CloneSource) -> Object:
    reference: dict[str, Any] = {"kind": source.kind, "name": source.name}
    if source.kind == clonesource.SNAPSHOT:
        reference["apiGroup"] = kinds.SNAPSHOTS.group
    spec: dict[str, Any] = {"source": reference}
    for key in ("preallocation", "priorityClassName"):
        if volume["spec"].get(key) is not None:
            spec[key] = volume["spec"][key]
    return spec
