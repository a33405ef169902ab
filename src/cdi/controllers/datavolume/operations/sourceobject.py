"""The object with which a DataVolume tells one of our populators what it wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cdi.api import resources
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import Resource


@dataclass(frozen=True, slots=True)
class SourceObject:
    """One kind of them: how it is called, made, and kept as its DataVolume says.

    It is there while there is something to fill, and goes once the DataVolume has succeeded.
    """

    resource: Resource
    cache: str  # of `cluster.Cluster`
    name_for: Callable[[str], str]  # from the UID of the DataVolume
    create: Callable[[Object], Object]  # from the DataVolume
    updated: Callable[[Object, Object], Object]  # from what there is, and the DataVolume
    # From the DataVolume and its claim, if there is one.
    namespace_for: Callable[[Object, Object | None], str] = lambda volume, _claim: (
        objects.namespace(volume)
    )

    def fills(self, claim: Object) -> bool:
        """Whether this kind's populator fills a claim."""
        return bool(objects.get(claim, "spec", "dataSourceRef", "kind") == self.resource.kind)

    def reference_for(self, volume: Object) -> Object:
        """What the claim of a DataVolume says as its `dataSourceRef`."""
        return {
            "apiGroup": resources.CDI_GROUP,
            "kind": self.resource.kind,
            "name": self.name_for(objects.uid(volume)),
        }
