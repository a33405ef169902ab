"""
How large the claim of an import has to be that names no size.

A pod reads the size of the disk at the source, and what it finds stands on the DataVolume: the
claim is then rendered as if somebody had asked for it. The pod goes once that is noted. What it
could not find out, and no other attempt would, is final and told at once; the pod stays and holds
its log. A deleted pod is made anew. Pure, as all decisions; sizes in bytes.

    pod             what happens
    none            it is created
    at work         the DataVolume is Pending, and says what is waited for
    has the size    the size is noted, the pod goes, the claim follows
    failed          Pending with the reason; the kubelet starts it again
    failed for good Failed, with the reason
"""

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import annotations, phases, reasons
from cdi.api.counts import parse_count
from cdi.api.reasons import EventType
from cdi.api.termination import Termination
from cdi.controllers import plan
from cdi.controllers.datavolume import source, sourcepod
from cdi.controllers.datavolume.blocked import Blocked
from cdi.controllers.datavolume.operations.operation import Changes, Prepared
from cdi.controllers.datavolume.seen import Seen
from cdi.controllers.importing.pod import CannotImport
from cdi.controllers.working.report import Report
from cdi.controllers.working.runningcondition import failure_of, with_next_attempt
from cdi.kube import objects
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import CONFIG_MAPS, PODS
from cdi.storage import sizes

Phase = phases.DataVolume

_STARTING: Final = "ContainerCreating"


def follows(volume: Object) -> bool:
    """Whether the size of a DataVolume's claim is read from its source."""
    return (
        volume["spec"].get("storage") is not None
        and source.kind_of(volume) in sizes.MEASURABLE
        and _asked(volume["spec"]["storage"]) == 0
    )


def sized(volume: Object) -> Mapping[str, Any]:
    """The spec of a DataVolume, with the size that was found where it names none."""
    spec: Mapping[str, Any] = volume["spec"]
    found = parse_count(objects.annotations(volume).get(annotations.IMPORT_VIRTUAL_SIZE))
    if not (found and follows(volume)):
        return spec
    # No volume may be smaller than that, however small the disk is.
    size = max(found, sizes.SMALLEST)
    return {**spec, "storage": sizes.with_request(spec["storage"], size)}


def prepared(seen: Seen, spec: dict[str, Any], request: Changes) -> Prepared:
    """What has to happen before a claim with this spec is made."""
    pod = seen.measuring
    if _asked(spec) or not follows(seen.volume):
        return Prepared(spec, wanted=_gone(pod))
    if pod is None or objects.is_deleting(pod):
        return _begun(seen, spec, request, pod)
    report = sourcepod.report(pod)
    ended = report.ended
    if ended is None:
        return Prepared(spec, _waits(pod, report))
    said = ended.termination
    if said.virtual_size:
        noted = {annotations.IMPORT_VIRTUAL_SIZE: str(said.virtual_size)}
        return Prepared(spec, waits=Phase.PENDING, annotations=noted, wanted=_gone(pod))
    if said.permanent and not said.mendable:
        return Prepared(spec, _failed(Phase.FAILED, said, failure_of(said)))
    message = with_next_attempt(failure_of(said), report.next_attempt)
    return Prepared(spec, _failed(Phase.PENDING, said, message))


def _asked(spec: Mapping[str, Any]) -> int:
    return sizes.requested(spec) or 0


def _begun(seen: Seen, spec: dict[str, Any], request: Changes, pod: Object | None) -> Prepared:
    if pod is not None:
        return Prepared(spec, waits=Phase.PENDING)  # its end is heard of
    try:
        wanted = sourcepod.pod_for(seen, request)
    except CannotImport as error:
        return Prepared(spec, Blocked(Phase.FAILED, reasons.ERR_STARTING_POD, str(error)))
    copied = sourcepod.proxy_certificates_for(seen)
    steps = [] if copied is None else [plan.Create(CONFIG_MAPS, copied)]
    create = plan.Create(PODS, wanted, refused=lambda error: _refused(seen, wanted, error))
    told = f"pod {objects.name(wanted)} reads the size of the disk at the source"
    event = plan.normal(seen.volume, reasons.SIZE_DETECTION_POD_CREATED, told)
    return Prepared(
        spec, _waits(wanted, sourcepod.report(wanted)), wanted=plan.Plan((*steps, create), (event,))
    )


def _waits(pod: Object, report: Report) -> Blocked:
    text = f"pod {objects.name(pod)} has not read the size of the disk at the source yet"
    reason = reasons.UNSCHEDULABLE if report.unschedulable else report.waiting_reason
    if reason in ("", _STARTING):
        usual = reasons.SIZE_DETECTION_POD_NOT_READY
        return Blocked(Phase.PENDING, usual, text, EventType.NORMAL)
    why = report.waiting_message or "kubectl describe of the pod says why"
    return Blocked(Phase.PENDING, reason, f"{text}: {why}")


def _failed(phase: phases.DataVolume, said: Termination, message: str) -> Blocked:
    text = f"the size of the disk at the source is not known: {message or 'no reason is given'}"
    return Blocked(phase, said.reason or reasons.ERR_UNKNOWN, text)


def _refused(seen: Seen, pod: Object, error: ApiError) -> plan.Plan:
    exceeded = reasons.EXCEEDED_QUOTA_TEXT in error.message
    reason = reasons.ERR_EXCEEDED_QUOTA if exceeded else reasons.ERR_STARTING_POD
    text = f"{reasons.STARTING_POD_MESSAGE} {objects.name(pod)}: {error.message}"
    return plan.Plan(events=(plan.warning(seen.volume, reason, text),))


def _gone(pod: Object | None) -> plan.Plan:
    if pod is None or objects.is_deleting(pod):
        return plan.NOTHING
    return plan.Plan((plan.Remove(PODS, pod),))
