"""
Copies into claims that are bound from the beginning, from another claim of their namespace.

That is how storage is cloned whose claims cannot be filled before they are bound. One pod has both
claims, as in phase HostClone; it belongs to the target, and goes with it. What it says is kept on
the target's annotations, which is all that its DataVolume reads.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from cdi.api import annotations, features, labels, names, phases, reasons
from cdi.controllers import boundcondition, metadata, plan
from cdi.controllers.act import Actor
from cdi.controllers.clonesource import CLAIM, CloneSource
from cdi.controllers.cloning import copypod, nodes
from cdi.controllers.cloning.outcome import SOON
from cdi.controllers.cluster import COPIED_FROM, UNCONFIGURED, Cluster, claims_used_by
from cdi.controllers.origins import origin as origins
from cdi.controllers.origins import restored, use
from cdi.controllers.origins.origin import Origin
from cdi.controllers.settings import Settings
from cdi.controllers.uploading.clonetarget import misfit_of
from cdi.controllers.working import context as workers
from cdi.controllers.working import report, runningcondition
from cdi.controllers.working.claims import change
from cdi.controllers.working.context import Context
from cdi.controllers.working.report import Report
from cdi.kube import objects, owners
from cdi.kube.controller import Result
from cdi.kube.errors import ApiError
from cdi.kube.objects import Key, Object
from cdi.kube.resource import PODS

NAME: Final = "clone-controller"


@dataclass(frozen=True, slots=True)
class Seen:
    """A target, and what concerns it."""

    claim: Object
    origin: Origin
    context: Context
    pod: Object | None = None
    volume: Object | None = None  # the target's
    users: Sequence[Object] = ()  # other pods that use the target
    classes: Sequence[Object] = ()
    events: Sequence[Object] = ()
    gates: Sequence[str] = ()


def is_asked(claim: Object) -> bool:
    """Whether a claim wants to be copied into by a pod that has both claims, and is no temporary
    one, which is the business of the clone that has made it."""
    if labels.OWNED_BY_UID in objects.labels(claim):
        return False
    given = objects.annotations(claim)
    return annotations.CLONE_REQUEST in given and metadata.is_true(claim, annotations.CLONE_BESIDE)


def decide(seen: Seen) -> plan.Plan:
    """Choose the next steps. No I/O, no clock."""
    claim, given = seen.claim, objects.annotations(seen.claim)
    if objects.is_deleting(claim):
        return _removed(seen)
    shown = change(claim, boundcondition.bound_annotations(claim, seen.events))
    if annotations.CLONE_OF in given or given.get(annotations.POD_PHASE) == phases.Pod.SUCCEEDED:
        return _tidied(seen)
    if not _may_begin(claim, seen.gates):
        return shown
    if nodes.are_apart(seen.origin.volume, seen.volume):
        return _over_the_network(seen)
    if seen.pod is None:
        return shown.then(_begun(seen))
    return shown.then(_followed(seen, seen.pod))


def _may_begin(claim: Object, gates: Sequence[str]) -> bool:
    """Whether the target is bound, or need not wait for that: our pod is its first consumer."""
    honoured = features.enabled(features.Gate.HONOR_WAIT_FOR_FIRST_CONSUMER, gates)
    at_once = not honoured or metadata.has(claim, annotations.BIND_IMMEDIATE)
    return at_once or objects.get(claim, "status", "phase") == phases.Claim.BOUND


def _over_the_network(seen: Seen) -> plan.Plan:
    """No pod can have both: leave it to a clone source and an upload server."""
    pod = seen.pod
    gone = () if pod is None or objects.is_deleting(pod) else (plan.Remove(PODS, pod),)
    noted = {annotations.CLONE_BESIDE: None, annotations.POD_PHASE: None}
    return plan.Plan(gone).then(change(seen.claim, noted))


def _begun(seen: Seen) -> plan.Plan:
    if busy := _busy(seen):
        told = (reasons.CLONE_SOURCE_IN_USE, busy.why)
        events = _news(seen, *told) if busy.in_use else ()
        return plan.Plan(events=events, again_in=SOON)
    source = seen.origin.object or {}
    if misfit := misfit_of(source, seen.claim, seen.context.config, seen.classes):
        return plan.Plan(events=_news(seen, reasons.ERR_INCOMPATIBLE_PVC, misfit.message))
    if seen.users:
        who = ", ".join(objects.name(each) for each in seen.users)
        why = f"PVC {objects.name(seen.claim)} is in use by pod {who}"
        return plan.Plan(events=_news(seen, reasons.UPLOAD_TARGET_IN_USE, why), again_in=SOON)
    pod = copypod.pod_for(
        source,
        seen.claim,
        seen.context,
        owner_uid=_owner_uid(seen.claim),
        marks=metadata.recommended_labels(seen.context.settings),
    )
    pod["metadata"]["ownerReferences"] = [owners.owner_reference(seen.claim)]
    create = plan.Create(PODS, pod, refused=lambda error: _refused(seen, pod, error))
    return plan.Plan((create,)).then(
        change(seen.claim, {annotations.POD_PHASE: phases.Pod.PENDING.value})
    )


def _busy(seen: Seen) -> use.Busy | None:
    for_us = restored.binds_for_reader(seen.origin.object, seen.classes)
    return use.busy(seen.origin, binds_for_reader=for_us)


def _owner_uid(claim: Object) -> str:
    owner = owners.controller_of(claim) or {}
    return str(owner.get("uid") or objects.uid(claim))


def _refused(seen: Seen, pod: Object, error: ApiError) -> plan.Plan:
    exceeded = reasons.EXCEEDED_QUOTA_TEXT in error.message
    reason = reasons.ERR_EXCEEDED_QUOTA if exceeded else reasons.ERR_STARTING_POD
    text = f"{reasons.STARTING_POD_MESSAGE} {objects.name(pod)}"
    noted = {
        annotations.POD_PHASE: phases.Pod.FAILED.value,
        annotations.RUNNING: annotations.FALSE,
        annotations.RUNNING_MESSAGE: text,
        annotations.RUNNING_REASON: reason,
    }
    return change(seen.claim, noted).with_events(*_news(seen, reason, text))


def _followed(seen: Seen, pod: Object) -> plan.Plan:
    said = report.report_of(pod, copypod.CONTAINER)
    claim = seen.claim
    if said.complete:
        text = f"Successfully cloned into {objects.key(claim)}"
        done = plan.normal(claim, reasons.CLONE_SUCCEEDED, text)
        return change(claim, copypod.finished(said, claim)).with_events(done)
    if objects.is_deleting(pod):
        return plan.NOTHING
    image = seen.context.settings.worker_image
    if report.is_left_behind(pod, copypod.CONTAINER, image):
        return plan.Plan((plan.Remove(PODS, pod),))
    if said.unschedulable:
        return _over_the_network(seen)
    if said.lost and objects.get(pod, "status", "phase") != phases.Pod.RUNNING:
        return plan.Plan((plan.Remove(PODS, pod),)).then(change(claim, _noted(claim, said, "")))
    phase = str(objects.get(pod, "status", "phase", default=""))
    if said.fatal is not None:
        failed = {annotations.FATAL_ERROR: annotations.TRUE}
        noted = _noted(claim, said, phases.Pod.FAILED.value)
        return plan.Plan((plan.Remove(PODS, pod),)).then(change(claim, {**noted, **failed}))
    return change(claim, _noted(claim, said, phase))


def _noted(claim: Object, said: Report, phase: str) -> dict[str, str | None]:
    given = objects.annotations(claim)
    noted = runningcondition.running_for(
        said, given.get(annotations.POD_RESTARTS), given.get(annotations.RUNNING_MESSAGE, "")
    )
    return {**noted, **({annotations.POD_PHASE: phase} if phase else {})}


def _tidied(seen: Seen) -> plan.Plan:
    """The pod of a finished copy goes, unless it is to be kept."""
    kept = metadata.is_true(seen.claim, annotations.RETAIN_AFTER_COMPLETION)
    return plan.NOTHING if kept else _removed(seen)


def _removed(seen: Seen) -> plan.Plan:
    """The pod goes: Kubernetes keeps a claim that is deleted as long as a pod names it."""
    if seen.pod is None or objects.is_deleting(seen.pod):
        return plan.NOTHING
    return plan.Plan((plan.Remove(PODS, seen.pod),))


def _news(seen: Seen, reason: str, message: str) -> tuple[plan.Event, ...]:
    told = ((each.get("reason"), each.get("message")) for each in seen.events)
    return () if (reason, message) in told else (plan.warning(seen.claim, reason, message),)


class Reconciler:
    """Claims that are copied into where they are."""

    def __init__(self, cluster: Cluster, settings: Settings, actor: Actor) -> None:
        self._cluster = cluster
        self._settings = settings
        self._actor = actor

    async def reconcile(self, key: Key) -> Result | None:
        seen = self.observe(key)
        if seen is None:
            return None
        if self._cluster.config is None:
            return UNCONFIGURED
        return await self._actor.act(decide(seen))

    def observe(self, key: Key) -> Seen | None:
        """Everything about one target; None where it is gone or not one of ours."""
        cluster = self._cluster
        claim = cluster.claims.get(key)
        if claim is None or not is_asked(claim):
            return None
        source = _source_of(claim)
        if source is None or source.namespace != key.namespace:
            return None
        pod = cluster.pods.get(Key(key.namespace, names.copy_pod_for(objects.uid(claim))))
        return Seen(
            claim=claim,
            origin=origins.observe(cluster, source),
            context=Context(self._settings, cluster.config or {}, workers.placement_of(cluster)),
            pod=pod,
            volume=origins.volume_of(cluster, claim),
            users=workers.other_users(cluster, claim, pod),
            classes=cluster.classes.list(),
            events=cluster.events_about(claim),
            gates=cluster.gates,
        )

    def keys_of_pod(self, pod: Object) -> Iterable[Key]:
        """A pod concerns the claims that it has, and what is copied from them."""
        for key in claims_used_by(pod):
            yield key
            yield from self._copied_from(key)

    def keys_of_claim(self, claim: Object) -> Iterable[Key]:
        return [objects.key(claim), *self._copied_from(objects.key(claim))]

    def _copied_from(self, source: Key) -> Collection[Key]:
        return [
            objects.key(each) for each in self._cluster.claims.by_index(COPIED_FROM, str(source))
        ]


def _source_of(claim: Object) -> CloneSource | None:
    text = objects.annotations(claim).get(annotations.CLONE_REQUEST, "")
    try:
        key = objects.parse_key(text)
    except ValueError:
        return None
    return CloneSource(CLAIM, *key) if key.namespace else None
