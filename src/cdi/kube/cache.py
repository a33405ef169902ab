"""
The objects of one kind as last seen, found by key, namespace or index.

Here: the store and what each write to it means for others, as `Change` values. No I/O and no
lock: it belongs to one event loop. Elsewhere: who feeds it (`informer`).

What is read from a cache is the stored object itself, shared by all readers: treat it as
read-only, and copy before changing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from cdi.kube import objects
from cdi.kube.objects import Key, Object, Objects
from cdi.kube.selectors import Selector

log = logging.getLogger(__name__)

IndexFunction: TypeAlias = Callable[[Object], Iterable[str]]


class ChangeType(StrEnum):
    ADDED = "added"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to one object: `old` is its last known state, `new` is None once it is gone."""

    old: Object | None
    new: Object | None

    @property
    def type(self) -> ChangeType:
        if self.old is None:
            return ChangeType.ADDED
        return ChangeType.DELETED if self.new is None else ChangeType.UPDATED

    @property
    def states(self) -> tuple[Object, ...]:
        """The states that there are, old before new."""
        return tuple(state for state in (self.old, self.new) if state is not None)


# Inside the class, `list` is the method.
_ChangeList: TypeAlias = list[Change]


class Cache:
    """Objects by key, with indexes: an index function names the values under which an object
    can be found, none, one or several."""

    def __init__(self, indexes: Mapping[str, IndexFunction] | None = None) -> None:
        self._functions = dict(indexes or {})
        self._objects: dict[Key, Object] = {}
        self._namespaces: dict[str, dict[Key, None]] = {}
        self._indexes: dict[str, dict[str, dict[Key, None]]] = {
            index: {} for index in self._functions
        }
        # The values an object was filed under, so that it is found again when it is removed.
        self._filed: dict[Key, tuple[tuple[str, ...], ...]] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: object) -> bool:
        return key in self._objects

    def get(self, key: Key) -> Object | None:
        return self._objects.get(key)

    def keys(self) -> Collection[Key]:
        return self._objects.keys()

    def list(self, namespace: str | None = None, selector: Selector | None = None) -> Objects:
        """The objects in a namespace, or with None in all, whose labels match."""
        if namespace is None:
            found: Iterable[Object] = self._objects.values()
        else:
            found = (self._objects[key] for key in self._namespaces.get(namespace, ()))
        return [obj for obj in found if selector is None or selector.selects(obj)]

    def by_index(self, index: str, value: str) -> Objects:
        """The objects that an index files under a value. Raises KeyError for an unknown index."""
        return [self._objects[key] for key in self._indexes[index].get(value, ())]

    def add_index(self, index: str, function: IndexFunction) -> None:
        """Add an index before or after objects are there. Raises ValueError if it exists."""
        if index in self._functions:
            raise ValueError(f"index {index!r} exists")
        everything = self.list()
        self._functions[index] = function
        self._indexes[index] = {}
        for obj in everything:
            self._store(objects.key(obj), obj)

    def upsert(self, obj: Object) -> tuple[Change, ...]:
        """Take in an object as it is now; nothing happens where exactly it is known already."""
        key = objects.key(obj)
        old = self._objects.get(key)
        if old is not None and _same_version(old, obj):
            return ()
        self._store(key, obj)
        if old is not None and objects.uid(old) != objects.uid(obj):
            # Deleted and made again between two looks: another object, not a new state.
            return Change(old, None), Change(None, obj)
        return (Change(old, obj),)

    def remove(self, obj: Object) -> tuple[Change, ...]:
        """Take out the object of this key; `obj` is the last state that the server saw."""
        key = objects.key(obj)
        if key not in self._objects:
            return ()
        self._drop(key)
        return (Change(obj, None),)

    def replace(self, everything: Iterable[Object]) -> tuple[Change, ...]:
        """Take in a complete list: what is not in it is gone, with its last known state."""
        fresh = {objects.key(obj): obj for obj in everything}
        changes: _ChangeList = []
        for key in [key for key in self._objects if key not in fresh]:
            changes += self.remove(self._objects[key])
        for obj in fresh.values():
            changes += self.upsert(obj)
        return tuple(changes)

    def _store(self, key: Key, obj: Object) -> None:
        if key in self._objects:
            self._unfile(key)
        self._objects[key] = obj
        self._namespaces.setdefault(key.namespace, {})[key] = None
        if not self._functions:
            return
        filed = tuple(self._values(index, obj) for index in self._functions)
        self._filed[key] = filed
        for index, values in zip(self._functions, filed, strict=True):
            for value in values:
                self._indexes[index].setdefault(value, {})[key] = None

    def _drop(self, key: Key) -> None:
        del self._objects[key]
        _discard(self._namespaces, key.namespace, key)
        self._unfile(key)

    def _unfile(self, key: Key) -> None:
        for index, values in zip(self._functions, self._filed.pop(key, ()), strict=False):
            for value in values:
                _discard(self._indexes[index], value, key)

    def _values(self, index: str, obj: Object) -> tuple[str, ...]:
        try:
            return tuple(self._functions[index](obj))
        except Exception:  # one odd object must not end the watch of all others
            log.exception("index function failed", extra={"index": index})
            return ()


def _same_version(one: Object, other: Object) -> bool:
    version = objects.resource_version(one)
    return (
        version != ""
        and version == objects.resource_version(other)
        and objects.uid(one) == objects.uid(other)
    )


def _discard(shelves: dict[str, dict[Key, None]], value: str, key: Key) -> None:
    shelf = shelves.get(value)
    if shelf is not None:
        shelf.pop(key, None)
        if not shelf:
            del shelves[value]
