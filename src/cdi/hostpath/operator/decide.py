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
from typing import Final, NamedTuple

from cdi.hostpath.operator import kinds, status, validation
from cdi.hostpath.operator.inventory.installed import Facts, installed
from cdi.hostpath.operator.inventory.pools import pools_of
from cdi.hostpath.operator.plan import Create, Event, Plan, Remove, Step, Update
from cdi.hostpath.operator.settings import Settings
from cdi.hostpath.operator.status import Status
from cdi.kube import conditions, managed, objects, owners, semver
from cdi.kube.objects import Object, Objects

POLL: Final = 60.0  # seconds
SOON: Final = 1.0
_DAEMON_SET: Final = "DaemonSet"
# What stays when an object goes, whatever else does: people's data is on them.
_KEPT: Final = frozenset({"PersistentVolumeClaim", "StorageClass"})


class Ref(NamedTuple):
    """Which object."""

    kind: str
    namespace: str
    name: str


def ref_of(obj: Object) -> Ref:
    return Ref(obj["kind"], objects.namespace(obj), objects.name(obj))


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
    if unsupported := _unsupported(seen.provisioner):
        return _refused(seen, "NotSupported", unsupported)
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


def _unsupported(provisioner: Object) -> str:
    on_claims = [
        each["name"]
        for each in objects.get(provisioner, "spec", "storagePools", default=[])
        if each.get("pvcTemplate")
    ]
    if not on_claims:
        return ""
    return f"storage pools on claims (pvcTemplate) are not supported yet: {', '.join(on_claims)}"


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
    left = [each for each in mine if not objects.namespace(each)]
    # Pods first: what they may do is not taken from under them.
    pods = [each for each in mine if each["kind"] == _DAEMON_SET]
    going = pods or left
    if going:
        steps = tuple(Remove(each) for each in going if not objects.is_deleting(each))
        return Plan(steps=steps, again_in=SOON)
    return Plan(finalizer=False)


# What is wanted


def _keep(seen: Seen) -> Plan:
    wanted = installed(seen.settings, seen.provisioner, seen.facts)
    plan = Plan(
        steps=(*_steps(seen, wanted), *_leftovers(seen, wanted)),
        versions=(
            ("operatorVersion", seen.settings.version),
            ("targetVersion", seen.settings.version),
        ),
        finalizer=True,
        again_in=POLL,
    )
    ready, waiting = _readiness(seen, wanted)
    if not seen.observed:
        return _deploying(seen, plan, ready=ready, waiting=waiting)
    if semver.step(seen.observed, seen.settings.version) is semver.Step.UPGRADE:
        return _upgrading(seen, plan, ready=ready)
    if not ready:
        return replace(plan, status=status.degraded(waiting))
    said = ("observedVersion", seen.settings.version)
    return replace(plan, status=_complete(seen, wanted), versions=(*plan.versions, said))


def _deploying(seen: Seen, plan: Plan, *, ready: bool, waiting: str) -> Plan:
    if ready and not plan.steps:
        return _finished(seen, plan)
    begun = status.deploying()
    if waiting:
        said = conditions.Said(True, begun.progressing.reason, waiting)
        begun = replace(begun, progressing=said)
    started = conditions.is_true(seen.provisioner, status.PROGRESSING)
    events = () if started else (Event("DeployStarted", "Started Deployment"),)
    return replace(plan, status=begun, events=events)


def _upgrading(seen: Seen, plan: Plan, *, ready: bool) -> Plan:
    if (
        ready
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


def _readiness(seen: Seen, wanted: Objects) -> tuple[bool, str]:
    """Whether all DaemonSets have their pods, and which one has not."""
    for each in wanted:
        if each["kind"] == _DAEMON_SET:
            found = seen.current.get(ref_of(each))
            if found is None or not is_ready(found):
                return False, f"DaemonSet {objects.name(each)} has not all of its pods ready"
    return True, ""


def is_ready(daemon_set: Object) -> bool:
    """Whether all nodes have their pod, in its newest form."""
    said = daemon_set.get("status") or {}
    generation = objects.metadata(daemon_set).get("generation", 0)
    desired = said.get("desiredNumberScheduled")
    return (
        desired is not None
        and said.get("observedGeneration", 0) >= generation
        and said.get("numberReady", 0) >= desired
        and said.get("updatedNumberScheduled", 0) >= desired
    )


def _steps(seen: Seen, wanted: Objects) -> list[Step]:
    return [
        step
        for each in wanted
        if (step := _step_for(seen, each, seen.current.get(ref_of(each)))) is not None
    ]


def _step_for(seen: Seen, wanted: Object, current: Object | None) -> Step | None:
    version, owner = seen.settings.version, seen.provisioner
    if current is None:
        return Create(managed.marked(wanted, owner, version, kinds.MARKS))
    if objects.is_deleting(current):
        return None
    if wanted["kind"] == _DAEMON_SET and _selector(wanted) != _selector(current):
        return Remove(current)  # a selector cannot be changed; it is made anew afterwards
    restored = managed.restored(current, wanted, owner, version, kinds.MARKS)
    return None if restored is None else Update(restored)


def _selector(obj: Object) -> object:
    return objects.get(obj, "spec", "selector")


def _leftovers(seen: Seen, wanted: Objects) -> list[Step]:
    """What the object wanted before, and does not any longer."""
    keep = {ref_of(each) for each in wanted}
    return [
        Remove(each)
        for ref, each in seen.current.items()
        if ref not in keep
        and ref.kind not in _KEPT
        and owners.is_controlled_by(each, seen.provisioner)
        and not objects.is_deleting(each)
    ]
