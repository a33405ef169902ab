"""
What there is to know of one way to fill the claim of a DataVolume.

Everything here is values in, values out: no I/O, no clock. What is the same for all operations
is decided elsewhere, and asks these methods for the rest.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from cdi.api import phases
from cdi.controllers.datavolume.operations.sourceobject import SourceObject
from cdi.controllers.datavolume.seen import Seen
from cdi.controllers.datavolume.transition import Transition
from cdi.kube.objects import Object

Changes: TypeAlias = Mapping[str, str | None]  # None takes an annotation off


@dataclass(frozen=True, slots=True)
class Learned:
    """What a DataVolume takes over from its claim."""

    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


class Operation(ABC):
    """One operation. Only what is abstract has to be said; the rest has sensible defaults."""

    controller: ClassVar[str]  # the name of its controller, in events and in logs
    sources: ClassVar[Collection[str]]  # the kinds of source that ask for it (`source.kind_of`)
    source_object: ClassVar[SourceObject | None] = None  # where a populator of ours can do it
    under_way: ClassVar[Collection[phases.DataVolume]] = ()  # its phases before it succeeds
    in_progress: ClassVar[phases.DataVolume | None] = None  # the one in which bytes flow

    @abstractmethod
    def request(self, volume: Object) -> Mapping[str, str]:
        """The annotations that ask for it on a claim that no populator of ours fills."""

    @abstractmethod
    def transition(self, seen: Seen, claim: Object, unmoved: phases.DataVolume) -> Transition:
        """The phase that it has reached; `unmoved` where it has not begun."""

    @abstractmethod
    def succeeded(self, volume: Object) -> Transition:
        """The transition to Succeeded."""

    def is_request(self, _key: str) -> bool:
        """Whether an annotation is one of those that ask for it."""
        return False

    def claim_changes(self, _seen: Seen, _claim: Object) -> Changes:
        """Annotations of a claim of ours that are due: its next stage, for example."""
        return {}

    def learned(self, _seen: Seen, _claim: Object) -> Learned:
        """What the DataVolume takes over from its claim."""
        return Learned()

    def worker_of(self, _claim: Object) -> str:
        """The pod to ask how far it is, if the claim is filled directly; empty for none."""
        return ""
