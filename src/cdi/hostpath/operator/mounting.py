"""
Pools that are on claims: what is to be done for them next. Pure.

A claim and a Deployment for every node that has the driver. Where a pool is no longer wanted on a
node, its Deployment is brought to no pods first; then a Job takes the mount away; then both go.
The claims stay. A node that is gone has nothing mounted; one that does not answer is not waited
for.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from cdi.api import phases, quantity
from cdi.hostpath.operator import kinds
from cdi.hostpath.operator.inventory import claimed, daemonsets
from cdi.hostpath.operator.inventory.claimed import Place
from cdi.hostpath.operator.inventory.pools import Pool, pools_of
from cdi.hostpath.operator.settings import Settings
from cdi.hostpath.operator.status import PoolOnClaims
from cdi.kube import objects, owners
from cdi.kube.installing import readiness
from cdi.kube.installing.ref import Ref
from cdi.kube.installing.steps import Create, Event, Maker, Remove, Step, Update, step_for
from cdi.kube.objects import Object, Objects

_BOUND: Final = "Bound"


@dataclass(frozen=True, slots=True)
class Seen:
    """What matters to pools on claims."""

    provisioner: Object
    settings: Settings
    current: Mapping[Ref, Object]

    def of(self, kind: str) -> Iterator[Object]:
        return (each for ref, each in self.current.items() if ref.kind == kind)

    def get(self, kind: str, name: str) -> Object | None:
        return self.current.get(Ref(kind, self.settings.namespace, name))

    @property
    def maker(self) -> Maker:
        return Maker(self.provisioner, self.settings.version, kinds.KINDS.marks)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, and how far it has come."""

    steps: tuple[Step, ...] = ()
    events: tuple[Event, ...] = ()
    pools: tuple[PoolOnClaims, ...] = ()
    unbound: str = ""  # claims that have no volume yet
    waiting: str = ""  # mounts that are not there yet, or not yet gone


def keep(seen: Seen) -> Plan:
    """What the pools of an object need."""
    pools = [each for each in pools_of(seen.provisioner) if each.template]
    places = [each for pool in pools for each in places_of(pool, seen)]
    made = [*_claims(seen, places), *_classes(seen, pools), *_mounters(seen, places)]
    left = take_down(seen, frozenset(each.deployment for each in places))
    states = tuple(_state_of(pool, seen, places) for pool in pools)
    unbound = [
        name for each in states for name, status in each.claims if status.get("phase") != _BOUND
    ]
    slow = [each.name for each in states if each.current < max(each.desired, _nodes(seen))]
    return Plan(
        steps=(*made, *left.steps),
        events=left.events,
        pools=states,
        unbound=f"claims of storage pools have no volume yet: {', '.join(unbound)}"
        if unbound
        else "",
        waiting=f"storage pools are not mounted on all nodes: {', '.join(slow)}"
        if slow
        else left.waiting,
    )


def places_of(pool: Pool, seen: Seen) -> list[Place]:
    """The nodes on which a pool is to be: those that have a pod of the driver. While its pods
    come and go, no node loses what it has."""
    nodes = {
        str(objects.get(each, "spec", "nodeName", default=""))
        for each in seen.of("Pod")
        if objects.labels(each).get("name") == daemonsets.DRIVER and not objects.is_deleting(each)
    }
    driver = seen.get("DaemonSet", daemonsets.DRIVER)
    if driver is None or not readiness.is_everywhere(driver):
        nodes |= {claimed.node_of(each) for each in _deployments(seen) if _is_of(each, pool)}
    return [
        Place(pool, node, objects.labels(found).get(claimed.HOST_NAME, node))
        for node in sorted(nodes)
        if (found := seen.current.get(Ref("Node", "", node))) is not None
    ]


def _nodes(seen: Seen) -> int:
    """How many nodes the driver is to be on."""
    driver = seen.get("DaemonSet", daemonsets.DRIVER)
    return int(objects.get(driver, "status", "desiredNumberScheduled", default=0))


def _deployments(seen: Seen) -> Objects:
    return [
        each
        for each in seen.of("Deployment")
        if claimed.POOL in objects.labels(each) and owners.is_controlled_by(each, seen.provisioner)
    ]


def _is_of(deployment: Object, pool: Pool) -> bool:
    return objects.labels(deployment)[claimed.POOL] == claimed.labels_of(pool.name)[claimed.POOL]


# What is made


def _claims(seen: Seen, places: list[Place]) -> list[Step]:
    steps: dict[str, Step] = {}
    for place in places:
        wanted = claimed.claim_for(seen.settings, place)
        found = seen.get("PersistentVolumeClaim", place.claim)
        if found is None:
            steps[place.claim] = Create(wanted, adopts=False)
        elif (larger := _grown(found, wanted)) is not None:
            steps[place.claim] = Update(larger)
    return list(steps.values())


def _grown(found: Object, wanted: Object) -> Object | None:
    """A claim that asks for as much as its template does by now; None where it does."""
    size = _requested(wanted)
    if size <= _requested(found) or objects.is_deleting(found):
        return None
    grown = copy.deepcopy(found)
    requests = objects.get(wanted, "spec", "resources", "requests", default={})
    grown["spec"].setdefault("resources", {}).setdefault("requests", {}).update(requests)
    return grown


def _requested(claim: Object) -> int:
    text = objects.get(claim, "spec", "resources", "requests", "storage", default="0")
    try:
        return quantity.parse(str(text)).value()
    except ValueError:
        return 0


def _classes(seen: Seen, pools: list[Pool]) -> list[Step]:
    """Classes of shared pools: made once, and then their administrator's."""
    return [
        Create(claimed.overlay_class(seen.settings, pool), adopts=False)
        for pool in pools
        if pool.shared and Ref("StorageClass", "", pool.overlay_class) not in seen.current
    ]


def _mounters(seen: Seen, places: list[Place]) -> list[Step]:
    steps: list[Step | None] = []
    for place in places:
        wanted = claimed.mounter(seen.settings, seen.provisioner, place)
        found = seen.get("Deployment", place.deployment)
        steps.append(step_for(wanted, found, seen.maker))
    return [each for each in steps if each is not None]


# What is taken away


def take_down(seen: Seen, keep: frozenset[str] = frozenset()) -> Plan:
    """The next step for every Deployment whose name is not kept, and for Jobs that are done."""
    steps: list[Step] = []
    events: list[Event] = []
    going = [each for each in _deployments(seen) if objects.name(each) not in keep]
    for each in going:
        step, event = _take_down(each, seen)
        steps += step
        events += event
    needed = {claimed.cleanup_of(each) for each in going}
    steps += [
        Remove(each)
        for each in seen.of("Job")
        if owners.is_controlled_by(each, seen.provisioner)
        and objects.name(each) not in needed
        and not objects.is_deleting(each)
    ]
    where = ", ".join(f"{objects.name(each)} on {claimed.node_of(each)}" for each in going)
    return Plan(
        steps=tuple(steps),
        events=tuple(events),
        waiting=f"mounts of storage pools are being taken away: {where}" if going else "",
    )


def _take_down(deployment: Object, seen: Seen) -> tuple[list[Step], list[Event]]:
    if objects.is_deleting(deployment):
        return [], []
    node = claimed.node_of(deployment)
    if Ref("Node", "", node) not in seen.current:
        return [Remove(deployment)], []
    if objects.get(deployment, "spec", "replicas", default=1):
        return [Update({**deployment, "spec": {**deployment["spec"], "replicas": 0}})], []
    if any(_holds(each, deployment, seen) for each in seen.of("Pod")):
        return [], []
    job = seen.get("Job", claimed.cleanup_of(deployment))
    if job is None:
        wanted = claimed.cleanup(seen.settings, deployment)
        step = step_for(wanted, None, seen.maker)
        return ([step] if step else []), []
    if _has(job, "Complete"):
        return [Remove(deployment)], []
    if _has(job, "Failed"):
        message = (
            f"storage pool may still be mounted on node {node}: Job {objects.name(job)} failed"
        )
        return [Remove(deployment)], [Event("CleanupFailed", message, warning=True)]
    return [], []


def _holds(pod: Object, deployment: Object, seen: Seen) -> bool:
    """Whether a pod of a Deployment may still mount. One that was evicted, or that a restarted node
    has refused, stays as long as its Deployment; one of a node that is silent, for ever."""
    if objects.labels(pod).get("name") != objects.name(deployment):
        return False
    if objects.get(pod, "status", "phase") in (phases.Pod.SUCCEEDED, phases.Pod.FAILED):
        return False
    return not (objects.is_deleting(pod) and _is_silent(claimed.node_of(deployment), seen))


def _is_silent(node: str, seen: Seen) -> bool:
    found = seen.current[Ref("Node", "", node)]
    listed = objects.get(found, "status", "conditions", default=[])
    return any(each["type"] == "Ready" and each["status"] != "True" for each in listed)


def _has(job: Object, condition: str) -> bool:
    listed = objects.get(job, "status", "conditions", default=[])
    return any(each["type"] == condition and each["status"] == "True" for each in listed)


# What is said


def _state_of(pool: Pool, seen: Seen, places: list[Place]) -> PoolOnClaims:
    mine = [each for each in places if each.pool == pool]
    found = {each.claim: seen.get("PersistentVolumeClaim", each.claim) for each in mine}
    claims = tuple(
        (name, dict((claim or {}).get("status") or {})) for name, claim in sorted(found.items())
    )
    ready = [
        each
        for each in mine
        if (made := seen.get("Deployment", each.deployment)) and readiness.is_deployed(made)
    ]
    phase = phases.Pool.READY
    if len(ready) < len(mine):
        bound = all(status.get("phase") == _BOUND for _, status in claims)
        phase = phases.Pool.MOUNTING if bound else phases.Pool.PREPARING
    return PoolOnClaims(pool.name, phase, len(mine), len(ready), claims)
