"""What one look at the target of a clone collects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cdi.controllers.cloning.outcome import CannotClone, SourceMissing
from cdi.controllers.origins.origin import Origin
from cdi.controllers.settings import Settings
from cdi.controllers.working.context import Context
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import classes, modes, sizes


@dataclass(frozen=True, slots=True)
class Temporaries:
    """What there is of the objects that the clone has made for itself."""

    claim: Object | None = None
    claim_volume: Object | None = None
    snapshot: Object | None = None
    source_claim: Object | None = None  # restored from a snapshot, to be copied from
    source_volume: Object | None = None
    prep_pod: Object | None = None
    copy_pod: Object | None = None
    others: tuple[Object, ...] = ()  # whatever else is labelled as made for this target

    def all(self) -> tuple[Object, ...]:
        named = (self.claim, self.snapshot, self.source_claim, self.prep_pod, self.copy_pod)
        return (*(each for each in named if each is not None), *self.others)


@dataclass(frozen=True, slots=True)
class Seen:
    """A target claim and what concerns its clone, at one moment."""

    target: Object
    settings: Settings
    now: str  # RFC 3339
    source_object: Object | None = None  # the VolumeCloneSource
    origin: Origin | None = None
    refused: str = ""  # why it may not be cloned over here from another namespace
    temporaries: Temporaries = field(default_factory=Temporaries)
    classes: Sequence[Object] = ()
    profiles: Mapping[str, Object] = field(default_factory=dict)
    snapshot_classes: Sequence[Object] = ()
    installation: Object | None = None
    config: Object | None = None
    progress: str | None = None  # as the pod that copies says
    temporary_events: Sequence[Object] = ()
    target_events: Sequence[Object] = ()

    @property
    def cloned(self) -> Origin:
        """What is cloned. Raises CannotClone where that is not to be had."""
        if self.origin is None:
            name = objects.name(self.source_object or {})
            raise CannotClone(
                f"VolumeCloneSource {name} names nothing that can be cloned: want a "
                "PersistentVolumeClaim or a VolumeSnapshot"
            )
        return self.origin

    @property
    def cloned_object(self) -> Object:
        """The claim or the snapshot itself. Raises SourceMissing, or CannotClone."""
        if self.cloned.object is None:
            what = self.cloned.source
            raise SourceMissing(f"{what} does not exist; the clone begins once it does")
        return self.cloned.object

    @property
    def context(self) -> Context:
        """What the cluster and the installation say about pods."""
        placement = objects.get(self.installation, "spec", "workload", default={})
        return Context(self.settings, self.config or {}, placement)

    @property
    def source_namespace(self) -> str:
        """Where the VolumeCloneSource is, and with it all that is temporary."""
        return objects.namespace(self.source_object or self.target)

    @property
    def target_class(self) -> Object | None:
        name = objects.get(self.target, "spec", "storageClassName")
        return classes.choose_as_kubernetes(self.classes, name)

    @property
    def wanted_size(self) -> int:
        """What the target asks for, in bytes, and what its storage makes at least."""
        name = objects.get(self.target, "spec", "storageClassName", default="")
        asked = sizes.requested(self.target.get("spec") or {}) or 0
        return sizes.effective(asked, self.profiles.get(name))


def volume_mode(claim: Object) -> str:
    """The mode of a claim; one that says none is Filesystem."""
    return str(objects.get(claim, "spec", "volumeMode") or modes.FILESYSTEM)
