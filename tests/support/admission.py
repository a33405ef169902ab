"""A small cluster for admission rules: objects by lookup, and what users may do."""

import asyncio
from collections.abc import Iterable
from typing import Any

from cdi.web.admission import inquiry
from cdi.web.admission.decision import Decision
from cdi.web.admission.inquiry import Access, Get, List, Lookup
from cdi.web.admission.request import AdmissionRequest

Object = dict[str, Any]
Permission = tuple[str, str]  # resource, with its subresource after a slash, and namespace


class World:
    """Answers lookups: what is not there does not exist, what is not allowed is denied."""

    def __init__(self, found: dict[Lookup, Any], allowed: Iterable[Permission] = ()) -> None:
        self.found = found
        self.allowed = set(allowed)
        self.asked: list[Lookup] = []

    async def look(self, lookup: Lookup) -> Any:
        self.asked.append(lookup)
        if isinstance(lookup, Access):
            name = "/".join(filter(None, (lookup.resource, lookup.subresource)))
            return (name, lookup.namespace) in self.allowed
        if isinstance(lookup, List):
            return self.found.get(lookup, [])
        if isinstance(lookup, Get):
            return self.found.get(lookup)
        raise TypeError(lookup)

    def decide(self, rule: inquiry.Rule, request: AdmissionRequest) -> Decision:
        return asyncio.run(inquiry.settle(rule, request, self.look))
