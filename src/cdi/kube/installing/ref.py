"""How an object is told from others. Pure."""

from __future__ import annotations

from typing import NamedTuple

from cdi.kube import objects
from cdi.kube.objects import Object


class Ref(NamedTuple):
    """Which object."""

    kind: str
    namespace: str
    name: str


def ref_of(obj: Object) -> Ref:
    """By what an object is known."""
    return Ref(obj["kind"], objects.namespace(obj), objects.name(obj))
