"""
What there is to know of one populator: who fills claims that name one kind of source object.

The machinery is the same for all of them (`decide`, `prime`, `rebind`): a prime claim is made, a
worker fills it, its volume is handed over. A populator says how the worker is asked and what it
has said. Everything here is values in, values out: no I/O, no clock.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from cdi.api import annotations as known
from cdi.api import phases, resources
from cdi.controllers import plan
from cdi.controllers.populating.seen import Seen
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import Resource


class Populator(ABC):
    """One populator. Only what is abstract has to be said; the rest has sensible defaults."""

    controller: ClassVar[str]  # the name of its controller, in events and in logs
    resource: ClassVar[Resource]  # the kind of source object that claims name
    cache: ClassVar[str]  # of source objects, in `cluster.Cluster`
    inherited: ClassVar[Collection[str]] = ()  # annotations that a prime gets from its target
    measured: ClassVar[bool] = True  # whether its workers say how far they are
    hands_over_first: ClassVar[bool] = False  # before the target shows that its prime is filled

    @abstractmethod
    def request(self, source: Object) -> Mapping[str, str]:
        """The annotations that ask for a prime to be filled from a source object."""

    def of_target(self, _target: Object) -> Mapping[str, str]:
        """Annotations that a prime gets because of its target, besides those it inherits."""
        return {}

    def kind_of_prime(self) -> str:
        """By which its primes are told from those of others."""
        return self.resource.kind

    @abstractmethod
    def news(self, seen: Seen, prime: Object) -> Sequence[plan.Event]:
        """What is told once, when the worker has come to an end that the target does not show."""

    def worker_of(self, _prime: Object) -> str:
        """The pod that fills a prime; empty where there is none."""
        return ""

    def advance(self, _seen: Seen, _prime: Object) -> plan.Plan:
        """What is due between the first byte and the last: the next stage, for example."""
        return plan.NOTHING

    def shown(self, _prime: Object) -> Mapping[str, str]:
        """Annotations that a target shows of its prime, besides those that all do."""
        return {}

    def is_named(self, _prime: Object) -> bool:
        """Whether a target says which claim is its prime."""
        return True

    def is_filled(self, prime: Object) -> bool:
        """Whether a prime's volume is complete, and may be handed over."""
        return pod_phase(prime) == phases.Pod.SUCCEEDED

    def is_target(self, claim: Object) -> bool:
        """Whether a claim asks this populator to fill it."""
        reference = objects.get(claim, "spec", "dataSourceRef", default={})
        return (
            reference.get("apiGroup") == resources.CDI_GROUP
            and reference.get("kind") == self.resource.kind
            and bool(reference.get("name"))
            and reference.get("namespace") is None
        )

    def owns(self, prime: Object) -> bool:
        """Whether a claim is a prime of this populator."""
        return objects.annotations(prime).get(known.POPULATOR_KIND) == self.kind_of_prime()


def pod_phase(claim: Object) -> str:
    """The phase of its worker's pod, as a claim shows it."""
    return objects.annotations(claim).get(known.POD_PHASE, "")
