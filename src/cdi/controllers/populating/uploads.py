"""The upload populator: somebody sends bytes into the prime, through the upload controller."""

from collections.abc import Mapping, Sequence

from cdi.api import annotations, phases, reasons
from cdi.controllers import kinds, plan
from cdi.controllers.populating.populator import Populator, pod_phase
from cdi.controllers.populating.seen import Seen
from cdi.controllers.uploading import requests
from cdi.kube import objects
from cdi.kube.objects import Object


class UploadPopulator(Populator):
    """Fills claims that name a VolumeUploadSource.

    Clients find the server through the prime that the target names, until it is filled.
    """

    controller = "upload-populator"
    resource = kinds.UPLOAD_SOURCES
    cache = "upload_sources"
    inherited = (annotations.SCRATCH_CLASS,)
    measured = False
    hands_over_first = True

    def request(self, _source: Object) -> Mapping[str, str]:
        return requests.ASKED

    def worker_of(self, prime: Object) -> str:
        return requests.pod_name_of(prime)

    def is_named(self, prime: Object) -> bool:
        return not self.is_filled(prime)

    def news(self, seen: Seen, prime: Object) -> Sequence[plan.Event]:
        target, name = seen.target, objects.name(seen.target)
        if pod_phase(prime) == pod_phase(target):
            return []
        if self.is_filled(prime):
            message = f"upload into PVC {name} succeeded"
            return [plan.normal(target, reasons.UPLOAD_SUCCEEDED, message)]
        if pod_phase(prime) == phases.Pod.FAILED:
            why = objects.annotations(prime).get(annotations.RUNNING_MESSAGE) or "the pod failed"
            message = f"upload into PVC {name} failed: {why}"
            return [plan.warning(target, reasons.UPLOAD_FAILED, message)]
        return []
