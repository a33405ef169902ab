"""
The `scale` subresource: the number of replicas of a kind that has such a number.

Here: from an object to its Scale and back, by the paths that the kind names. Elsewhere: HTTP
(`rest`), writing (`objects`). What is written is the object itself; everything that watches over
its updates watches over these, too.
"""

import copy
from typing import Any

from cdi.kube import selectors
from cdi.standalone.apiserver import status
from cdi.standalone.schema import causes
from cdi.standalone.schema.registry import KindInfo

Document = dict[str, Any]

NAME, GROUP, VERSION, KIND = "scale", "autoscaling", "v1", "Scale"
VERBS = ("get", "patch", "update")
_SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(kind: KindInfo, document: Document) -> Document:
    """The Scale of an object."""
    if kind.scale is None:
        raise LookupError(f"{kind.kind} has no scale")
    replicas = _at(document, kind.scale.spec_replicas_path) or 0
    shown: Document = {"replicas": _at(document, kind.scale.status_replicas_path) or 0}
    if selector := _selector(kind, document):
        shown["selector"] = selector
    metadata = document["metadata"]
    return {
        "kind": KIND,
        "apiVersion": f"{GROUP}/{VERSION}",
        "metadata": {key: metadata[key] for key in _SHOWN if key in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": shown,
    }


def scaled(kind: KindInfo, document: Document, scale: Document) -> Document:
    """The object with the replicas of a Scale. Raises ApiError (409, 422)."""
    if kind.scale is None:
        raise LookupError(f"{kind.kind} has no scale")
    metadata = document["metadata"]
    revision = (scale.get("metadata") or {}).get("resourceVersion")
    if revision and revision != metadata["resourceVersion"]:
        raise status.conflict(kind, metadata["name"])
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        path = kind.scale.spec_replicas_path
        wrong = causes.invalid(path, replicas, "should be a non-negative integer")
        raise status.invalid(kind, metadata["name"], [wrong])
    made = copy.deepcopy(document)
    *steps, last = kind.scale.spec_replicas_path.removeprefix(".").split(".")
    place = made
    for step in steps:
        place = place.setdefault(step, {})
    place[last] = replicas
    return made


def _selector(kind: KindInfo, document: Document) -> str:
    if kind.custom:
        path = kind.scale.label_selector_path if kind.scale else ""
        return str(_at(document, path) or "") if path else ""
    selector = (document.get("spec") or {}).get("selector") or {}
    if "matchLabels" in selector or "matchExpressions" in selector:
        return str(selectors.selector_for(selector))
    return str(selectors.selector_of_labels(selector))


def _at(document: Document, path: str) -> Any:
    value: Any = document
    for step in path.removeprefix(".").split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
