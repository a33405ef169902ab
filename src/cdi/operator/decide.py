"""
What becomes of a CDI object: from one look at the cluster to a plan. No I/O, no clock.

    a ConfigMap, cdi-config, says whose the installation is; without it, it is started
    somebody else's           the object is surplus, and says so until the other is gone
    its own                   everything is brought to what is wanted, each time
    the object is being deleted   controllers go, then what they have started, then it may go

Every step may be the last before a crash: the next pass starts from what is there.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from cdi.api import finalizers
from cdi.kube import objects, owners
from cdi.kube.conditions import Said
from cdi.kube.installing.steps import Create, Event, Remove, Update
from cdi.kube.objects import Object
from cdi.operator import configauthority, customizing, readiness, status, takeover, versions
from cdi.operator.inventory import deployments, webhooks
from cdi.operator.inventory.installed import installed
from cdi.operator.plan import LetGo, Migrate, Plan, RemoveWorkers, Step
from cdi.operator.seen import Seen
from cdi.operator.status import DELETED, DELETING, ERROR, UPGRADING, Status
from cdi.operator.steps import claim_for, leftovers, steps

POLL: Final = 60.0  # seconds; certificates are looked at, and what no watch tells
SOON: Final = 1.0
# Controllers that have not gone by then are not waited for: their node may be dead.
_PATIENCE: Final = timedelta(seconds=60)


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
    steps: tuple[Step, ...] = (*_webhooks(seen), RemoveWorkers(), LetGo())
    return Plan(status=status.deleted(), steps=steps, finalizer=False)


def _webhooks(seen: Seen) -> tuple[Remove, ...]:
    """Those that would have to answer before anything is let go, and may be gone themselves."""
    return tuple(
        Remove(each)
        for ref, each in seen.current.items()
        if ref.kind in (webhooks.VALIDATING, webhooks.MUTATING)
        and owners.is_controlled_by(each, seen.cdi)
        and not objects.is_deleting(each)
    )


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
    adopted = configauthority.adopted(seen)
    cdi = seen.cdi if adopted is None else configauthority.with_config(seen.cdi, adopted)
    wanted = customizing.customized(installed(seen.settings, cdi, seen.facts), cdi)
    if takeover.is_due(seen, phase, wanted.objects):
        return _take_over(seen)
    way = versions.step(phase, seen.observed, seen.settings.version)
    if takeover.is_under_way(seen):
        way = versions.Step.UPGRADE
    if way is versions.Step.DOWNGRADE:
        return _refused_downgrade(seen)
    plan = Plan(
        steps=steps(seen, wanted.objects),
        versions=_aimed(seen),
        finalizer=True,
        config=adopted,
        authority=configauthority.may_take(seen),
        certificates=True,
        again_in=POLL,
    )
    if way is versions.Step.UPGRADE and phase != UPGRADING:
        begun = status.upgrading(seen.settings.version)
        event = Event("UpgradeStarted", begun.progressing.message)
        return replace(plan, status=begun, events=(event,), again_in=SOON)
    return _settled(seen, plan, phase, wanted)


def _take_over(seen: Seen) -> Plan:
    """Say so before anything is changed: from the first change on it looks like our own."""
    begun = status.upgrading(seen.settings.version)
    event = Event("UpgradeStarted", begun.progressing.message)
    return Plan(status=begun, events=(event,), versions=_aimed(seen), finalizer=True, again_in=0.0)


def _settled(seen: Seen, plan: Plan, phase: str, wanted: customizing.Customized) -> Plan:
    """What the plan says of itself, by what is there and what is still to be done."""
    waiting = readiness.not_ready(seen)
    unfinished = waiting or ("certificates" if not seen.facts.api_authority else "")
    if any(isinstance(each, Create | Update | Migrate) for each in plan.steps):
        unfinished = unfinished or "changes"
    done = phase == status.DEPLOYED
    events: tuple[Event, ...] = ()
    if not done and not unfinished:
        plan = replace(plan, steps=(*plan.steps, *leftovers(seen, wanted.objects)))
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


def _aimed(seen: Seen) -> tuple[tuple[str, str], ...]:
    version = seen.settings.version
    return (("operatorVersion", version), ("targetVersion", version))
