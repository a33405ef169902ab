"""What the provisioners of a node watch, each kind once."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.binding import facts
from cdi.kube import objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.informer import Informer
from cdi.kube.objects import Key, Object, Objects
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, STORAGE_CLASSES

_BY_CLASS = "class"


@dataclass(frozen=True, slots=True)
class Watches:
    """Informers with the indexes that are needed here."""

    claims: Informer
    volumes: Informer
    classes: Informer

    @classmethod
    def on(cls, client: Client, clock: Clock) -> Watches:
        """Informers that are to be run by whoever called."""
        return cls(
            claims=Informer(
                client, PERSISTENT_VOLUME_CLAIMS, indexes={_BY_CLASS: _class_of}, clock=clock
            ),
            volumes=Informer(client, PERSISTENT_VOLUMES, clock=clock),
            classes=Informer(client, STORAGE_CLASSES, clock=clock),
        )

    def all(self) -> tuple[Informer, ...]:
        return self.claims, self.volumes, self.classes

    def claim(self, key: Key | None) -> Object | None:
        return self.claims.cache.get(key) if key is not None else None

    def volume(self, name: str) -> Object | None:
        return self.volumes.cache.get(Key("", name)) if name else None

    def storage_class(self, name: str) -> Object | None:
        return self.classes.cache.get(Key("", name)) if name else None

    def claims_of(self, storage_class: Object) -> Objects:
        """The claims that name a class."""
        return self.claims.cache.by_index(_BY_CLASS, objects.name(storage_class))


def _class_of(claim: Object) -> tuple[str, ...]:
    return (facts.class_name(claim),)
