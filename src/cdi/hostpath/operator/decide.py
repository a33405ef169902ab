"""
What becomes of a HostPathProvisioner: from one look at the cluster to a plan. No I/O, no clock.

There is one; of several the oldest counts, and the others say so. Its objects are brought to what
is wanted each time, and what it no longer wants goes. When it is deleted, pods go first, then what
belongs to no namespace; directories and volumes stay.

Every step may be the last before a crash: the next pass starts from what is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from cdi.hostpath.operator import kinds, mounting, status, validation
from cdi.hostpath.operator.inventory.installed import Facts, installed
from cdi.hostpath.operator.inventory.pools import pools_of
from cdi.hostpath.operator.plan import Plan
from cdi.hostpath.operator.settings import Settings
from cdi.hostpath.operator.status import Status
from cdi.kube import conditions, objects, owners, semver
from cdi.kube.installing import readiness
from cdi.kube.installing.ref import Ref, ref_of
from cdi.kube.installing.steps import Event, Maker, Remove, Step, leftovers, step_for
from cdi.kube.objects import Object, Objects

POLL: Final = 60.0  # seconds
SOON: Final = 1.0
_DAEMON_SET: Final = "DaemonSet"
# What stays when an object goes, whatever else does: people's data is on them.
_KEPT: Final = frozenset({"PersistentVolumeClaim", "StorageClass"})
# What `mounting` makes and takes away, in its own order.
_MOUNTING: Final = frozenset({"Deployment", "Job"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The cluster at one moment, as far as one object is concerned."""

    provisioner: Object
    settings: Settings
    others: tuple[Object, ...] = ()
    current: Mapping[Ref, Object]
    facts: Facts

    @property
    def observed(self) -> str:
        return str(objects.get(self.provisioner, "status", "observedVersion", default=""))


def decide(seen: Seen) -> Plan:
    """Choose what to do."""
    if objects.is_deleting(seen.provisioner):
        return _remove(seen)
    if older := _older(seen):
        message = (
            f"there can be one HostPathProvisioner, and {objects.name(older)!r} is older; "
            "delete one of the two"
        )
        return _refused(seen, "MultipleProvisioners", message)
    if problems := validation.problems(seen.provisioner):
        return _refused(seen, "InvalidSpec", "; ".join(problems))
    if semver.step(seen.observed, seen.settings.version) is semver.Step.DOWNGRADE:
        message = (
            f"operator downgraded: version {seen.observed} is installed, and this operator has "
            f"version {seen.settings.version}; install an operator of that version or a newer one"
        )
        return _refused(seen, "OperatorDowngraded", message)
    return _keep(seen)


def _older(seen: Seen) -> Object | None:
    def age(each: Object) -> tuple[str, str]:
        return str(objects.metadata(each).get("creationTimestamp", "")), objects.name(each)

    others = [each for each in seen.others if not objects.is_deleting(each)]
    first = min([*others, seen.provisioner], key=age)
    return None if first is seen.provisioner else first


def _refused(seen: Seen, reason: str, message: str) -> Plan:
    said = status.failed(message, reason, busy=False)
    known = _condition_reason(seen.provisioner, status.DEGRADED)
    events = () if known == reason else (Event(reason, message, warning=True),)
    return Plan(status=said, events=events, again_in=POLL)


def _condition_reason(obj: Object, condition: str) -> str:
    listed = objects.get(obj, "status", "conditions", default=[])
    return next((str(each.get("reason")) for each in listed if each["type"] == condition), "")


# Deletion


def _remove(seen: Seen) -> Plan:
    if kinds.FINALIZER not in objects.finalizers(seen.provisioner):
        return Plan()
    mine = [
        each
        for each in seen.current.values()
        if owners.is_controlled_by(each, seen.provisioner) and each["kind"] not in _KEPT
    ]
    # Pods first: what they may do is not taken from under them.
    pods = [each for each in mine if each["kind"] == _DAEMON_SET]
    if pods:
        return _taking_away(pods)
    mounted = mounting.take_down(_mounting(seen))
    if mounted.waiting or mounted.steps:
        return Plan(steps=mounted.steps, events=mounted.events, again_in=SOON)
    left = [each for each in mine if not objects.namespace(each)]
    return _taking_away(left) if left else Plan(finalizer=False)


def _taking_away(going: Objects) -> Plan:
    steps = tuple(Remove(each) for each in going if not objects.is_deleting(each))
    return Plan(steps=steps, again_in=SOON)


def _mounting(seen: Seen) -> mounting.Seen:
    return mounting.Seen(seen.provisioner, seen.settings, seen.current)


# What is wanted


def _keep(seen: Seen) -> Plan:
    wanted = installed(seen.settings, seen.provisioner, seen.facts)
    mounted = mounting.keep(_mounting(seen))
    plan = Plan(
        steps=(*_steps(seen, wanted), *mounted.steps),
        versions=(
            ("operatorVersion", seen.settings.version),
            ("targetVersion", seen.settings.version),
        ),
        finalizer=True,
        again_in=POLL,
    )
    plan = _settled(seen, plan, wanted, mounted)
    said = plan.status and replace(plan.status, on_claims=mounted.pools)
    return replace(plan, status=said, events=(*plan.events, *mounted.events))


def _settled(seen: Seen, plan: Plan, wanted: Objects, mounted: mounting.Plan) -> Plan:
    """What the plan says of itself, by what is there and what is still to be done."""
    waiting = _not_ready(seen, wanted) or mounted.waiting
    if mounted.unbound:
        return replace(plan, status=status.failed(mounted.unbound, "StoragePoolNotReady"))
    if not seen.observed:
        return _deploying(seen, plan, waiting)
    if semver.step(seen.observed, seen.settings.version) is semver.Step.UPGRADE:
        return _upgrading(seen, plan, waiting)
    if waiting:
        return replace(plan, status=status.degraded(waiting))
    said = ("observedVersion", seen.settings.version)
    return replace(plan, status=_complete(seen, wanted), versions=(*plan.versions, said))


def _deploying(seen: Seen, plan: Plan, waiting: str) -> Plan:
    if not waiting and not plan.steps:
        return _finished(seen, plan)
    begun = status.deploying()
    if waiting:
        said = conditions.Said(True, begun.progressing.reason, waiting)
        begun = replace(begun, progressing=said)
    started = conditions.is_true(seen.provisioner, status.PROGRESSING)
    events = () if started else (Event("DeployStarted", "Started Deployment"),)
    return replace(plan, status=begun, events=events)


def _upgrading(seen: Seen, plan: Plan, waiting: str) -> Plan:
    if (
        not waiting
        and not plan.steps
        and _condition_reason(seen.provisioner, status.PROGRESSING) == "UpgradeStarted"
    ):
        return _finished(seen, plan)
    begun = status.upgrading(seen.settings.version)
    started = _condition_reason(seen.provisioner, status.PROGRESSING) == "UpgradeStarted"
    events = () if started else (Event("UpgradeStarted", begun.progressing.message),)
    return replace(plan, status=begun, events=events, again_in=SOON)


def _finished(seen: Seen, plan: Plan) -> Plan:
    wanted = installed(seen.settings, seen.provisioner, seen.facts)
    return replace(
        plan,
        status=_complete(seen, wanted),
        events=(Event("ProvisionerHealthy", "The hostpath provisioner is ready"),),
        versions=(*plan.versions, ("observedVersion", seen.settings.version)),
    )


def _complete(seen: Seen, wanted: Objects) -> Status:
    pools = tuple(each.name for each in pools_of(seen.provisioner))
    sets = [seen.current.get(ref_of(each)) for each in wanted if each["kind"] == _DAEMON_SET]
    if all(objects.get(each, "status", "desiredNumberScheduled", default=0) == 0 for each in sets):
        return status.complete(pools, "No node has volumes: none matches spec.workload")
    return status.complete(pools)


def _not_ready(seen: Seen, wanted: Objects) -> str:
    """Which DaemonSet has not all of its pods; empty where all have."""
    for each in wanted:
        if each["kind"] == _DAEMON_SET:
            found = seen.current.get(ref_of(each))
            if found is None or not readiness.is_everywhere(found):
                return f"DaemonSet {objects.name(each)} has not all of its pods ready"
    return ""


def _steps(seen: Seen, wanted: Objects) -> list[Step]:
    maker = Maker(seen.provisioner, seen.settings.version, kinds.KINDS.marks)
    steps = [step_for(each, seen.current.get(ref_of(each)), maker) for each in wanted]
    left = leftovers(wanted, seen.current, seen.provisioner, {*_KEPT, *_MOUNTING})
    return [*(each for each in steps if each is not None), *(Remove(each) for each in left)]
