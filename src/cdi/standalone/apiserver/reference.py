"""
Where an operation acts: a kind, a namespace, a name and perhaps a subresource.
"""

from dataclasses import dataclass

from cdi.standalone.apiserver.catalog import resource_of
from cdi.standalone.schema.registry import KindInfo
from cdi.standalone.store.record import Key


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object (or, with an empty name, one collection) of a kind."""

    kind: KindInfo
    namespace: str
    name: str
    subresource: str = ""

    @property
    def key(self) -> Key:
        """Where the store keeps it."""
        return Key(resource_of(self.kind.group, self.kind.plural), self.namespace, self.name)
