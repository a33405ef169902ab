"""What one look at a DataVolume collects, and a few facts that follow from it directly."""

from collections.abc import Collection
from dataclasses import dataclass, field

from cdi.api import annotations, features, phases
from cdi.controllers import metadata
from cdi.controllers.datavolume.cloneseen import CloneSeen
from cdi.controllers.settings import Settings
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import classes, rendering
from cdi.storage.rendering import Cluster


@dataclass(frozen=True, slots=True)
class Seen:
    """A DataVolume and what concerns it, at one moment."""

    volume: Object
    settings: Settings
    now: str  # RFC 3339
    storage: Cluster = field(default_factory=Cluster)
    claim: Object | None = None  # of the DataVolume's name, whosever it is
    prime: Object | None = None  # what a populator fills for the claim
    source_object: Object | None = None  # what the populator is told with
    csi_drivers: Collection[str] = ()  # names
    progress: str | None = None  # as the worker said just now, if somebody asked it
    installation: Object | None = None  # the CDI object
    clone: CloneSeen | None = None  # what is cloned, if anything is
    measuring: Object | None = None  # the pod that reads the size of the disk at the source
    proxy_ca: Object | None = None  # ConfigMap with the import proxy's CA, of the installation

    @property
    def gates(self) -> Collection[str]:
        found: Collection[str] = objects.get(
            self.storage.config, "spec", "featureGates", default=()
        )
        return found

    @property
    def resolved(self) -> Object:
        """The DataVolume with its source in place of a reference to a DataSource."""
        origin = self.clone.origin if self.clone else None
        if origin is None:
            return self.volume
        member = "snapshot" if origin.is_snapshot else "pvc"
        source = {member: {"namespace": origin.source.namespace, "name": origin.source.name}}
        spec = {key: value for key, value in self.volume["spec"].items() if key != "sourceRef"}
        return {**self.volume, "spec": {**spec, "source": source}}

    @property
    def honours_first_consumer(self) -> bool:
        return features.enabled(features.Gate.HONOR_WAIT_FOR_FIRST_CONSUMER, self.gates)

    @property
    def preallocate(self) -> bool:
        said = objects.get(self.volume, "spec", "preallocation")
        if said is None:
            said = objects.get(self.storage.config, "status", "preallocation")
        return said is True


def phase_of(seen: Seen) -> phases.DataVolume:
    """The phase as it was."""
    return phases.DataVolume(objects.get(seen.volume, "status", "phase", default=""))


def uses_populator(claim: Object) -> bool:
    """Whether a claim is filled through a populator; it stays so whatever its DataVolume says."""
    if not objects.get(claim, "spec", "dataSourceRef"):
        return False
    try:
        return metadata.parse_boolean(claim, annotations.USE_POPULATOR) is True
    except metadata.NotABoolean:
        return False


def waits_for_consumer(claim: Object, storage: Cluster) -> bool:
    """Whether the class of a claim binds only once a pod wants to use it."""
    found = classes.choose_as_kubernetes(
        storage.classes, objects.get(claim, "spec", "storageClassName")
    )
    binding = objects.get(found, "volumeBindingMode")
    return bool(binding == classes.WAIT_FOR_FIRST_CONSUMER)


def is_left_to_webhook(seen: Seen) -> bool:
    """Whether the claim is completed by the webhook for labelled claims."""
    said = objects.get(seen.storage.config, "spec", "webhookPvcRendering", default="")
    return rendering.is_left_to_webhook(objects.labels(seen.volume), said)
