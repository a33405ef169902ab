"""
What the server itself writes into an object: identity, generation, status separation.

Here: pure functions from the request's object (and the live one) to the object to store.
Elsewhere: schema rules (`schema.admit`), managed fields (`schema.fields`), deletion (`deletion`).
"""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cdi.standalone.apiserver.timestamps import rfc3339
from cdi.standalone.schema.registry import KindInfo

Document = dict[str, Any]


# What stays as it was, whatever an update says.
_SERVER_OWNED = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")

# Built-in groups whose objects count their generations; every custom resource does.
_GENERATION_GROUPS = frozenset(
    {"apps", "batch", "apiextensions.k8s.io", "policy", "networking.k8s.io", "autoscaling"}
)

# The status of a new object where it is not empty, by kind.
_FIRST_STATUS: Mapping[tuple[str, str], Document] = {
    ("", "Namespace"): {"phase": "Active"},
    ("", "Pod"): {"phase": "Pending", "qosClass": "BestEffort"},
    ("", "PersistentVolumeClaim"): {"phase": "Pending"},
    ("", "PersistentVolume"): {"phase": "Pending"},
    ("", "Service"): {"loadBalancer": {}},
}
# Kinds that arrive with their status: the node agent registers nodes this way.
_STATUS_AT_CREATE = frozenset({("", "Node"), ("", "Event")})


def counts_generations(kind: KindInfo) -> bool:
    """Whether the kind's objects carry metadata.generation."""
    return kind.custom or kind.group in _GENERATION_GROUPS


def prepared_for_create(kind: KindInfo, document: Document, now: datetime) -> Document:
    """A new object with its identity and without what clients may not set."""
    metadata = dict(document.get("metadata") or {})
    for name in ("resourceVersion", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds"):
        metadata.pop(name, None)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = rfc3339(now)
    metadata.pop("generation", None)
    if counts_generations(kind):
        metadata["generation"] = 1
    prepared = {**document, "metadata": metadata}
    place = (kind.group, kind.kind)
    if "status" in kind.subresources and place not in _STATUS_AT_CREATE:
        prepared.pop("status", None)
        if place in _FIRST_STATUS:
            prepared["status"] = dict(_FIRST_STATUS[place])
    if place == ("", "Namespace"):
        prepared["spec"] = {**(prepared.get("spec") or {}), "finalizers": ["kubernetes"]}
    return prepared


def prepared_for_update(
    kind: KindInfo, live: Document, document: Document, subresource: str
) -> Document:
    """The object that replaces `live`: nothing changed that this request may not change."""
    if subresource == "status":
        prepared = _with_new_status(kind, live, document)
    else:
        prepared = {**document, "metadata": _carried(live, document)}
        if "status" in kind.subresources:
            prepared.pop("status", None)
            if "status" in live:
                prepared["status"] = live["status"]
        if (kind.group, kind.kind) == ("", "Namespace") and subresource != "finalize":
            spec = {**(prepared.get("spec") or {})}
            spec["finalizers"] = (live.get("spec") or {}).get("finalizers", [])
            prepared["spec"] = spec
    if counts_generations(kind):
        generation = live["metadata"].get("generation", 1)
        changed = _intent(kind, prepared) != _intent(kind, live)
        prepared["metadata"]["generation"] = generation + changed
    return prepared


def _carried(live: Document, document: Document) -> Document:
    metadata = {
        key: value
        for key, value in (document.get("metadata") or {}).items()
        if key not in (*_SERVER_OWNED, "selfLink", "resourceVersion", "generation")
    }
    old = live["metadata"]
    carried = {key: old[key] for key in (*_SERVER_OWNED, "generation") if key in old}
    return {**metadata, **carried}


def _with_new_status(kind: KindInfo, live: Document, document: Document) -> Document:
    prepared = {key: value for key, value in live.items() if key != "status"}
    if "status" in document:
        prepared["status"] = document["status"]
    metadata = dict(live["metadata"])
    given = document.get("metadata") or {}
    if "managedFields" in given:
        metadata["managedFields"] = given["managedFields"]
    if not kind.group and kind.kind in ("Pod", "Node"):
        # These two let their agent annotate and label through the status.
        for key in ("labels", "annotations"):
            if key in given:
                metadata[key] = given[key]
    prepared["metadata"] = metadata
    return prepared


def _intent(kind: KindInfo, document: Document) -> Document:
    """The part of an object whose change counts as a new generation."""
    ignored = {"metadata", "apiVersion", "kind"}
    if "status" in kind.subresources:
        ignored.add("status")
    return {key: value for key, value in document.items() if key not in ignored}


def same_content(one: Document, other: Document) -> bool:
    """Whether two states differ in nothing but when and where they were written."""
    return _content(one) == _content(other)


def _content(document: Document) -> Document:
    metadata = {
        key: value
        for key, value in document.get("metadata", {}).items()
        if key not in ("resourceVersion", "managedFields")
    }
    managed = [
        {key: value for key, value in entry.items() if key != "time"}
        for entry in document.get("metadata", {}).get("managedFields") or ()
    ]
    return {**document, "metadata": {**metadata, "managedFields": managed}}
