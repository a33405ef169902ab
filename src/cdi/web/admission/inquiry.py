"""
What a rule may ask about the cluster, as values; and who goes to find out.

A rule is a pure function of the request and of what has been seen. Where it needs something
that has not been looked up yet, `Seen` raises NotSeen with the question; `settle` looks it up
and asks the rule again, until it answers. So a rule says what it needs by needing it, only what
a case really needs is looked up, and a test hands in a dict.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from cdi.kube.reviews import User
from cdi.web.admission import decision
from cdi.web.admission.decision import Decision
from cdi.web.admission.request import AdmissionRequest

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Get:
    """One object, or None if it does not exist. The resource is qualified."""

    resource: str
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class List:
    """Objects of all namespaces, at most `limit` of them if that is not 0."""

    resource: str
    selector: str = ""
    limit: int = 0


@dataclass(frozen=True, slots=True)
class Access:
    """Whether a user may do something: True or False."""

    user: User
    verb: str
    resource: str
    namespace: str
    name: str
    group: str = ""
    subresource: str = ""


Lookup: TypeAlias = Get | List | Access


class NotSeen(Exception):
    """The rule needs to know this before it can answer."""

    def __init__(self, lookup: Lookup) -> None:
        super().__init__(str(lookup))
        self.lookup = lookup


class LookupFailed(Exception):
    """The cluster could not be asked; the text says why. Raised by whoever looks things up."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What has been looked up for one request."""

    answers: Mapping[Lookup, Any] = field(default_factory=dict)

    def one(self, lookup: Get) -> Object | None:
        found: Object | None = self._answer(lookup)
        return found

    def every(self, lookup: List) -> list[Object]:
        return list(self._answer(lookup))

    def may(self, lookup: Access) -> bool:
        return bool(self._answer(lookup))

    def _answer(self, lookup: Lookup) -> Any:
        try:
            return self.answers[lookup]
        except KeyError:
            raise NotSeen(lookup) from None


Rule: TypeAlias = Callable[[AdmissionRequest, Seen], Decision]
Look: TypeAlias = Callable[[Lookup], Awaitable[Any]]


def needs(rule: Rule, request: AdmissionRequest, seen: Seen) -> Lookup | None:
    """Return what has to be looked up next for this request; None when the rule can answer."""
    try:
        rule(request, seen)
    except NotSeen as missing:
        return missing.lookup
    return None


async def settle(rule: Rule, request: AdmissionRequest, look: Look) -> Decision:
    """Return the rule's answer, looking up what it asks for. What fails to be looked up denies."""
    answers: dict[Lookup, Any] = {}
    while True:
        try:
            return rule(request, Seen(answers))
        except NotSeen as missing:
            try:
                answers[missing.lookup] = await look(missing.lookup)
            except LookupFailed as failure:
                return decision.error(str(failure))
