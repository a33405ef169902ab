"""
Upload: somebody sends the disk.

UploadReady means that bytes may be sent, and stays while they are: nobody but the sender knows
how much there will be, so there is no progress. A server that is not there for the moment takes
the DataVolume back to UploadScheduled.
"""

from collections.abc import Mapping

from cdi.api import annotations, phases, reasons
from cdi.api.reasons import EventType
from cdi.controllers import metadata
from cdi.controllers.datavolume.operations.operation import Operation
from cdi.controllers.datavolume.operations.uploadsource import UPLOAD_SOURCE
from cdi.controllers.datavolume.seen import Seen, phase_of
from cdi.controllers.datavolume.transition import Transition
from cdi.controllers.uploading import requests
from cdi.kube import objects
from cdi.kube.objects import Object

Phase = phases.DataVolume


class Upload(Operation):
    """Phases follow from what the upload controller writes on the claim, or on its prime."""

    controller = "datavolume-upload-controller"
    sources = ("upload",)
    source_object = UPLOAD_SOURCE
    under_way = (Phase.UPLOAD_SCHEDULED, Phase.UPLOAD_READY)

    def request(self, _volume: Object) -> Mapping[str, str]:
        return requests.ASKED

    def is_request(self, key: str) -> bool:
        return key in requests.ASKED

    def transition(self, seen: Seen, claim: Object, unmoved: Phase) -> Transition:
        given, name = objects.annotations(claim), objects.name(claim)
        pod_phase = given.get(annotations.POD_PHASE, "")
        if pod_phase == phases.Pod.SUCCEEDED:
            return self.succeeded(seen.volume)
        if not _is_asked_for(seen, claim):
            # Cancelled, or not begun: nobody may go on sending.
            ready = phase_of(seen) is Phase.UPLOAD_READY
            return Transition(Phase.UPLOAD_SCHEDULED if ready else unmoved)
        match pod_phase:
            case phases.Pod.RUNNING if metadata.is_true(claim, annotations.POD_READY):
                message = f"upload into PVC {name} ready"
                return Transition(Phase.UPLOAD_READY, reasons.UPLOAD_READY, message)
            case phases.Pod.PENDING | phases.Pod.EMPTY:
                message = f"upload into PVC {name} scheduled"
                return Transition(Phase.UPLOAD_SCHEDULED, reasons.UPLOAD_SCHEDULED, message)
            case phases.Pod.FAILED:
                why = given.get(annotations.RUNNING_MESSAGE) or "the pod failed"
                message = f"upload into PVC {name} failed: {why}"
                return Transition(
                    Phase.UPLOAD_SCHEDULED, reasons.UPLOAD_FAILED, message, EventType.WARNING
                )
            case _:
                return Transition(Phase.UPLOAD_SCHEDULED)

    def succeeded(self, volume: Object) -> Transition:
        message = f"upload into PVC {objects.name(volume)} succeeded"
        return Transition(Phase.SUCCEEDED, reasons.UPLOAD_SUCCEEDED, message)


def _is_asked_for(seen: Seen, claim: Object) -> bool:
    """Whether the claim that bytes are sent into has its volume, and is to take them."""
    uploading = seen.prime if UPLOAD_SOURCE.fills(claim) else claim
    if uploading is None:
        return False
    bound = objects.get(uploading, "status", "phase") == phases.Claim.BOUND
    return bound and requests.asks_for_upload(uploading)
