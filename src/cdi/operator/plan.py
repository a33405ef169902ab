"""What one pass does, as a value: steps in order, what to say, and when to look again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from cdi.kube.objects import Object
from cdi.operator.status import Status


@dataclass(frozen=True, slots=True)
class Create:
    """Make an object."""

    obj: Object


@dataclass(frozen=True, slots=True)
class Update:
    """Bring an object back to what is wanted."""

    seen: Object
    wanted: Object


@dataclass(frozen=True, slots=True)
class Remove:
    """Take an object away, what it owns first."""

    seen: Object


@dataclass(frozen=True, slots=True)
class Migrate:
    """Write all objects of a definition once more: they are stored in its newest version then."""

    definition: Object


@dataclass(frozen=True, slots=True)
class RemoveWorkers:
    """Take away the pods and Services of transfers, in all namespaces."""


Step: TypeAlias = Create | Update | Remove | Migrate | RemoveWorkers


@dataclass(frozen=True, slots=True)
class Event:
    """Something to be told about the CDI object."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done for one CDI object."""

    status: Status | None = None  # after everything has been done; None: it says nothing
    steps: tuple[Step, ...] = ()
    events: tuple[Event, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()  # of the status, to be set
    finalizer: bool | None = None  # whether it is held; None: as it is
    config: Object | None = None  # for spec.config of an object that never said anything
    authority: bool = False  # from now on spec.config is what CDIConfig says
    certificates: bool = False  # bring them up to date
    again_in: float | None = None  # seconds
