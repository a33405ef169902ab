"""What an operator watches, and by which marks it knows what it has made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from cdi.kube.managed import Marks
from cdi.kube.objects import Object
from cdi.kube.resource import Resource


@dataclass(frozen=True, kw_only=True)
class Kinds:
    """The kinds of one operator."""

    owner: Resource  # for whose objects it works
    managed: tuple[Resource, ...]  # what it makes, in every cluster
    optional: tuple[Resource, ...] = ()  # what only some clusters have, perhaps from tomorrow on
    watched: tuple[Resource, ...] = ()  # what it looks at, besides
    selector: str = ""  # labels of what it has made
    whole: tuple[Resource, ...] = ()  # of these, objects without those labels matter, too
    marks: Marks

    def resource_of(self, obj: Object) -> Resource:
        """The kind of an object that the operator makes."""
        return self._by_kind[obj["kind"]]

    @cached_property
    def _by_kind(self) -> Mapping[str, Resource]:
        return {each.kind: each for each in (*self.managed, *self.optional)}
