"""What one pass does, as a value: steps in order, what to say, and when to look again."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.hostpath.operator.status import Status
from cdi.kube.installing.steps import Event, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done for one HostPathProvisioner."""

    status: Status | None = None  # after everything has been done; None: it says nothing
    steps: tuple[Step, ...] = ()
    events: tuple[Event, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()  # of the status, to be set
    finalizer: bool | None = None  # whether it is held; None: as it is
    again_in: float | None = None  # seconds
