"""
ResourceQuotas: what a namespace may hold, enforced as objects are written, and what it does hold.

Here: the check of one write, in Kubernetes' words, and `status.used`. Elsewhere: what an object
counts for (`schema.usage`), limits of single objects (`limits`).

The store itself is what is counted, not a status that follows it, and writes to a namespace with a
quota take turns from the check to the commit: two writes never share what is left for one. The
price is the sync of each of them; namespaces without a quota pay nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

from cdi.api import quantity
from cdi.api.quantity import Quantity
from cdi.standalone.apiserver import status
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.schema import usage
from cdi.standalone.schema.usage import Usage
from cdi.standalone.store.record import Entry, Key
from cdi.standalone.store.store import Store

Document = dict[str, Any]

RESOURCE = "resourcequotas"
# Kinds with more to count than themselves, and so with more to check when they change.
_MEASURED = frozenset({"pods", "persistentvolumeclaims", "services"})


class Quotas:
    """All quotas of all namespaces."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._measured: dict[Key, tuple[int, Usage]] = {}  # usage by the revision it is of

    def namespaces(self) -> set[str]:
        """The namespaces that have a quota."""
        return {key.namespace for key, _ in self._store.entries(RESOURCE)}

    @asynccontextmanager
    async def locked(self, namespace: str) -> AsyncIterator[None]:
        """Held from the check of a write to its commit; at once where there is no quota."""
        if not namespace or not self._store.entries(RESOURCE, namespace):
            yield
            return
        lock = self._locks.get(namespace)
        if lock is None:
            lock = self._locks[namespace] = asyncio.Lock()
        async with lock:
            yield

    def check(self, ref: ObjectRef, new: Document, old: Document | None) -> None:
        """Refuse what goes beyond a quota; call while it is locked. Raises ApiError (403)."""
        resource = ref.key.resource
        if not ref.namespace or (old is not None and resource not in _MEASURED):
            return
        for quota in self._quotas(ref.namespace):
            self._check(quota, ref, new, old)

    def used(self, quota: Document) -> Usage:
        """What the namespace of a quota holds of each thing that the quota is about."""
        namespace, hard = quota["metadata"]["namespace"], _hard(quota)
        total = dict.fromkeys(hard, usage.NONE)
        for resource in _resources_of(hard, self._store.resources()):
            for key, entry in self._store.entries(resource, namespace):
                if _is_about(quota, resource, entry):
                    counted = self._usage(key, entry)
                    total = usage.added(total, {n: counted[n] for n in hard if n in counted})
        return total

    def forget(self, keys: Iterable[Key]) -> None:
        """Keep no measure of objects that are gone."""
        for key in keys:
            self._measured.pop(key, None)

    def _quotas(self, namespace: str) -> Iterator[Document]:
        entries = self._store.entries(RESOURCE, namespace)
        for _, entry in sorted(entries, key=lambda found: found[0].name):
            yield entry.document()

    def _check(self, quota: Document, ref: ObjectRef, new: Document, old: Document | None) -> None:
        resource, hard = ref.key.resource, _hard(quota)
        if not _covers(quota, resource, new):
            return
        name = quota["metadata"]["name"]
        if resource == "pods" and old is None and (unstated := usage.unstated(new, hard)):
            listed = "; ".join(f"{what} for: {','.join(who)}" for what, who in unstated.items())
            why = f"failed quota: {name}: must specify {listed}"
            raise status.forbidden(ref.kind, ref.name, why)
        before = usage.of_object(resource, old) if old and _covers(quota, resource, old) else {}
        asked = {
            what: amount - before.get(what, usage.NONE)
            for what, amount in usage.of_object(resource, new).items()
            if what in hard
        }
        asked = {what: amount for what, amount in asked.items() if amount > usage.NONE}
        if not asked:
            return
        used = self.used(quota)
        beyond = sorted(what for what in asked if used[what] + asked[what] > hard[what])
        if beyond:
            why = (
                f"exceeded quota: {name}, requested: {_listed(asked, beyond)}, "
                f"used: {_listed(used, beyond)}, limited: {_listed(hard, beyond)}"
            )
            raise status.forbidden(ref.kind, ref.name, why)

    def _usage(self, key: Key, entry: Entry) -> Usage:
        known = self._measured.get(key)
        if known is not None and known[0] == entry.revision:
            return known[1]
        counted = usage.of_object(key.resource, entry.document())
        self._measured[key] = (entry.revision, counted)
        return counted


def _hard(quota: Document) -> Usage:
    given = (quota.get("spec") or {}).get("hard") or {}
    return {name: quantity.parse(text) for name, text in given.items()}


def _resources_of(hard: Iterable[str], known: Iterable[str]) -> set[str]:
    """The resources that the names in a quota are about."""
    found = set()
    for name in hard:
        if name.startswith("count/"):
            found.add(name.removeprefix("count/"))
        elif name.startswith("services."):
            found.add("services")
        elif name == "requests.storage" or usage.OF_CLASS in name:
            found.add("persistentvolumeclaims")
        elif name in usage.COUNTED:
            found.add(name)
        else:
            found.add("pods")
    return found & set(known)


def _is_about(quota: Document, resource: str, entry: Entry) -> bool:
    return not _scopes(quota) or _covers(quota, resource, entry.document())


def _covers(quota: Document, resource: str, document: Document) -> bool:
    """Whether a quota is about an object: its scopes, if it has any, are all about pods."""
    scopes = _scopes(quota)
    if not scopes:
        return True
    return resource == "pods" and all(usage.in_scope(document, *scope) for scope in scopes)


def _scopes(quota: Document) -> list[tuple[str, str, tuple[str, ...]]]:
    spec = quota.get("spec") or {}
    plain = [(name, "Exists", ()) for name in spec.get("scopes") or ()]
    chosen = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return plain + [
        (one["scopeName"], one["operator"], tuple(one.get("values") or ())) for one in chosen
    ]


def _listed(amounts: Mapping[str, Quantity], names: Iterable[str]) -> str:
    return ",".join(f"{name}={amounts[name]}" for name in names)


def status_of(quota: Document, used: Usage) -> Document:
    """The status that a quota should have."""
    hard = (quota.get("spec") or {}).get("hard") or {}
    return {"hard": dict(hard), "used": {name: str(used[name]) for name in sorted(used)}}
