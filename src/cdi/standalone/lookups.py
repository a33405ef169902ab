"""
What admission rules ask about the cluster, answered from the store in the same process.

The answers are those that a webhook would get over HTTP, with no connection in between: current
objects, and what a user may do by the roles that exist at the moment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cdi.kube import selectors
from cdi.standalone.apiserver.authorization import Authorizer, Question
from cdi.standalone.apiserver.identity import User
from cdi.standalone.apiserver.objects import Objects
from cdi.standalone.store.record import Document, Key
from cdi.web.admission.inquiry import Access, Get, List, Lookup


class Lookups:
    """Answers from `objects()`, which is called once the API server has started."""

    def __init__(self, objects: Callable[[], Objects]) -> None:
        self._objects = objects

    async def __call__(self, lookup: Lookup) -> Any:
        match lookup:
            case Get():
                return self._one(lookup)
            case List():
                return self._every(lookup)
            case Access():
                return self._allows(lookup)

    def _one(self, lookup: Get) -> Document | None:
        entry = self._objects().store.get(Key(lookup.resource, lookup.namespace, lookup.name))
        return entry.document() if entry else None

    def _every(self, lookup: List) -> list[Document]:
        wanted = selectors.parse_selector(lookup.selector)
        documents = (
            entry.document() for _, entry in self._objects().store.entries(lookup.resource)
        )
        found = [document for document in documents if wanted.selects(document)]
        return found[: lookup.limit] if lookup.limit else found

    def _allows(self, lookup: Access) -> bool:
        asking = lookup.user
        user = User(
            asking.name,
            asking.groups,
            asking.uid,
            {key: list(values) for key, values in asking.extra.items()},
        )
        question = Question(
            lookup.verb,
            lookup.group,
            lookup.resource,
            lookup.subresource,
            lookup.namespace,
            lookup.name,
        )
        return Authorizer(self._objects().store).allows(user, question)
