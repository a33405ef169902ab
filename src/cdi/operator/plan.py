"""What one pass does, as a value: steps in order, what to say, and when to look again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from cdi.kube.installing.steps import Event
from cdi.kube.installing.steps import Step as CommonStep
from cdi.kube.objects import Object
from cdi.operator.status import Status


@dataclass(frozen=True, slots=True)
class Migrate:
    """Write all objects of a definition once more: they are stored in its newest version then."""

    definition: Object


@dataclass(frozen=True, slots=True)
class RemoveWorkers:
    """Take away the pods and Services of transfers, in all namespaces."""


@dataclass(frozen=True, slots=True)
class LetGo:
    """Take off the finalizers of controllers that have gone."""


@dataclass(frozen=True, slots=True)
class Inject:
    """Write somebody's Route, which asked to be filled in, and say so on it."""

    route: Object


Step: TypeAlias = CommonStep | Migrate | RemoveWorkers | LetGo | Inject


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
