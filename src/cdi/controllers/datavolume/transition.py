"""A phase, and the event that is told if it is a new one."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.api import phases
from cdi.api.reasons import EventType


@dataclass(frozen=True, slots=True)
class Transition:
    """What a DataVolume has come to. Without a `reason` nothing is told."""

    phase: phases.DataVolume
    reason: str = ""
    message: str = ""
    type: EventType = EventType.NORMAL
    stuck: bool = False  # the reason says why nothing moves, and is told whatever the phase was
