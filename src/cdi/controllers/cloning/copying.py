"""
Phase HostClone: a pod of ours copies what the storage does not clone.

The temporary claim is beside the source, so that one pod can have both: nothing goes over a
network, and where both are on one file system their data is shared. What the pod has said last is
kept on the temporary claim; the pod itself may then go.
"""

from cdi.api import annotations, phases, reasons
from cdi.controllers import plan
from cdi.controllers.cloning import attempt, copypod, nodes, temporaries
from cdi.controllers.cloning.outcome import (
    DONE,
    SOON,
    CannotClone,
    CopyFailed,
    Outcome,
    step,
    wait,
)
from cdi.controllers.cloning.seen import Seen
from cdi.controllers.origins import use
from cdi.controllers.populating.populator import pod_phase
from cdi.controllers.populating.prime import changed
from cdi.controllers.uploading import requests
from cdi.controllers.uploading.clonetarget import misfit_of
from cdi.controllers.working import report, runningcondition
from cdi.kube import objects
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS

_NO_PROGRESS = "N/A"
_SAID = (annotations.RUNNING, annotations.RUNNING_MESSAGE, annotations.RUNNING_REASON)


def copy_claim(seen: Seen) -> Outcome:
    """Copy the source claim, while nobody writes to it."""
    if seen.temporaries.claim is None and (busy := use.busy(seen.cloned)):
        return attempt.source_busy(seen, busy)
    return _copied(seen, seen.cloned_object)


def copy_restored(seen: Seen) -> Outcome:
    """Copy the claim that was restored from the snapshot."""
    source = seen.temporaries.source_claim
    if source is None:
        raise CannotClone("the claim that was restored from the snapshot has gone")
    return _copied(seen, source)


def _copied(seen: Seen, source: Object) -> Outcome:
    claim = seen.temporaries.claim
    if claim is None:
        misfit = misfit_of(source, seen.target, seen.config, seen.classes)
        if misfit is not None:
            raise CannotClone(misfit.message)
        return attempt.made(seen, temporaries.claim_for(seen, more=_asked(seen, source)))
    if objects.get(claim, "spec", "dataSourceRef"):
        return _made_way(claim)
    if pod_phase(claim) == phases.Pod.SUCCEEDED:
        return DONE
    pod = seen.temporaries.copy_pod
    if requests.is_clone_target(claim):
        return _sent(seen)
    if nodes.are_apart(_volume_of(seen, source), seen.temporaries.claim_volume):
        return _over_the_network(source, claim, pod)
    if pod is None:
        return _begun(seen, source, claim)
    return _followed(seen, source, claim, pod)


def _asked(seen: Seen, source: Object) -> dict[str, str]:
    """What the pod is asked, on the temporary claim.

    A controller that knows no copies beside reads of it what to copy over the network.
    """
    spec = (seen.source_object or {}).get("spec") or {}
    preallocate = spec.get("preallocation")
    if preallocate is None:
        preallocate = objects.get(seen.config, "status", "preallocation")
    asked = {
        annotations.PREALLOCATION_REQUESTED: str(preallocate is True).lower(),
        annotations.OWNER_UID: objects.uid(seen.target),
        annotations.POD_RESTARTS: "0",
        annotations.BIND_IMMEDIATE: "",
        annotations.CLONE_REQUEST: str(objects.key(source)),
        annotations.CLONE_BESIDE: annotations.TRUE,
    }
    if spec.get("priorityClassName"):
        asked[annotations.PRIORITY_CLASS] = spec["priorityClassName"]
    return asked


def _made_way(claim: Object) -> Outcome:
    """What storage has begun, and given up, goes before bytes are copied."""
    if objects.is_deleting(claim):
        return wait("what the storage has begun is being deleted")
    return step(plan.Remove(PERSISTENT_VOLUME_CLAIMS, claim))


# Where no pod can have both.


def _volume_of(seen: Seen, source: Object) -> Object | None:
    is_origin = source is seen.cloned.object
    return seen.cloned.volume if is_origin else seen.temporaries.source_volume


def _over_the_network(source: Object, claim: Object, pod: Object | None) -> Outcome:
    """Have a clone source send to an upload server of the temporary claim."""
    gone = () if pod is None or objects.is_deleting(pod) else (plan.Remove(PODS, pod),)
    noted = {
        annotations.CLONE_REQUEST: str(objects.key(source)),
        **dict.fromkeys((annotations.CLONE_BESIDE, annotations.POD_PHASE, *_SAID)),
    }
    return Outcome(wanted=plan.Plan(gone).then(changed(claim, noted)))


def _sent(seen: Seen) -> Outcome:
    """The copy is the business of two other controllers, who say how far it is."""
    return Outcome(progress=seen.progress or _NO_PROGRESS, wanted=plan.Plan(again_in=SOON))


# The pod.


def _begun(seen: Seen, source: Object, claim: Object) -> Outcome:
    if source is seen.cloned.object and (busy := use.busy(seen.cloned)):
        return attempt.source_busy(seen, busy)
    pod = copypod.copy_pod_for(seen, source, claim)
    return step(plan.Create(PODS, pod, refused=lambda error: _refused(seen, pod, error)))


def _refused(seen: Seen, pod: Object, error: ApiError) -> plan.Plan:
    exceeded = reasons.EXCEEDED_QUOTA_TEXT in error.message
    reason = reasons.ERR_EXCEEDED_QUOTA if exceeded else reasons.ERR_STARTING_POD
    text = f"{reasons.STARTING_POD_MESSAGE} {objects.name(pod)}"
    noted = {
        annotations.RUNNING: annotations.FALSE,
        annotations.RUNNING_MESSAGE: text,
        annotations.RUNNING_REASON: reason,
    }
    known = objects.annotations(seen.target)
    events = (plan.warning(seen.target, reason, text),)
    told = known.get(annotations.RUNNING_REASON) == reason
    return changed(seen.target, noted).with_events(*(() if told else events))


def _followed(seen: Seen, source: Object, claim: Object, pod: Object) -> Outcome:
    said = report.report_of(pod, copypod.CONTAINER)
    if said.complete:
        return Outcome(wanted=changed(claim, copypod.finished(said, claim)))
    if objects.is_deleting(pod):
        return wait()
    if report.is_left_behind(pod, copypod.CONTAINER, seen.context.settings.worker_image):
        return step(plan.Remove(PODS, pod))
    if said.unschedulable and attempt.is_volume_due(seen, claim):
        return wait("the temporary claim waits for its volume")
    if said.unschedulable:
        return _over_the_network(source, claim, pod)
    if said.lost and objects.get(pod, "status", "phase") != phases.Pod.RUNNING:
        return step(plan.Remove(PODS, pod), note=said.lost)
    noted = runningcondition.running_for(
        said,
        objects.annotations(claim).get(annotations.POD_RESTARTS),
        objects.annotations(claim).get(annotations.RUNNING_MESSAGE, ""),
    )
    noted[annotations.POD_PHASE] = str(objects.get(pod, "status", "phase", default=""))
    if said.fatal is not None:
        why = runningcondition.failure_of(said.fatal.termination)
        return Outcome(wanted=changed(claim, noted), failed=CopyFailed(why))
    running = said.running
    progress = seen.progress or (_NO_PROGRESS if running else None)
    return Outcome(
        wanted=changed(claim, noted).then(plan.Plan(again_in=SOON if running else None)),
        progress=progress,
    )
