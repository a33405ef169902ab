"""
Ownership: dependents go when their owners have gone, or stay behind as orphans, as asked.

Here: the graph of owners and dependents, and the three policies (background, foreground, orphan).
Elsewhere: marking an object for deletion (`deletion`); who feeds the changes (`housekeeping`).

The graph is rebuilt from the store at start, and every step is safe to repeat, so a crash at any
point loses nothing: what was due is found again.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from cdi.standalone.apiserver.deletion import FOREGROUND, ORPHAN
from cdi.standalone.apiserver.objects import Objects
from cdi.standalone.apiserver.options import DeleteOptions, WriteOptions
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.apiserver.status import ApiError
from cdi.standalone.store.record import Change, Key, Verb

Document = dict[str, Any]

_OPTIONS = WriteOptions(manager="garbage-collector", validation="Ignore")
_logger = logging.getLogger(__name__)


class Owner(msgspec.Struct, frozen=True, rename="camel"):
    """One ownerReference."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    block_owner_deletion: bool = False


class _Metadata(msgspec.Struct, rename="camel"):
    uid: str = ""
    owner_references: list[Owner] | None = None
    finalizers: list[str] | None = None
    deletion_timestamp: str | None = None


class _Head(msgspec.Struct):
    metadata: _Metadata


_head = msgspec.json.Decoder(_Head)


@dataclass(frozen=True, slots=True)
class Node:
    """What the graph knows of one object."""

    key: Key
    uid: str
    owners: tuple[Owner, ...]
    finalizers: tuple[str, ...]
    deleting: bool


def node_of(key: Key, body: bytes) -> Node:
    """The node for a stored object; only the metadata is decoded."""
    metadata = _head.decode(body).metadata
    return Node(
        key,
        metadata.uid,
        tuple(metadata.owner_references or ()),
        tuple(metadata.finalizers or ()),
        metadata.deletion_timestamp is not None,
    )


class Graph:
    """Owners and dependents, by uid. No I/O."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._dependents: dict[str, set[str]] = {}

    def put(self, node: Node) -> None:
        """Add an object or replace what is known of it."""
        self.drop(node.uid)
        if not node.owners and not node.finalizers and not node.deleting:
            return  # an object like most: nothing follows from it until somebody points to it
        self.nodes[node.uid] = node
        for owner in node.owners:
            self._dependents.setdefault(owner.uid, set()).add(node.uid)

    def drop(self, uid: str) -> None:
        """Forget an object; its dependents stay known by its uid."""
        node = self.nodes.pop(uid, None)
        for owner in node.owners if node else ():
            others = self._dependents.get(owner.uid)
            if others is not None:
                others.discard(uid)
                if not others:
                    del self._dependents[owner.uid]

    def dependents(self, uid: str) -> list[Node]:
        """The objects that name `uid` as an owner."""
        return [self.nodes[one] for one in sorted(self._dependents.get(uid, ()))]


class Garbage:
    """Acts on the graph, one object at a time."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._graph = Graph()

    def load(self) -> list[str]:
        """Build the graph from the store; the uids that deserve a look."""
        self._graph = Graph()
        store = self._objects.store
        for resource in store.resources():
            for key, entry in store.entries(resource):
                self._graph.put(node_of(key, entry.body))
        return list(self._graph.nodes)

    def observe(self, changes: Iterable[Change]) -> list[str]:
        """Take changes into the graph; the uids that deserve a look."""
        due: dict[str, None] = {}
        for change in changes:
            node = node_of(change.key, change.body)
            if change.verb is Verb.DELETED:
                due |= dict.fromkeys(n.uid for n in self._graph.dependents(node.uid))
                due |= dict.fromkeys(owner.uid for owner in node.owners)
                self._graph.drop(node.uid)
                due.pop(node.uid, None)
                continue
            before = self._graph.nodes.get(node.uid)
            self._graph.put(node)
            if node.deleting or node.owners != (before.owners if before else ()):
                due[node.uid] = None
            if before and before.owners != node.owners:
                due |= dict.fromkeys(owner.uid for owner in before.owners)
        return list(due)

    async def settle(self, uid: str) -> None:
        """Do what is due for one object: finish its deletion, or delete it with its owners."""
        node = self._graph.nodes.get(uid)
        if node is None:
            return
        if node.deleting and ORPHAN in node.finalizers:
            await self._orphan(node)
        elif node.deleting and FOREGROUND in node.finalizers:
            await self._foreground(node)
        elif node.owners and not node.deleting:
            await self._follow(node)

    async def _orphan(self, node: Node) -> None:
        for dependent in self._graph.dependents(node.uid):
            await self._modify(dependent, lambda live: without_owners(live, {node.uid}))
        await self._modify(node, lambda live: without_finalizer(live, ORPHAN))

    async def _foreground(self, node: Node) -> None:
        """Delete the dependents; the owner goes when none that blocks it is left."""
        dependents = self._graph.dependents(node.uid)
        for dependent in dependents:
            if not dependent.deleting:
                await self.settle(dependent.uid)
        left = [
            dependent
            for dependent in self._graph.dependents(node.uid)
            if self._exists(dependent)
            and any(o.uid == node.uid and o.block_owner_deletion for o in dependent.owners)
        ]
        if not left:
            await self._modify(node, lambda live: without_finalizer(live, FOREGROUND))

    async def _follow(self, node: Node) -> None:
        """Delete an object whose owners are all gone or going; else drop the dead references."""
        gone = {owner.uid for owner in node.owners if not self._owner_exists(node, owner)}
        waiting = {owner.uid for owner in node.owners if self._waits(owner)} - gone
        if not gone and not waiting:
            return
        if len(gone) + len(waiting) < len(node.owners):
            if gone:
                await self._modify(node, lambda live: without_owners(live, gone))
            return
        policy = ""
        if waiting and self._graph.dependents(node.uid):
            policy = "Foreground"
        ref = self._ref(node)
        if ref is not None:
            try:
                await self._objects.delete(ref, DeleteOptions(policy=policy, uid=node.uid))
            except ApiError as error:
                if error.code not in (404, 409):
                    raise

    def _waits(self, owner: Owner) -> bool:
        """Whether the owner is being deleted in the foreground."""
        node = self._graph.nodes.get(owner.uid)
        return node is not None and node.deleting and FOREGROUND in node.finalizers

    def _owner_exists(self, node: Node, owner: Owner) -> bool:
        kind = self._objects.catalog.kind_of(owner.api_version, owner.kind)
        if kind is None:
            return True  # a kind that nobody serves: nothing can be concluded
        namespace = node.key.namespace if kind.namespaced else ""
        if kind.namespaced and not namespace:
            return True  # a cluster object cannot have an owner in a namespace; leave it alone
        entry = self._objects.store.get(ObjectRef(kind, namespace, owner.name).key)
        return entry is not None and _head.decode(entry.body).metadata.uid == owner.uid

    def _exists(self, node: Node) -> bool:
        entry = self._objects.store.get(node.key)
        return entry is not None and _head.decode(entry.body).metadata.uid == node.uid

    def _ref(self, node: Node) -> ObjectRef | None:
        kind = self._objects.catalog.of_resource(node.key.resource)
        return ObjectRef(kind, node.key.namespace, node.key.name) if kind else None

    async def _modify(self, node: Node, produce: Any) -> None:
        ref = self._ref(node)
        if ref is None:
            return
        try:
            await self._objects.modify(ref, produce, _OPTIONS)
        except ApiError as error:
            if error.code != 404:
                raise


def without_owners(live: Document, uids: set[str]) -> Document:
    """The object without references to some owners."""
    metadata = live["metadata"]
    references = metadata.get("ownerReferences") or []
    metadata["ownerReferences"] = [ref for ref in references if ref.get("uid") not in uids]
    if not metadata["ownerReferences"]:
        del metadata["ownerReferences"]
    return live


def without_finalizer(live: Document, name: str) -> Document:
    """The object without one finalizer."""
    metadata = live["metadata"]
    metadata["finalizers"] = [one for one in metadata.get("finalizers") or () if one != name]
    if not metadata["finalizers"]:
        del metadata["finalizers"]
    return live
