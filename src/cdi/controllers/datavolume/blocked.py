"""Why a DataVolume has no claim of its own now, for its status."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.api import phases
from cdi.api.reasons import EventType


@dataclass(frozen=True, slots=True)
class Blocked:
    """A phase, and the reason and message of conditions."""

    phase: phases.DataVolume
    reason: str
    message: str
    type: EventType = EventType.WARNING  # of the event that tells it
