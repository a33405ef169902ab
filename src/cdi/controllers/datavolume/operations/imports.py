"""
Import: an importer fills the claim from a source, at once or in stages; blank disks, too.

An importer that is started again within its pod, or in a pod that replaces it, stays in progress;
only a pod that failed as a whole takes a DataVolume back to ImportScheduled.
"""

from collections.abc import Mapping
from typing import Any

from cdi.api import annotations, labels, phases, reasons
from cdi.api.reasons import EventType
from cdi.controllers import metadata
from cdi.controllers.datavolume import source, sourcesizing
from cdi.controllers.datavolume.operations.importsource import IMPORT_SOURCE
from cdi.controllers.datavolume.operations.operation import (
    Changes,
    Learned,
    Operation,
    Prepared,
)
from cdi.controllers.datavolume.seen import Seen, phase_of
from cdi.controllers.datavolume.transition import Transition
from cdi.controllers.importing import checkpoints, pod, requests
from cdi.kube import objects
from cdi.kube.objects import Object

Phase = phases.DataVolume

_REQUEST = (annotations.SOURCE.rpartition(".")[0], annotations.CHECKPOINT_CURRENT)


class Import(Operation):
    """Phases follow from what the import controller writes on the claim, or on its prime."""

    controller = "datavolume-import-controller"
    sources = requests.IMPORTABLE
    source_object = IMPORT_SOURCE
    under_way = (Phase.IMPORT_SCHEDULED, Phase.IMPORT_IN_PROGRESS, Phase.PAUSED)
    in_progress = Phase.IMPORT_IN_PROGRESS

    def request(self, volume: Object) -> Mapping[str, str]:
        given, wanted = source.source_of(volume), volume["spec"]
        asked = requests.annotations_for(given)
        if requests.can_have_stages(given):
            final = wanted.get("finalCheckpoint") is True
            first = checkpoints.first(wanted.get("checkpoints") or (), final=final)
            asked |= {key: value for key, value in first.items() if value is not None}
        return asked

    def finds_size(self, volume: Object) -> bool:
        return sourcesizing.follows(volume)

    def sized(self, volume: Object) -> Mapping[str, Any]:
        return sourcesizing.sized(volume)

    def prepare(self, seen: Seen, spec: dict[str, Any], *, use_populator: bool) -> Prepared:
        del use_populator
        return sourcesizing.prepared(seen, spec, self.request(seen.volume))

    def is_request(self, key: str) -> bool:
        return key.startswith(_REQUEST)

    def claim_changes(self, seen: Seen, claim: Object) -> Changes:
        """Its next stage, where the claim is filled itself and in several stages."""
        stages = objects.get(seen.volume, "spec", "checkpoints", default=())
        bound = objects.get(claim, "status", "phase") == phases.Claim.BOUND
        staged = requests.can_have_stages(source.source_of(seen.volume))
        if IMPORT_SOURCE.fills(claim) or not (bound and staged):
            return {}
        final = objects.get(seen.volume, "spec", "finalCheckpoint") is True
        if checkpoints.are_missing(claim, stages):
            return checkpoints.first(stages, final=final)
        succeeded = objects.annotations(claim).get(annotations.POD_PHASE) == phases.Pod.SUCCEEDED
        if succeeded and checkpoints.in_progress(claim):
            return checkpoints.after_stage(claim, stages, final=final)
        return {}

    def learned(self, seen: Seen, claim: Object) -> Learned:
        given, there = objects.annotations(claim), objects.labels(claim)
        reported = (annotations.VDDK_VERSION, annotations.VDDK_HOST)
        found = {key: given[key] for key in reported if given.get(key)}
        if source.source_of(seen.volume).get("registry") is None:
            return Learned(found)
        if any(key in objects.labels(seen.volume) for key in labels.INSTANCETYPE_DEFAULTS):
            return Learned(found)
        return Learned(found, {k: there[k] for k in labels.INSTANCETYPE_DEFAULTS if k in there})

    def worker_of(self, claim: Object) -> str:
        return pod.pod_name_of(claim)

    def transition(self, seen: Seen, claim: Object, unmoved: Phase) -> Transition:
        pod_phase = objects.annotations(claim).get(annotations.POD_PHASE, "")
        name = objects.name(claim)
        if pod_phase != phases.Pod.SUCCEEDED and not _has_begun(seen, claim):
            return Transition(unmoved)
        match pod_phase:
            case phases.Pod.SUCCEEDED if checkpoints.in_progress(claim):
                message = f"a stage of the import into PVC {name} is complete; the next is awaited"
                return Transition(Phase.PAUSED, reasons.IMPORT_PAUSED, message)
            case phases.Pod.SUCCEEDED:
                return self.succeeded(seen.volume)
            case phases.Pod.RUNNING:
                message = f"import into PVC {name} in progress"
                return Transition(Phase.IMPORT_IN_PROGRESS, reasons.IMPORT_IN_PROGRESS, message)
            case phases.Pod.FAILED:
                return _failed(claim)
            case _:
                return _scheduled(seen, name, pod_phase)

    def succeeded(self, volume: Object) -> Transition:
        message = f"import into PVC {objects.name(volume)} succeeded"
        return Transition(Phase.SUCCEEDED, reasons.IMPORT_SUCCEEDED, message)


def _has_begun(seen: Seen, claim: Object) -> bool:
    """Whether the claim that the importer writes has its volume and its pod."""
    importing = seen.prime if IMPORT_SOURCE.fills(claim) else claim
    if importing is None:
        return False
    bound = objects.get(importing, "status", "phase") == phases.Claim.BOUND
    given = objects.annotations(importing)
    refused = given.get(annotations.POD_PHASE) == phases.Pod.FAILED
    return bound and (annotations.IMPORT_POD in given or refused)


def _scheduled(seen: Seen, name: str, pod_phase: str) -> Transition:
    if phase_of(seen) is Phase.IMPORT_IN_PROGRESS:
        return Transition(Phase.IMPORT_IN_PROGRESS)
    message = f"import into PVC {name} scheduled"
    reason = reasons.IMPORT_SCHEDULED if pod_phase == phases.Pod.PENDING else ""
    return Transition(Phase.IMPORT_SCHEDULED, reason, message)


def _failed(claim: Object) -> Transition:
    why = objects.annotations(claim).get(annotations.RUNNING_MESSAGE) or "the pod failed"
    fatal = metadata.is_true(claim, annotations.FATAL_ERROR)
    phase = Phase.FAILED if fatal else Phase.IMPORT_SCHEDULED
    message = f"import into PVC {objects.name(claim)} failed: {why}"
    return Transition(phase, reasons.IMPORT_FAILED, message, EventType.WARNING)
