"""
What there is to know of one way to fill the claim of a DataVolume.

Everything here is values in, values out: no I/O, no clock. What is the same for all operations
is decided elsewhere, and asks these methods for the rest.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from cdi.api import annotations, phases
from cdi.controllers import plan
from cdi.controllers.datavolume.blocked import Blocked
from cdi.controllers.datavolume.operations.sourceobject import SourceObject
from cdi.controllers.datavolume.seen import Seen
from cdi.controllers.datavolume.transition import Transition
from cdi.kube import objects
from cdi.kube.objects import Object

Changes: TypeAlias = Mapping[str, str | None]  # None takes an annotation off


@dataclass(frozen=True, slots=True)
class Learned:
    """What a DataVolume takes over from its claim."""

    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What there is to say before a claim is made.

    Either there can be none now (`blocked`, or `waits`), or `spec` is what it is to have.
    `annotations` and `finalizer` are of the DataVolume, and written first.
    """

    spec: dict[str, Any]
    blocked: Blocked | None = None
    waits: phases.DataVolume | None = None  # the phase in which it waits
    annotations: Changes = field(default_factory=dict)
    finalizer: str = ""
    wanted: plan.Plan = plan.NOTHING


class Operation(ABC):
    """One operation. Only what is abstract has to be said; the rest has sensible defaults."""

    controller: ClassVar[str]  # the name of its controller, in events and in logs
    sources: ClassVar[Collection[str]]  # the kinds of source that ask for it (`source.kind_of`)
    source_object: ClassVar[SourceObject | None] = None  # where a populator of ours can do it
    under_way: ClassVar[Collection[phases.DataVolume]] = ()  # its phases before it succeeds
    in_progress: ClassVar[phases.DataVolume | None] = None  # the one in which bytes flow
    clones: ClassVar[bool] = False  # whether it looks at another claim, or at a snapshot

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

    def prepare(self, _seen: Seen, spec: dict[str, Any], *, use_populator: bool) -> Prepared:
        """What has to be settled before a claim with this spec is made."""
        del use_populator
        return Prepared(spec)

    def finds_size(self, _volume: Object) -> bool:
        """Whether a claim for which no size is asked gets one that `prepare` finds out."""
        return False

    def sized(self, volume: Object) -> Mapping[str, Any]:
        """The spec of a DataVolume, with what was found out about its size."""
        spec: Mapping[str, Any] = volume["spec"]
        return spec

    def beside_reference(self, _volume: Object) -> Mapping[str, str]:
        """Annotations of a claim that names a source object of ours."""
        return {}

    def is_filled(self, claim: Object) -> bool:
        """Whether a claim of ours has its content."""
        return objects.annotations(claim).get(annotations.POD_PHASE) == phases.Pod.SUCCEEDED

    def farewell(self, _seen: Seen) -> plan.Plan:
        """What is left to do for a DataVolume that is being deleted."""
        return plan.NOTHING

    def afterwards(self, _seen: Seen, _claim: Object) -> plan.Plan:
        """What is left to do once a DataVolume has succeeded."""
        return plan.NOTHING

    def claim_changes(self, _seen: Seen, _claim: Object) -> Changes:
        """Annotations of a claim of ours that are due: its next stage, for example."""
        return {}

    def learned(self, _seen: Seen, _claim: Object) -> Learned:
        """What the DataVolume takes over from its claim."""
        return Learned()

    def worker_of(self, _claim: Object) -> str:
        """The pod to ask how far it is, if the claim is filled directly; empty for none."""
        return ""
