"""
Which events are worth writing: repeated ones are counted, similar ones joined, floods stopped.

Here: the decision, from an event and the time, with no I/O. Elsewhere: writing (`events`).

The rules are those that `kubectl describe` users know: the same event within a window becomes
a higher count of the first one; more than a handful of events that differ in their message only
become one "combined" event; and each object has a budget of events, and another one of repeats,
so that what is told again and again never costs what is new its place. Times are in seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from cdi.kube.ratelimit import TokenBucket

K = TypeVar("K")
V = TypeVar("V")

WINDOW = 600.0  # an event seen longer ago than this starts anew
SIMILAR = 10  # so many different messages of one reason are written one by one
BURST = 25  # events of one object at once ...
RATE = 1 / 300  # ... and a second after that
REPEATS = BURST - 1  # counts that are raised at once; what comes between two of them is added
REMEMBERED = 4096  # keys of each sort; beyond that the longest unused are forgotten
COMBINED = "(combined from similar events): "


@dataclass(frozen=True, slots=True)
class Occurrence:
    """Something that happened to an object. Two equal ones are the same event again."""

    kind: str
    namespace: str
    name: str
    uid: str
    type: str
    reason: str
    message: str

    @property
    def object(self) -> tuple[str, ...]:
        return self.kind, self.namespace, self.name, self.uid

    @property
    def similarity(self) -> tuple[str, ...]:
        """What it has in common with events that differ in their message only."""
        return *self.object, self.type, self.reason


@dataclass(frozen=True, slots=True)
class Fresh:
    """Write a new event, under this message; its count is 1."""

    key: Occurrence | tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Again:
    """Raise the count of an event that was written before."""

    key: Occurrence | tuple[str, ...]
    event_name: str
    count: int
    message: str


@dataclass(frozen=True, slots=True)
class Drop:
    """Write nothing: the object has used up its budget."""


Decision: TypeAlias = Fresh | Again | Drop


@dataclass(slots=True)
class _Similar:
    last: float
    messages: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Written:
    event_name: str
    count: int
    last: float
    missed: int = 0  # repeats that were not worth a write of their own


class Recent(Generic[K, V]):
    """A dict that forgets the longest unused entries."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        self._entries.pop(key, None)


class Correlator:
    """Remembers what was written, and decides what to write next."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._budgets: Recent[tuple[str, ...], TokenBucket] = Recent(size)
        self._repeats: Recent[tuple[str, ...], TokenBucket] = Recent(size)
        self._similar: Recent[tuple[str, ...], _Similar] = Recent(size)
        self._written: Recent[Occurrence | tuple[str, ...], _Written] = Recent(size)

    def decide(self, seen: Occurrence, now: float) -> Decision:
        key, message = self._joined(seen, now)
        written = self._written.get(key)
        if written is None or now - written.last > WINDOW:
            allowed = _take(self._budgets, seen.object, BURST, now)
            return Fresh(key, message) if allowed else Drop()
        if not _take(self._repeats, seen.object, REPEATS, now):
            written.missed += 1
            return Drop()
        return Again(key, written.event_name, written.count + written.missed + 1, message)

    def wrote(
        self, key: Occurrence | tuple[str, ...], event_name: str, count: int, now: float
    ) -> None:
        """Take note that the decision for `key` was carried out."""
        self._written.put(key, _Written(event_name, count, now))

    def lost(self, key: Occurrence | tuple[str, ...]) -> None:
        """Take note that the server does not have the event any more."""
        self._written.drop(key)

    def _joined(self, seen: Occurrence, now: float) -> tuple[Occurrence | tuple[str, ...], str]:
        similar = self._similar.get(seen.similarity)
        if similar is None or now - similar.last > WINDOW:
            similar = _Similar(now)
            self._similar.put(seen.similarity, similar)
        similar.last = now
        if len(similar.messages) < SIMILAR or seen.message in similar.messages:
            similar.messages.add(seen.message)
            return seen, seen.message
        return seen.similarity, COMBINED + seen.message


def _take(
    budgets: Recent[tuple[str, ...], TokenBucket], of: tuple[str, ...], burst: int, now: float
) -> bool:
    """Whether an object's budget has room for one more."""
    budget = budgets.get(of)
    if budget is None:
        budget = TokenBucket(RATE, burst)
        budgets.put(of, budget)
    return budget.take(now)
