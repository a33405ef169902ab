"""
Which kinds are served right now.

Here: look-up by URL, the version that objects are stored in, and a generation that grows when the
set changes, so that derived documents can be kept. Elsewhere: what a kind is (`schema.registry`),
when users' kinds come and go (`definitions`).
"""

from collections.abc import Iterable

from cdi.standalone.schema.registry import KindInfo

# Kinds that share their objects with another resource, under different field names.
_SHARED = {("events.k8s.io", "events"): "events"}


def resource_of(group: str, plural: str) -> str:
    """The store's name for a resource."""
    return _SHARED.get((group, plural)) or (f"{plural}.{group}" if group else plural)


class Catalog:
    """The built-in kinds plus those that CustomResourceDefinitions bring."""

    def __init__(self, builtin: Iterable[KindInfo]) -> None:
        self._builtin = tuple(builtin)
        self._defined: dict[str, tuple[KindInfo, ...]] = {}
        self.generation = 0
        self._rebuild()

    def find(self, group: str, version: str, plural: str) -> KindInfo | None:
        """The kind served at a URL."""
        return self._by_path.get((group, version, plural))

    def kind_of(self, api_version: str, kind: str) -> KindInfo | None:
        """The kind that an object or a reference names."""
        return self._by_kind.get((api_version, kind))

    def of_resource(self, resource: str) -> KindInfo | None:
        """The kind that the objects of a resource are stored as."""
        return self._stored.get(resource)

    def kinds(self) -> tuple[KindInfo, ...]:
        """All kinds, built-in ones first."""
        return (*self._builtin, *(kind for kinds in self._defined.values() for kind in kinds))

    def define(self, name: str, kinds: tuple[KindInfo, ...]) -> None:
        """Serve the kinds of the definition `name`, in place of those it had before."""
        self._defined[name] = kinds
        self._rebuild()

    def forget(self, name: str) -> None:
        """Stop serving the kinds of a definition; safe to repeat."""
        if self._defined.pop(name, None) is not None:
            self._rebuild()

    def _rebuild(self) -> None:
        self.generation += 1
        served = [kind for kind in self.kinds() if kind.served]
        self._by_path = {(kind.group, kind.version, kind.plural): kind for kind in served}
        self._by_kind = {(kind.api_version, kind.kind): kind for kind in served}
        self._stored = {
            resource_of(kind.group, kind.plural): kind
            for kind in self.kinds()
            if kind.storage and (kind.group, kind.plural) not in _SHARED
        }
