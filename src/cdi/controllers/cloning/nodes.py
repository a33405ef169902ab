"""Whether one pod can have two volumes: both have to be reachable from one node. Pure."""

from __future__ import annotations

from cdi.kube import objects
from cdi.kube.objects import Object


def are_apart(one: Object | None, other: Object | None) -> bool:
    """Whether two PersistentVolumes are for certain on different nodes.

    Where a volume says nothing, or both say the same, they may be together; what neither says is
    found out by the scheduler.
    """
    first, second = _terms(one), _terms(other)
    return bool(first) and bool(second) and first != second


def _terms(volume: Object | None) -> object:
    return objects.get(volume, "spec", "nodeAffinity", "required", "nodeSelectorTerms")
