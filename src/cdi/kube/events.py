"""
Events for people: what happened to an object, readable with `kubectl describe`.

Here: the recorder, which takes events without waiting and writes them in the background, as
core/v1 events. Elsewhere: what is worth writing (`correlate`).

Events are a courtesy: `event` never raises and never waits, the queue is bounded and drops its
oldest entries, and one that cannot be written after a few attempts is dropped with a log line.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cdi.kube import correlate, errors, objects, tasks
from cdi.kube.backoff import Backoff
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock, within
from cdi.kube.correlate import Again, Drop, Fresh, Occurrence
from cdi.kube.objects import Object
from cdi.kube.resource import EVENTS

log = logging.getLogger(__name__)

NORMAL = "Normal"
WARNING = "Warning"

WAITING = 1000  # events not written yet
ATTEMPTS = 8  # with the pauses below about 15 s: a server's restart
FLUSH = 5.0  # seconds that shutdown waits for the last events
_LONGEST_MESSAGE = 1024  # the API server refuses longer ones
_LONGEST_NAME = 253
_RETRIES = Backoff(first=0.5, longest=3.0)


@dataclass(frozen=True, slots=True)
class _Pending:
    occurrence: Occurrence
    involved: Mapping[str, Any]
    at: datetime


class Recorder:
    """Writes events in the name of `component`. A part for `manager.Group.SUPPORT`."""

    def __init__(
        self, client: Client, component: str, *, instance: str = "", clock: Clock | None = None
    ) -> None:
        self.name = "event recorder"
        self.dropped = 0
        self._client = client
        self._component = component
        self._instance = instance
        self._clock = clock or SystemClock()
        self._correlator = correlate.Correlator()
        self._waiting: deque[_Pending] = deque()
        self._arrived = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def event(self, obj: Mapping[str, Any], type_: str, reason: str, message: str) -> None:
        """Say what happened to `obj`: NORMAL or WARNING, a CamelCase reason, a sentence."""
        try:
            pending = _pending(obj, type_, reason, message, self._clock.wall())
        except (KeyError, TypeError, AttributeError):
            log.exception("event about something that is not an object", extra={"reason": reason})
            return
        if len(self._waiting) >= WAITING:
            self._waiting.popleft()
            self.dropped += 1
        self._waiting.append(pending)
        self._idle.clear()
        self._arrived.set()

    def normal(self, obj: Mapping[str, Any], reason: str, message: str) -> None:
        self.event(obj, NORMAL, reason, message)

    def warning(self, obj: Mapping[str, Any], reason: str, message: str) -> None:
        self.event(obj, WARNING, reason, message)

    async def ready(self) -> None:
        """Events are taken from the start."""

    async def run(self, stop: asyncio.Event) -> None:
        """Write events until `stop`, then what is left, for FLUSH seconds at most."""
        writer = asyncio.ensure_future(self._write_forever())
        try:
            await stop.wait()
            await within(self._clock, FLUSH, self._idle.wait())
        except TimeoutError:
            log.warning("events were left unwritten", extra={"count": len(self._waiting)})
        finally:
            await tasks.cancel(writer)

    async def flush(self) -> None:
        """Return once everything recorded so far is written or given up; for use while it runs."""
        await self._idle.wait()

    async def _write_forever(self) -> None:
        while True:
            await self._arrived.wait()
            while self._waiting:
                await self._write(self._waiting.popleft())
            self._arrived.clear()
            self._idle.set()

    async def _write(self, pending: _Pending) -> None:
        # Decided once: a second attempt must not be charged to the object's budget.
        decision = self._correlator.decide(pending.occurrence, self._clock.now())
        if isinstance(decision, Drop):
            self.dropped += 1
            return
        for attempt in range(1, ATTEMPTS + 1):
            try:
                await self._carry_out(decision, pending)
            except errors.KubeError as error:
                if not error.transient or attempt == ATTEMPTS:
                    self._give_up(pending, error)
                    return
                await self._clock.sleep(_RETRIES.pause(attempt))
            except Exception:  # a courtesy must not end the process
                log.exception("event was not written")
                return
            else:
                return

    def _give_up(self, pending: _Pending, error: errors.KubeError) -> None:
        self.dropped += 1
        log.warning(
            "event was not written",
            extra={"reason": pending.occurrence.reason, "cause": str(error)},
        )

    async def _carry_out(self, decision: Fresh | Again, pending: _Pending) -> None:
        if isinstance(decision, Again):
            try:
                await self._count(pending, decision)
            except errors.NotFound:
                # Servers forget events after an hour.
                self._correlator.lost(decision.key)
            else:
                return
        body = self._body(pending, decision.message)
        await self._client.create(EVENTS, body)
        self._correlator.wrote(decision.key, objects.name(body), 1, self._clock.now())

    async def _count(self, pending: _Pending, again: Again) -> None:
        namespace = _namespace_for(pending.involved)
        change = {
            "count": again.count,
            "message": again.message,
            "lastTimestamp": _timestamp(pending.at),
        }
        await self._client.patch(EVENTS, again.event_name, namespace, change)
        name, count = again.event_name, again.count
        self._correlator.wrote(again.key, name, count, self._clock.now())

    def _body(self, pending: _Pending, message: str) -> Object:
        suffix = f".{uuid.uuid4().hex[:16]}"
        name = str(pending.involved["name"])[: _LONGEST_NAME - len(suffix)].rstrip(".-")
        at = _timestamp(pending.at)
        return {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name + suffix, "namespace": _namespace_for(pending.involved)},
            "involvedObject": dict(pending.involved),
            "type": pending.occurrence.type,
            "reason": pending.occurrence.reason,
            "message": message,
            "count": 1,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": self._instance,
        }


def reference_to(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The ObjectReference that events and others use to point at an object."""
    meta = obj["metadata"]
    parts = {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "namespace": meta.get("namespace"),
        "name": meta["name"],
        "uid": meta.get("uid"),
        "resourceVersion": meta.get("resourceVersion"),
    }
    return {name: value for name, value in parts.items() if value}


def _pending(
    obj: Mapping[str, Any], type_: str, reason: str, message: str, at: datetime
) -> _Pending:
    involved = reference_to(obj)
    occurrence = Occurrence(
        kind=str(involved.get("kind", "")),
        namespace=str(involved.get("namespace", "")),
        name=str(involved["name"]),
        uid=str(involved.get("uid", "")),
        type=type_,
        reason=reason,
        message=_shortened(message),
    )
    return _Pending(occurrence, involved, at)


def _shortened(message: str) -> str:
    longest = _LONGEST_MESSAGE - len(correlate.COMBINED)
    return message if len(message) <= longest else message[: longest - 3] + "..."


def _namespace_for(involved: Mapping[str, Any]) -> str:
    """Events of cluster-wide objects live in `default`, where kubectl looks for them."""
    return str(involved.get("namespace") or "default")


def _timestamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
