"""
Copies over the network: what to do next about a claim into which a clone source is to send.

    claim                        clone source        what happens
    has no server that runs      any                 nothing, or it goes: see below
    its server runs              none                named on the claim, then made, if it may be
    any                          waits for keys      they are made for it
    its server is not ready      trusts others       it goes: another one knows the new authority
    says it is full              over, or none       the copy is complete
    says it is full              has failed          it goes: the answer it waits for was given
    complete, or being deleted   any                 it goes, and lets go of the claim

The server is the upload controller's; the source may be in another namespace, so it is held by a
finalizer of the claim instead of an owner. Who asked is believed by an extended clone token.

Both ends come up side by side: a source waits for its server. What servers are known by is told to
a source when it is made; where that has changed since, no server that is made later is one that it
knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cdi.api import annotations, finalizers, labels, names, phases, reasons, roles
from cdi.api.workersettings import CLONE_SOURCE_DIR, METRICS_PORT, METRICS_PORT_NAME
from cdi.api.workorder import CloneOrder
from cdi.controllers import metadata, plan
from cdi.controllers.cloning import copypod, sendingkeys
from cdi.controllers.cloning.outcome import SOON
from cdi.controllers.origins import restored, use
from cdi.controllers.origins.origin import Origin
from cdi.controllers.uploading.clonetarget import misfit_of
from cdi.controllers.working import mounts, podspec, runningcondition
from cdi.controllers.working.claims import change
from cdi.controllers.working.context import Context
from cdi.controllers.working.report import is_left_behind, report_of
from cdi.kube import objects, owners
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS, SECRETS

_OVER: Final = (phases.Pod.SUCCEEDED, phases.Pod.FAILED)
_COMMAND: Final = roles.command_of(roles.CLONE_SOURCE)
_SERVER_CA: Final = "SERVER_CA_CERT"  # of `CloneOrder`


@dataclass(frozen=True, slots=True)
class Seen:
    """A target, and what concerns it."""

    claim: Object
    origin: Origin
    context: Context
    issuer: sendingkeys.Issuer
    now: datetime
    refused: str = ""  # why it may not be copied over from another namespace
    pod: Object | None = None
    classes: Sequence[Object] = ()
    events: Sequence[Object] = ()


def is_asked(claim: Object) -> bool:
    """Whether a claim is copied into over the network, or was."""
    asked = metadata.has(claim, annotations.CLONE_REQUEST)
    return asked and not metadata.is_true(claim, annotations.CLONE_BESIDE)


def pod_name_of(claim: Object) -> str:
    """The name that the clone source has or will have."""
    known = objects.annotations(claim).get(annotations.SOURCE_CLONE_POD)
    return known or names.clone_source_pod_for(objects.uid(claim))


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    claim, given = seen.claim, objects.annotations(seen.claim)
    if objects.is_deleting(claim) or annotations.CLONE_OF in given:
        return _cleaned_up(seen)
    full = given.get(annotations.POD_PHASE) == phases.Pod.SUCCEEDED
    if full:
        return _completed(seen)
    if not has_server(claim):
        return _made_way(seen)
    if seen.pod is None:
        return _without_pod(seen)
    return _with_pod(seen, seen.pod)


def has_server(claim: Object) -> bool:
    """Whether a claim's server is there, or about to be."""
    given = objects.annotations(claim)
    ready = given.get(annotations.POD_READY)
    runs = given.get(annotations.POD_PHASE) == phases.Pod.RUNNING
    return ready == annotations.TRUE or (ready is not None and runs)


def _made_way(seen: Seen) -> plan.Plan:
    """Without a server, a source goes that would not know the next one."""
    pod = seen.pod
    if pod is None or objects.is_deleting(pod) or not _trusts_others(seen, pod):
        return plan.NOTHING
    return plan.Plan((plan.Remove(PODS, pod),))


def _trusts_others(seen: Seen, pod: Object) -> bool:
    """Whether the authority of servers has changed since a clone source was made."""
    now = seen.issuer.servers
    given = objects.get(pod, "spec", "containers", 0, "env", default=[])
    told = {each.get("name"): each.get("value") for each in given}.get(_SERVER_CA)
    return bool(now and told) and told != now


def _completed(seen: Seen) -> plan.Plan:
    if seen.pod is not None and objects.get(seen.pod, "status", "phase") not in _OVER:
        if _is_between_starts(seen.pod) and not objects.is_deleting(seen.pod):
            # It has missed the last answer, and sends to a server that is no more.
            return plan.Plan((plan.Remove(PODS, seen.pod),))
        return plan.Plan(again_in=SOON)  # it is about to hear of it
    text = f"Successfully cloned into {objects.key(seen.claim)}"
    done = plan.normal(seen.claim, reasons.CLONE_SUCCEEDED, text)
    said = {annotations.CLONE_OF: annotations.TRUE, **_source_says(seen)}
    return change(seen.claim, said).with_events(done)


def _is_between_starts(pod: Object) -> bool:
    """Whether the clone source has failed and waits for its next start."""
    told = objects.get(pod, "status", "containerStatuses", default=[])
    return any(
        objects.get(each, "state", "waiting") and objects.get(each, "lastState", "terminated")
        for each in told
    )


def _cleaned_up(seen: Seen) -> plan.Plan:
    claim, steps = seen.claim, list[plan.Step]()
    if finalizers.CLONE_SOURCE not in objects.finalizers(claim):
        return plan.NOTHING
    asked = metadata.is_true(claim, annotations.RETAIN_AFTER_COMPLETION)
    kept = asked and not objects.is_deleting(claim)
    if seen.pod is not None and not kept and not objects.is_deleting(seen.pod):
        steps.append(plan.Remove(PODS, seen.pod))
    wanted = {**claim, "metadata": {**objects.metadata(claim)}}
    held = objects.finalizers(claim)
    wanted["metadata"]["finalizers"] = [x for x in held if x != finalizers.CLONE_SOURCE]
    steps.append(plan.Change(PERSISTENT_VOLUME_CLAIMS, claim, wanted))
    return plan.Plan(tuple(steps))


# Making it.


def _without_pod(seen: Seen) -> plan.Plan:
    claim = seen.claim
    if finalizers.CLONE_SOURCE not in objects.finalizers(claim):
        # First: from here on there may be a pod that only the claim knows of.
        noted = {annotations.SOURCE_CLONE_POD: pod_name_of(claim)}
        wanted = metadata.changed(claim, annotations=noted)
        held = [*objects.finalizers(claim), finalizers.CLONE_SOURCE]
        wanted["metadata"]["finalizers"] = held
        return plan.Plan((plan.Change(PERSISTENT_VOLUME_CLAIMS, claim, wanted),))
    if seen.refused:
        return plan.Plan(events=_news(seen, reasons.NOT_AUTHORIZED, seen.refused))
    if busy := _busy(seen):
        events = _news(seen, reasons.CLONE_SOURCE_IN_USE, busy.why) if busy.in_use else ()
        return plan.Plan(events=events, again_in=SOON)
    source = seen.origin.object or {}
    if misfit := misfit_of(source, claim, seen.context.config, seen.classes):
        return plan.Plan(events=_news(seen, reasons.ERR_INCOMPATIBLE_PVC, misfit.message))
    if why := seen.issuer.why_not():
        return plan.Plan(failure=sendingkeys.CannotIssue(why))
    pod = pod_for(seen, source)
    create = plan.Create(
        PODS,
        pod,
        refused=lambda error: _refused(seen, pod, error),
        # At once: a kubelet that misses them looks again only after a pause.
        made=lambda made: _keys_for(seen, made),
    )
    return plan.Plan((create,))


def _busy(seen: Seen) -> use.Busy | None:
    for_us = restored.binds_for_reader(seen.origin.object, seen.classes)
    return use.busy(seen.origin, binds_for_reader=for_us)


def pod_for(seen: Seen, source: Object) -> Object:
    """The clone source: it reads the source and sends to the claim's server."""
    claim, name = seen.claim, pod_name_of(seen.claim)
    is_block = mounts.is_block(source)
    mount = mounts.data(source, CLONE_SOURCE_DIR)
    order = CloneOrder(
        upload_url=names.upload_url_for(objects.name(claim), objects.namespace(claim)),
        server_ca=seen.issuer.servers,
        owner_uid=_owner_uid(claim),
        preallocation=metadata.is_true(claim, annotations.PREALLOCATION_REQUESTED),
        volume_mode="block" if is_block else "filesystem",
        mount_point=mount.path,
    )
    metrics = {"name": METRICS_PORT_NAME, "containerPort": METRICS_PORT, "protocol": "TCP"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": objects.namespace(source),
            "labels": {
                labels.APP: labels.APP_VALUE,
                labels.COMPONENT: labels.CLONE_SOURCE,
                labels.CLONE_UNIQUE_ID: name,
                labels.HOST_ASSISTED_SOURCE: objects.uid(source),
                labels.PROMETHEUS: annotations.TRUE,
                **metadata.recommended_labels(seen.context.settings),
            },
            "annotations": {
                annotations.CREATED_BY_CONTROLLER: "yes",
                annotations.OWNER_REF: str(objects.key(claim)),
                **metadata.passed_on(objects.annotations(claim)),
            },
        },
        "spec": podspec.spec_for(
            copypod.CONTAINER,
            _COMMAND,
            [mount],
            seen.context,
            about=claim,
            env=order.to_pod_env(name),
            ports=[metrics],
        ),
    }


def _keys_for(seen: Seen, pod: Object) -> plan.Plan:
    """The keys of a clone source; a Secret of its name that is there already stays as it is."""
    keys = sendingkeys.secret_for(pod, seen.claim, seen.issuer, seen.now)
    return plan.Plan((plan.Create(SECRETS, keys),))


def _owner_uid(claim: Object) -> str:
    owner = owners.controller_of(claim) or {}
    named = objects.annotations(claim).get(annotations.OWNER_UID)
    return str(owner.get("uid") or named or objects.uid(claim))


def _refused(seen: Seen, pod: Object, error: ApiError) -> plan.Plan:
    exceeded = reasons.EXCEEDED_QUOTA_TEXT in error.message
    reason = reasons.ERR_EXCEEDED_QUOTA if exceeded else reasons.ERR_STARTING_POD
    text = f"{reasons.STARTING_POD_MESSAGE} {objects.name(pod)}"
    noted = {
        annotations.SOURCE_RUNNING: annotations.FALSE,
        annotations.SOURCE_RUNNING_MESSAGE: text,
        annotations.SOURCE_RUNNING_REASON: reason,
    }
    return change(seen.claim, noted).with_events(*_news(seen, reason, text))


def _with_pod(seen: Seen, pod: Object) -> plan.Plan:
    phase = objects.get(pod, "status", "phase")
    if objects.is_deleting(pod):
        return plan.NOTHING
    image = seen.context.settings.worker_image
    unready = objects.annotations(seen.claim).get(annotations.POD_READY) != annotations.TRUE
    unknown = (unready or _is_between_starts(pod)) and _trusts_others(seen, pod)
    left_behind = is_left_behind(pod, copypod.CONTAINER, image)
    if phase == phases.Pod.FAILED or left_behind or unknown:
        return plan.Plan((plan.Remove(PODS, pod),))
    wanted = change(seen.claim, _source_says(seen))
    if phase in (None, "", phases.Pod.PENDING):
        return _keys_for(seen, pod).then(plan.Plan(again_in=SOON)).then(wanted)
    return wanted


def _source_says(seen: Seen) -> dict[str, str | None]:
    """Condition Running of the sending end."""
    if seen.pod is None:
        return {}
    said = runningcondition.running_for(report_of(seen.pod, copypod.CONTAINER), None)
    to = {
        annotations.RUNNING: annotations.SOURCE_RUNNING,
        annotations.RUNNING_MESSAGE: annotations.SOURCE_RUNNING_MESSAGE,
        annotations.RUNNING_REASON: annotations.SOURCE_RUNNING_REASON,
    }
    return {to[key]: value for key, value in said.items() if key in to}


def _news(seen: Seen, reason: str, message: str) -> tuple[plan.Event, ...]:
    told = ((each.get("reason"), each.get("message")) for each in seen.events)
    return () if (reason, message) in told else (plan.warning(seen.claim, reason, message),)
