"""
Events do not stay for ever: an hour after their last change they go, as on any cluster.

Here: which events are due. Elsewhere: when to look (`housekeeping`).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from cdi.standalone.apiserver.timestamps import parse_rfc3339
from cdi.standalone.store.record import Entry, Key
from cdi.standalone.store.store import Store

RESOURCE = "events"
LIFE = timedelta(hours=1)


class _Metadata(msgspec.Struct, rename="camel"):
    creation_timestamp: str


class _Series(msgspec.Struct, rename="camel"):
    last_observed_time: str | None = None


class _Event(msgspec.Struct, rename="camel"):
    metadata: _Metadata
    last_timestamp: str | None = None
    event_time: str | None = None
    series: _Series | None = None


_event = msgspec.json.Decoder(_Event)


def due(store: Store, now: datetime) -> Iterator[tuple[Key, Entry]]:
    """The events that were last seen more than LIFE ago."""
    for key, entry in store.entries(RESOURCE):
        try:
            expired = last_seen(entry.body) + LIFE < now
        except (ValueError, TypeError, msgspec.MsgspecError):
            continue  # a time that nobody can read: better kept than lost
        if expired:
            yield key, entry


def last_seen(body: bytes) -> datetime:
    """When an event was last reported."""
    event = _event.decode(body)
    reported = (
        event.metadata.creation_timestamp,
        event.last_timestamp,
        event.event_time,
        event.series.last_observed_time if event.series else None,
    )
    return max(parse_rfc3339(moment) for moment in reported if moment)
