"""What is known about one target claim when it is decided what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cdi.controllers.settings import Settings
from cdi.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Seen:
    """One target and what concerns it."""

    target: Object
    settings: Settings
    prime: Object | None = None
    source_object: Object | None = None  # what the target names
    volume: Object | None = None  # the prime's
    pod: Object | None = None  # the prime's worker
    progress: str | None = None  # as the worker said just now
    prime_events: Sequence[Object] = ()
    target_events: Sequence[Object] = ()
    classes: Sequence[Object] = ()
    config: Object | None = None
