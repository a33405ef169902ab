"""
What an operator sees of the cluster: what it manages, and APIs that may appear later.

Managed objects are told by their label, so that nobody else's fill memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cdi.kube import objects
from cdi.kube.cache import Change
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.informer import Informer
from cdi.kube.installing.kinds import Kinds
from cdi.kube.installing.ref import Ref
from cdi.kube.objects import Object, Objects
from cdi.kube.optional import OptionalApis
from cdi.kube.resource import Resource


class Watches:
    """Informers of everything that is managed; `informers` are parts for a manager."""

    def __init__(self, client: Client, kinds: Kinds, namespace: str, clock: Clock) -> None:
        self._client, self._kinds = client, kinds
        self._namespace, self._clock = namespace, clock
        self.owners = Informer(client, kinds.owner, clock=clock)
        self.managed: Mapping[str, Informer] = {
            each.kind: self._informer(each) for each in (*kinds.managed, *kinds.watched)
        }
        self.optional = OptionalApis(client, kinds.optional, self._informer, clock)

    @property
    def informers(self) -> tuple[Informer, ...]:
        return (self.owners, *self.managed.values())

    @property
    def synced(self) -> bool:
        """Whether everything that is watched is known."""
        return all(each.synced for each in self.informers)

    def on_change(self, handler: Callable[[Change], None]) -> None:
        """Call `handler` for every change of whatever is watched, now or later."""
        for informer in self.informers:
            informer.on_change(handler)
        self.optional.on_change(handler)

    def current(self) -> dict[Ref, Object]:
        """All objects that are known, by what they are called."""
        watched = {**self.managed, **self.optional.informers}
        return {
            Ref(kind, objects.namespace(each), objects.name(each)): each
            for kind, informer in watched.items()
            for each in informer.cache.list()
        }

    def all_of(self, resource: Resource) -> Objects:
        """Objects of an optional kind; none where there is no such API."""
        informer = self.optional.informers.get(resource.kind)
        return informer.cache.list() if informer is not None else []

    def has(self, resource: Resource) -> bool:
        """Whether the API of an optional kind is there, and its objects are known."""
        informer = self.optional.informers.get(resource.kind)
        return informer is not None and informer.synced

    def _informer(self, resource: Resource) -> Informer:
        return Informer(
            self._client,
            resource,
            self._namespace if resource.namespaced else None,
            labels="" if resource in self._kinds.whole else self._kinds.selector,
            clock=self._clock,
        )
