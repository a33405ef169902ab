"""
Whether a node is one that a pod's `nodeAffinity` requires; what it prefers moves nothing here.

A term that says nothing suits no node, as in Kubernetes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdi.kube import objects, selectors
from cdi.kube.objects import Object


def suits(pod: Object, node: Object) -> bool:
    """Whether one of the terms that a pod requires is true of the node, or it requires none."""
    required = objects.get(
        pod, "spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"
    )
    if required is None:
        return True
    return any(_holds(term, node) for term in required.get("nodeSelectorTerms") or [])


def _holds(term: Object, node: Object) -> bool:
    labels, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not (labels or fields):
        return False
    names = {"metadata.name": objects.name(node)}
    return _all(labels, objects.labels(node)) and _all(fields, names)


def _all(expressions: Sequence[Object], values: Mapping[str, str]) -> bool:
    try:
        return selectors.selector_for({"matchExpressions": expressions}).matches(values)
    except ValueError:
        return False
