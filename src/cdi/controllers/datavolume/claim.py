"""The claim that a DataVolume gets: its metadata here, its spec by `cdi.storage.rendering`."""

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import annotations, labels, names, resources
from cdi.controllers import kinds, metadata
from cdi.controllers.datavolume import operation
from cdi.controllers.datavolume.operation import Operation
from cdi.controllers.importing import checkpoints, requests
from cdi.controllers.settings import Settings
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.storage import modes

# What kubectl last applied was a DataVolume; on a claim it would mislead `kubectl apply`. What
# workers report is true of the claim they filled, and of no other that gets a copy of its words.
_NOT_COPIED: Final = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        annotations.IMPORT_POD,
        annotations.POPULATED_FOR,  # only a finished DataVolume vouches for its claim
        *annotations.COPIED_FROM_PRIME,
    }
)


def claim_for(
    volume: Object,
    spec: Mapping[str, Any],
    settings: Settings,
    *,
    use_populator: bool,
    preallocate: bool,
    bind_at_once: bool,
) -> Object:
    """The claim to create. `spec` is complete; `bind_at_once` says that nobody waits for consumers.

    Through a populator the claim names what it is to be filled from; otherwise its annotations
    ask the import controller directly.
    """
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": objects.name(volume),
            "namespace": objects.namespace(volume),
            "labels": _labels(volume, spec, settings),
            "annotations": {
                **_annotations(volume, preallocate=preallocate),
                **_for_operation(volume, use_populator=use_populator, bind_at_once=bind_at_once),
            },
            "ownerReferences": [owners.owner_reference(volume)],
        },
        "spec": dict(spec) | (_data_source(volume) if _is_populated(volume, use_populator) else {}),
    }


def waiting_for_static(claim: Object, volumes: str) -> Object:
    """The claim as it waits for one of the named volumes, without anything that imports."""
    given = objects.annotations(claim)
    kept = {key: value for key, value in given.items() if not _imports(key)}
    wanted = {**claim, "metadata": {**claim["metadata"]}}
    wanted["metadata"]["annotations"] = {**kept, annotations.PERSISTENT_VOLUME_LIST: volumes}
    wanted["spec"] = {k: v for k, v in claim["spec"].items() if k != "dataSourceRef"}
    return wanted


def _imports(key: str) -> bool:
    return key.startswith((annotations.SOURCE.rpartition(".")[0], annotations.CHECKPOINT_CURRENT))


def _labels(volume: Object, spec: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    found = {labels.APP: labels.APP_VALUE}
    if (spec.get("volumeMode") or modes.FILESYSTEM) == modes.FILESYSTEM:
        found[labels.FILLING_UP_ALERT] = "disabled"
    return {**found, **objects.labels(volume), **metadata.recommended_labels(settings)}


def _annotations(volume: Object, *, preallocate: bool) -> dict[str, str]:
    wanted = volume["spec"]
    found = {
        **{k: v for k, v in objects.annotations(volume).items() if k not in _NOT_COPIED},
        annotations.POD_RESTARTS: "0",
        annotations.CONTENT_TYPE: requests.content_type_of(wanted.get("contentType")),
        annotations.PREALLOCATION_REQUESTED: str(preallocate).lower(),
        annotations.CREATED_FOR_DATA_VOLUME: objects.uid(volume),
    }
    if wanted.get("priorityClassName"):
        found[annotations.PRIORITY_CLASS] = wanted["priorityClassName"]
    if wanted.get("serviceAccountName"):
        found[annotations.SERVICE_ACCOUNT] = wanted["serviceAccountName"]
    return found


def _for_operation(volume: Object, *, use_populator: bool, bind_at_once: bool) -> dict[str, str]:
    if operation.operation_of(volume) is Operation.EXTERNAL:
        return {annotations.EXTERNAL_POPULATION: annotations.TRUE}
    if use_populator:
        return {annotations.BIND_IMMEDIATE: ""} if bind_at_once else {}
    source, wanted = operation.source_of(volume), volume["spec"]
    asked = requests.annotations_for(source)
    if requests.can_have_stages(source):
        final = wanted.get("finalCheckpoint") is True
        first = checkpoints.first(wanted.get("checkpoints") or (), final=final)
        asked |= {key: value for key, value in first.items() if value is not None}
    return asked


def _is_populated(volume: Object, use_populator: bool) -> bool:
    return use_populator and operation.operation_of(volume) is Operation.IMPORT


def _data_source(volume: Object) -> Object:
    return {
        "dataSourceRef": {
            "apiGroup": resources.CDI_GROUP,
            "kind": kinds.IMPORT_SOURCES.kind,
            "name": names.import_source_for(objects.uid(volume)),
        }
    }
