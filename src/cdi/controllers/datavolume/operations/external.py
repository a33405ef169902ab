"""
Claims that a foreign populator, or the storage itself, fills from a data source.

All that is known is whether they can be filled at all, and whether they are bound; a claim that
is bound is full, because nothing binds it earlier. Where the source is one of ours, our populator
fills the claim: it needs no driver, and says itself when it is done, or has failed for good.
"""

from collections.abc import Mapping

from cdi.api import annotations, phases, reasons
from cdi.api.reasons import EventType
from cdi.controllers import kinds, metadata
from cdi.controllers.datavolume import source
from cdi.controllers.datavolume.operations.operation import Operation
from cdi.controllers.datavolume.seen import Seen
from cdi.controllers.datavolume.transition import Transition
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import classes

_SNAPSHOT = "VolumeSnapshot"
_CLAIM = "PersistentVolumeClaim"


class ExternalPopulation(Operation):
    """Succeeded once the claim is bound; before that as it was, with a word on what is missing."""

    controller = "datavolume-external-population-controller"
    sources = (source.DATA_SOURCE,)

    def request(self, _volume: Object) -> Mapping[str, str]:
        return {annotations.EXTERNAL_POPULATION: annotations.TRUE}

    def transition(self, seen: Seen, claim: Object, unmoved: phases.DataVolume) -> Transition:
        wanted = source.data_source_of(seen.volume["spec"]) or {}
        if _is_ours(wanted):
            return self._of_ours(seen, claim, unmoved)
        if missing := _missing(seen, claim, str(wanted.get("kind", ""))):
            return Transition(unmoved, *missing, EventType.WARNING, stuck=True)
        if objects.get(claim, "status", "phase") != phases.Claim.BOUND:
            return Transition(unmoved)
        return self.succeeded(seen.volume)

    def _of_ours(self, seen: Seen, claim: Object, unmoved: phases.DataVolume) -> Transition:
        given, name = objects.annotations(claim), objects.name(claim)
        if metadata.is_true(claim, annotations.FATAL_ERROR):
            why = given.get(annotations.RUNNING_MESSAGE) or "the pod failed"
            message = f"import into PVC {name} failed: {why}"
            return Transition(
                phases.DataVolume.FAILED, reasons.IMPORT_FAILED, message, EventType.WARNING
            )
        # A claim that nobody began to fill, and is bound, was bound to a volume made by hand.
        full = given.get(annotations.POD_PHASE) == phases.Pod.SUCCEEDED
        if objects.get(claim, "status", "phase") != phases.Claim.BOUND:
            return Transition(unmoved)
        if not full and annotations.PVC_PRIME in given:
            return Transition(unmoved)
        return self.succeeded(seen.volume)

    def succeeded(self, volume: Object) -> Transition:
        message = f"PVC {objects.name(volume)} is filled"
        return Transition(
            phases.DataVolume.SUCCEEDED, reasons.EXTERNAL_POPULATION_SUCCEEDED, message
        )


def _is_ours(reference: Object) -> bool:
    named = reference.get("apiGroup"), str(reference.get("kind"))
    return named in {(each.group, each.kind) for each in kinds.SOURCE_OBJECTS}


def _missing(seen: Seen, found: Object, kind: str) -> tuple[str, str] | None:
    if kind == _SNAPSHOT:
        return None
    name = objects.get(found, "spec", "storageClassName")
    storage_class = classes.choose_as_kubernetes(seen.storage.classes, name) or {}
    provisioner = storage_class.get("provisioner")
    if provisioner not in seen.csi_drivers:
        return (
            reasons.NO_CSI_DRIVER,
            f"provisioner {provisioner} has no CSIDriver: use another class",
        )
    if kind == _CLAIM or objects.get(found, "spec", "dataSourceRef"):
        return None
    return (
        reasons.NO_ANY_VOLUME_DATA_SOURCE,
        "the cluster dropped dataSourceRef: it needs the AnyVolumeDataSource feature",
    )
