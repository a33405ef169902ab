"""
What a decision says: steps to carry out in order, events to tell of them, when to look again.

A plan is a value. Every step may be repeated and every step may be the last before a crash, so
whoever decides orders them such that the next look continues: children first, status last.
Events are told after the last step, and only if all steps went well.

Elsewhere: carrying plans out (`act`). Durations are in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cdi.api.reasons import EventType
from cdi.kube.errors import ApiError, KubeError
from cdi.kube.objects import Object
from cdi.kube.resource import Resource


class NotYet(KubeError):
    """Something in the cluster is in the way; it is looked at again with growing pauses."""

    transient = True


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an object, for people."""

    about: Object
    type: EventType
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Create:
    """An object that should exist. One of that name that exists already is fine.

    `refused` decides what to do where the server refuses; that plan is carried out instead of
    the rest of this one, and the refusal is then retried like any failure. `made` decides what is
    due at once for an object that is new, and now has its UID.
    """

    resource: Resource
    object: Object
    refused: Callable[[ApiError], Plan] | None = None
    made: Callable[[Object], Plan] | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """An object, as seen, that should become `wanted`; only the difference is sent."""

    resource: Resource
    seen: Object
    wanted: Object


@dataclass(frozen=True, slots=True)
class SetStatus:
    """An object whose whole status should be `status`."""

    resource: Resource
    seen: Object
    status: Object


@dataclass(frozen=True, slots=True)
class Remove:
    """Exactly this object, no namesake, should be gone.

    `grace` is how many seconds a pod has to end by itself; None leaves that to the pod.
    """

    resource: Resource
    seen: Object
    grace: int | None = None


@dataclass(frozen=True, slots=True)
class Confirm:
    """Go on only if the server, not just a cache, still has exactly this object.

    `unchanged` asks for more: that it is as it was seen. Caches of two kinds do not advance
    together, so a claim may look as if its pod, already gone from the other cache, had never run.
    """

    resource: Resource
    seen: Object
    unchanged: bool = False


Step = Create | Change | SetStatus | Remove | Confirm


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order, then events. A `failure` is raised at the very end, to be retried."""

    steps: tuple[Step, ...] = ()
    events: tuple[Event, ...] = ()
    again_in: float | None = None
    failure: Exception | None = None

    def then(self, other: Plan) -> Plan:
        """This plan followed by another one."""
        return Plan(
            steps=self.steps + other.steps,
            events=self.events + other.events,
            again_in=sooner(self.again_in, other.again_in),
            failure=self.failure or other.failure,
        )

    def with_steps(self, *steps: Step) -> Plan:
        return replace(self, steps=self.steps + steps)

    def with_events(self, *events: Event) -> Plan:
        return replace(self, events=self.events + events)


NOTHING = Plan()


def sooner(one: float | None, other: float | None) -> float | None:
    """The earlier of two appointments, either of which may be None."""
    if one is None or other is None:
        return one if other is None else other
    return min(one, other)


def normal(about: Object, reason: str, message: str) -> Event:
    return Event(about, EventType.NORMAL, reason, message)


def warning(about: Object, reason: str, message: str) -> Event:
    return Event(about, EventType.WARNING, reason, message)
