"""The claim that a DataVolume gets: its metadata here, its spec by `cdi.storage.rendering`."""

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import annotations, labels, workorder
from cdi.controllers import metadata
from cdi.controllers.datavolume.operations.operation import Operation
from cdi.controllers.datavolume.operations.sourceobject import SourceObject
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
        annotations.UPLOAD_POD,
        annotations.UPLOAD_CLIENT,
        # Of the DataVolume itself; its claim gets its own.
        annotations.CLONE_TOKEN,
        annotations.EXTENDED_CLONE_TOKEN,
        annotations.POPULATED_FOR,  # only a finished DataVolume vouches for its claim
        *annotations.LEARNED_FROM_PRIME,
    }
)


def claim_for(
    volume: Object,
    spec: Mapping[str, Any],
    settings: Settings,
    operation: Operation,
    *,
    use_populator: bool,
    preallocate: bool,
    bind_at_once: bool,
) -> Object:
    """The claim to create. `spec` is complete; `bind_at_once` says that nobody waits for consumers.

    Through a populator the claim names what it is to be filled from; otherwise its annotations
    ask the controller of the operation directly.
    """
    populator = operation.source_object if use_populator else None
    filled_from = {"dataSourceRef": populator.reference_for(volume)} if populator else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": objects.name(volume),
            "namespace": objects.namespace(volume),
            "labels": _labels(volume, spec, settings),
            "annotations": {
                **_annotations(volume, preallocate=preallocate),
                **_asked(volume, operation, populator, bind_at_once=bind_at_once),
            },
            "ownerReferences": [owners.owner_reference(volume)],
        },
        "spec": dict(spec) | filled_from,
    }


def waiting_for_static(claim: Object, volumes: str, operation: Operation) -> Object:
    """The claim as it waits for one of the named volumes, without anything that fills it."""
    given = objects.annotations(claim)
    kept = {key: value for key, value in given.items() if not operation.is_request(key)}
    wanted = {**claim, "metadata": {**claim["metadata"]}}
    wanted["metadata"]["annotations"] = {**kept, annotations.PERSISTENT_VOLUME_LIST: volumes}
    wanted["spec"] = {k: v for k, v in claim["spec"].items() if k != "dataSourceRef"}
    return wanted


def _labels(volume: Object, spec: Mapping[str, Any], settings: Settings) -> dict[str, str]:
    found = {labels.APP: labels.APP_VALUE}
    if (spec.get("volumeMode") or modes.FILESYSTEM) == modes.FILESYSTEM:
        found[labels.FILLING_UP_ALERT] = "disabled"
    return {**found, **objects.labels(volume), **metadata.recommended_labels(settings)}


def _annotations(volume: Object, *, preallocate: bool) -> dict[str, str]:
    wanted = volume["spec"]
    found = {
        **metadata.fitting(
            {k: v for k, v in objects.annotations(volume).items() if k not in _NOT_COPIED}
        ),
        annotations.POD_RESTARTS: "0",
        annotations.CONTENT_TYPE: workorder.content_type_of(wanted.get("contentType")),
        annotations.PREALLOCATION_REQUESTED: str(preallocate).lower(),
        annotations.CREATED_FOR_DATA_VOLUME: objects.uid(volume),
    }
    if wanted.get("priorityClassName"):
        found[annotations.PRIORITY_CLASS] = wanted["priorityClassName"]
    if wanted.get("serviceAccountName"):
        found[annotations.SERVICE_ACCOUNT] = wanted["serviceAccountName"]
    return found


def _asked(
    volume: Object, operation: Operation, populator: SourceObject | None, *, bind_at_once: bool
) -> Mapping[str, str]:
    """What is asked of whom: of the operation's controller here, of a populator elsewhere."""
    if populator is None:
        return operation.request(volume)
    at_once = {annotations.BIND_IMMEDIATE: ""} if bind_at_once else {}
    return {**at_once, **operation.beside_reference(volume)}
