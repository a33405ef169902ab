"""
What becomes of a CDI object: from one look at the cluster to a plan. No I/O, no clock.

    a ConfigMap, cdi-config, says whose the installation is; without it, it is started
    somebody else's           the object is surplus, and says so until the other is gone
    its own                   everything is brought to what is wanted, each time
    the object is being deleted   controllers go, then what they have started, then it may go

Every step may be the last before a crash: the next pass starts from what is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from cdi.api import annotations as known
from cdi.api import finalizers, labels, names
from cdi.kube import objects, owners
from cdi.kube.conditions import Said
from cdi.kube.objects import Object, Objects
from cdi.operator import customizing, definitions, managed, status, strategy, versions
from cdi.operator.inventory import deployments, marks, webhooks
from cdi.operator.inventory.installed import Facts, installed
from cdi.operator.plan import Create, Event, Migrate, Plan, Remove, RemoveWorkers, Step, Update
from cdi.operator.settings import Settings
from cdi.operator.status import DELETED, DELETING, ERROR, UPGRADING, Status

POLL: Final = 60.0  # seconds; certificates are looked at, and what no watch tells
SOON: Final = 1.0
# Controllers that have not gone by then are not waited for: their node may be dead.
_PATIENCE: Final = timedelta(seconds=60)

_OLD_REGISTRIES: Final = "cdi-insecure-registries"
# Kinds that an older version may have left behind.
_LEFTOVERS: Final = frozenset(
    {
        "CustomResourceDefinition",
        "ClusterRoleBinding",
        "ClusterRole",
        "Deployment",
        "Service",
        "RoleBinding",
        "Role",
        "ServiceAccount",
        "APIService",
        webhooks.VALIDATING,
        webhooks.MUTATING,
    }
)


class Ref(NamedTuple):
    """Which object."""

    kind: str
    namespace: str
    name: str


def ref_of(obj: Object) -> Ref:
    return Ref(obj["kind"], objects.namespace(obj), objects.name(obj))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The cluster at one moment, as far as one CDI object is concerned."""

    cdi: Object
    settings: Settings
    now: datetime
    others: tuple[Object, ...] = ()  # CDI objects beside this one
    current: Mapping[Ref, Object]
    facts: Facts
    configs: tuple[Object, ...] = ()  # CDIConfigs
    own_definition: Object | None = None  # of CDI itself
    routes: tuple[Object, ...] = ()  # of users, in the namespace of the installation

    @property
    def claim(self) -> Object | None:
        return self.current.get(Ref("ConfigMap", self.settings.namespace, names.CDI_CONFIG_MAP))

    @property
    def phase(self) -> str:
        return str(objects.get(self.cdi, "status", "phase", default=""))

    @property
    def observed(self) -> str:
        return str(objects.get(self.cdi, "status", "observedVersion", default=""))

    def deployment(self, name: str) -> Object | None:
        return self.current.get(Ref("Deployment", self.settings.namespace, name))


def decide(seen: Seen) -> Plan:
    """Choose what to do."""
    if objects.is_deleting(seen.cdi):
        return _remove(seen)
    if seen.claim is None:
        return _start(seen)
    if not owners.is_controlled_by(seen.claim, seen.cdi):
        return _surplus(seen, seen.claim)
    if objects.is_deleting(seen.claim):
        return Plan(again_in=SOON)
    return _keep(seen)


# Deletion


def _remove(seen: Seen) -> Plan:
    if finalizers.OPERATOR not in objects.finalizers(seen.cdi):
        return Plan()
    if seen.phase not in (DELETING, DELETED):
        return Plan(status=status.deleting(), again_in=0.0)
    controller = seen.deployment(deployments.CONTROLLER)
    if controller is not None and owners.is_controlled_by(controller, seen.cdi):
        if not objects.is_deleting(controller):
            return Plan(steps=(Remove(controller),), again_in=SOON)
        if seen.now < _asked_at(seen.cdi, seen.now) + _PATIENCE:
            return Plan(again_in=SOON)
    return Plan(status=status.deleted(), steps=(RemoveWorkers(),), finalizer=False)


def _asked_at(obj: Object, otherwise: datetime) -> datetime:
    try:
        return datetime.fromisoformat(str(obj["metadata"]["deletionTimestamp"]))
    except ValueError:
        return otherwise


# The beginning


def _start(seen: Seen) -> Plan:
    if any(_is_active(each) for each in seen.others) and not _is_active(seen.cdi):
        # The other one has lost its ConfigMap, and makes it anew.
        return Plan(again_in=SOON)
    left = [each for each in seen.current.values() if _is_of_another_cdi(each, seen.cdi)]
    if left:
        waiting = status.deploying(
            f"Waiting for {len(left)} objects of the installation before to go, "
            f"{left[0]['kind']} {objects.name(left[0])} among them"
        )
        return Plan(status=waiting, again_in=SOON)
    begun = status.deploying()
    return Plan(
        status=begun,
        steps=(Create(claim_for(seen)),),
        events=(Event(begun.progressing.reason, begun.progressing.message),),
        versions=_aimed(seen),
        finalizer=True,
        again_in=0.0,
    )


def claim_for(seen: Seen) -> Object:
    """The ConfigMap that says whose the installation is."""
    return _config_map(seen, names.CDI_CONFIG_MAP)


def _config_map(seen: Seen, name: str) -> Object:
    given = {**marks.common_labels(seen.cdi), labels.OPERATOR: ""}
    made = marks.named("v1", "ConfigMap", name, given, seen.settings.namespace)
    made["metadata"]["ownerReferences"] = [owners.owner_reference(seen.cdi)]
    return made


def _is_active(cdi: Object) -> bool:
    phase = objects.get(cdi, "status", "phase", default="")
    return phase not in ("", ERROR) and not objects.is_deleting(cdi)


def _is_of_another_cdi(obj: Object, cdi: Object) -> bool:
    reference = owners.controller_of(obj)
    return (
        reference is not None
        and reference.get("kind") == "CDI"
        and reference.get("uid") != objects.uid(cdi)
    )


# Somebody else's


def _surplus(seen: Seen, claim: Object) -> Plan:
    reference = owners.controller_of(claim) or {}
    owner = next((each for each in seen.others if objects.uid(each) == reference.get("uid")), None)
    if owner is None or objects.is_deleting(owner) or objects.is_deleting(claim):
        return Plan(again_in=SOON)  # what it owns goes, and with it the ConfigMap
    message = (
        f"CDI {objects.name(owner)!r} owns the installation in namespace "
        f"{seen.settings.namespace!r}, and there can be only one; delete one of the two"
    )
    wrong = status.wrong(ERROR, "ConfigError", message, available=False)
    events = () if seen.phase == ERROR else (Event("ConfigError", message, warning=True),)
    return Plan(status=wrong, events=events, again_in=POLL)


# Its own


def _keep(seen: Seen) -> Plan:
    phase = status.DEPLOYING if seen.phase in ("", ERROR) else seen.phase
    way = versions.step(phase, seen.observed, seen.settings.version)
    if way is versions.Step.DOWNGRADE:
        return _refused_downgrade(seen)
    adopted = _adopted_config(seen)
    cdi = seen.cdi if adopted is None else _with_config(seen.cdi, adopted)
    wanted = customizing.customized(installed(seen.settings, cdi, seen.facts), cdi)
    steps = _steps(seen, wanted.objects)
    plan = Plan(
        steps=steps,
        versions=_aimed(seen),
        finalizer=True,
        config=adopted,
        authority=_may_take_authority(seen),
        certificates=True,
        again_in=POLL,
    )
    if way is versions.Step.UPGRADE and phase != UPGRADING:
        begun = status.upgrading(seen.settings.version)
        event = Event("UpgradeStarted", begun.progressing.message)
        return replace(plan, status=begun, events=(event,), again_in=SOON)
    return _settled(seen, plan, phase, wanted)


def _settled(seen: Seen, plan: Plan, phase: str, wanted: customizing.Customized) -> Plan:
    """What the plan says of itself, by what is there and what is still to be done."""
    waiting = _not_ready(seen)
    unfinished = waiting or ("certificates" if not seen.facts.api_authority else "")
    if any(isinstance(each, Create | Update | Migrate) for each in plan.steps):
        unfinished = unfinished or "changes"
    done = phase == status.DEPLOYED
    events: tuple[Event, ...] = ()
    if not done and not unfinished:
        if phase == UPGRADING:
            plan = replace(plan, steps=(*plan.steps, *_leftovers(seen, wanted.objects)))
        completed = status.deployed()
        events = (Event(completed.available.reason, completed.available.message),)
        plan = replace(plan, versions=(*plan.versions, ("observedVersion", seen.settings.version)))
        done = True
    if not done:
        said = _under_way(seen, phase, unfinished)
        if wanted.problems:
            said = replace(said, degraded=_invalid(wanted.problems))
        return replace(plan, status=said)
    said = status.deployed()
    if wanted.problems:
        said = replace(said, degraded=_invalid(wanted.problems))
    elif waiting:
        message = f"Deployment {waiting} has not all of its pods ready"
        said = replace(said, degraded=Said(True, "DeploymentNotReady", message))
    return replace(plan, status=said, events=events)


def _under_way(seen: Seen, phase: str, unfinished: str) -> Status:
    """An upgrade keeps serving; a deployment has not begun to."""
    if phase == UPGRADING:
        said = status.upgrading(seen.settings.version)
        return replace(said, degraded=status.NO)
    said = status.deploying()
    if unfinished:
        waits = Said(False, "Deploying", f"Waiting for {unfinished}")
        return replace(said, available=waits)
    return said


def _invalid(problems: tuple[str, ...]) -> Said:
    return Said(True, "InvalidCustomization", "; ".join(problems))


def _refused_downgrade(seen: Seen) -> Plan:
    message = (
        f"operator downgraded: version {seen.observed} is installed, and this operator has "
        f"version {seen.settings.version}; install an operator of that version or a newer one"
    )
    wrong = replace(
        status.wrong(seen.phase, "OperatorDowngraded", message, available=False),
        available=Said(status.is_true(seen.cdi, status.AVAILABLE), "DeployCompleted"),
        progressing=status.NO,
    )
    return Plan(
        status=wrong, events=(Event("OperatorDowngraded", message, warning=True),), again_in=POLL
    )


def _steps(seen: Seen, wanted: Objects) -> tuple[Step, ...]:
    steps: list[Step] = []
    for each in (*wanted, claim_for(seen)):
        current = seen.current.get(ref_of(each))
        if each["kind"] == "CustomResourceDefinition":
            each = definitions.with_stored_versions(each, current)  # noqa: PLW2901
        steps += _step_for(seen, each, current)
    steps += _dumped(seen, wanted)
    stored = [seen.own_definition, *_definitions_of(seen)]
    steps += [
        Migrate(each) for each in stored if each is not None and definitions.needs_migration(each)
    ]
    names_wanted = {ref_of(each) for each in wanted}
    steps += [
        Remove(each)
        for ref, each in seen.current.items()
        if ref not in names_wanted and _is_switched_off(each, seen)
    ]
    steps += _injected(seen)
    return tuple(steps)


def _dumped(seen: Seen, wanted: Objects) -> Sequence[Step]:
    if not seen.settings.dump:
        return ()
    shell = _config_map(seen, strategy.NAME)
    return strategy.steps(wanted, shell, seen.current.get(ref_of(shell)))


def _definitions_of(seen: Seen) -> Objects:
    return [
        each
        for ref, each in seen.current.items()
        if ref.kind == "CustomResourceDefinition" and owners.is_controlled_by(each, seen.cdi)
    ]


def _step_for(seen: Seen, wanted: Object, current: Object | None) -> list[Step]:
    version = seen.settings.version
    if current is None:
        return [Create(managed.marked(wanted, seen.cdi, version))]
    if objects.is_deleting(current):
        return []
    if wanted["kind"] == "Deployment" and _selector(wanted) != _selector(current):
        return [Remove(current)]  # a selector cannot be changed; it is made anew afterwards
    restored = managed.restored(current, wanted, seen.cdi, version)
    return [] if restored is None else [Update(current, restored)]


def _selector(deployment: Object) -> object:
    return objects.get(deployment, "spec", "selector")


def _is_switched_off(obj: Object, seen: Seen) -> bool:
    """Whether the CDI object, as it is now, has no use for it."""
    if ref_of(obj) == Ref("ConfigMap", seen.settings.namespace, _OLD_REGISTRIES):
        return not objects.is_deleting(obj)
    switched = (
        obj["kind"] == "PodDisruptionBudget"
        or objects.name(obj) == webhooks.RENDERING.configuration
    )
    mine = owners.is_controlled_by(obj, seen.cdi)
    return switched and mine and not objects.is_deleting(obj)


def _leftovers(seen: Seen, wanted: Objects) -> tuple[Step, ...]:
    """What an older version has made and this one does not want."""
    keep = {ref_of(each) for each in wanted}
    return tuple(
        Remove(each)
        for ref, each in seen.current.items()
        if ref.kind in _LEFTOVERS
        and ref not in keep
        and managed.is_managed_by(each, seen.cdi)
        and not objects.is_deleting(each)
    )


def _injected(seen: Seen) -> list[Step]:
    """Routes of users that want the authority of the upload proxy filled in."""
    steps: list[Step] = []
    for route in seen.routes:
        tls = objects.get(route, "spec", "tls")
        asked = objects.annotations(route).get(known.INJECT_UPLOAD_PROXY_CERT) == "true"
        authority = seen.facts.proxy_authority
        if not asked or tls is None or not authority:
            continue
        if tls.get("destinationCACertificate") != authority:
            spec = {**route["spec"], "tls": {**tls, "destinationCACertificate": authority}}
            steps.append(Update(route, {**route, "spec": spec}))
    return steps


def _not_ready(seen: Seen) -> str:
    """The first Deployment that has not all of its pods ready; empty where all have."""
    for name in deployments.NAMES:
        found = seen.deployment(name)
        if found is None or not is_ready(found):
            return name
    return ""


def is_ready(deployment: Object) -> bool:
    """Whether all pods of a Deployment are there, in its newest form, and ready."""
    said = deployment.get("status") or {}
    wanted = objects.get(deployment, "spec", "replicas", default=1)
    generation = objects.metadata(deployment).get("generation", 0)
    return said.get("observedGeneration", 0) >= generation and all(
        said.get(field, 0) == wanted for field in ("replicas", "readyReplicas", "updatedReplicas")
    )


def _aimed(seen: Seen) -> tuple[tuple[str, str], ...]:
    version = seen.settings.version
    return (("operatorVersion", version), ("targetVersion", version))


# Who says what CDIConfig says


def _may_take_authority(seen: Seen) -> bool:
    definition = Ref("CustomResourceDefinition", "", "cdiconfigs.cdi.kubevirt.io")
    taken = known.CONFIG_AUTHORITY in objects.annotations(seen.cdi)
    return definition in seen.current and not taken


def _adopted_config(seen: Seen) -> Object | None:
    """What a CDIConfig of old says, for a CDI object that says nothing."""
    if not _may_take_authority(seen) or objects.get(seen.cdi, "spec", "config") is not None:
        return None
    if len(seen.configs) != 1:
        return None
    found: Object | None = seen.configs[0].get("spec") or None
    return found


def _with_config(cdi: Object, config: Object) -> Object:
    return {**cdi, "spec": {**cdi.get("spec", {}), "config": config}}
