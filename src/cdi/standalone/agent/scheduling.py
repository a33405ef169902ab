"""
Whether a pod may run on this node now, and what it waits for: a pure decision.

Only our own pods are ever assigned. Any other pod stays Pending, and says why; but it still is
the first consumer of claims that wait for one. Cordons, taints, node selectors and the node
affinity that is required are honoured; affinity between pods is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cdi.binding import facts
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from cdi.standalone.agent import affinity
from cdi.storage import classes

UNSCHEDULABLE = "Unschedulable"
_CORDONED: Final = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A pod without a node, and what decides about it."""

    pod: Object
    node: Object
    claims: Mapping[Key, Object | None]  # that the pod names
    storage_classes: Mapping[str, Object] = field(default_factory=dict)  # by name
    refusal: str = ""  # why it is none of ours


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about it."""

    select: tuple[Key, ...] = ()  # claims that get this node as their consumer's
    assign: bool = False
    waits: str = ""  # why it is not assigned, as its condition says it
    passing: bool = False  # volumes are usually bound before anybody could read that


def decide(seen: Seen) -> Plan:
    """Choose what becomes of the pod."""
    if refused := _node_refuses(seen.pod, seen.node):
        return _waiting(refused)
    select: list[Key] = []
    unbound = False
    for key, claim in seen.claims.items():
        if claim is None:
            return _waiting(f'persistentvolumeclaim "{key.name}" not found')
        if objects.is_deleting(claim):
            return _waiting(f'persistentvolumeclaim "{key.name}" is being deleted')
        if facts.phase(claim) == facts.LOST:
            return _waiting(f'persistentvolumeclaim "{key.name}" has lost its volume')
        if facts.is_bound(claim):
            continue
        unbound = True
        if _waits_for_consumer(claim, seen.storage_classes) and not facts.selected_node(claim):
            select.append(key)
    if select or unbound:
        pending = _pending(seen)
        why = _sentence(pending) if pending else ""
        return Plan(tuple(select), waits=why, passing=bool(why) and not seen.refusal)
    if seen.refusal:
        return _waiting(seen.refusal)
    return Plan(assign=True)


def _node_refuses(pod: Object, node: Object) -> str:
    """Why this node takes no such pod, in Kubernetes' words; empty if it does."""
    tolerations = objects.get(pod, "spec", "tolerations", default=[])
    if objects.get(node, "spec", "unschedulable") and not _tolerates(tolerations, _CORDONED):
        return "1 node(s) were unschedulable"
    labels = objects.labels(node)
    selector = objects.get(pod, "spec", "nodeSelector", default={})
    selected = all(labels.get(key) == value for key, value in selector.items())
    if not (selected and affinity.suits(pod, node)):
        return "1 node(s) didn't match Pod's node affinity/selector"
    for taint in objects.get(node, "spec", "taints", default=[]):
        if taint.get("effect") != "PreferNoSchedule" and not _tolerates(tolerations, taint):
            return f"1 node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    return ""


def _tolerates(tolerations: Iterable[Object], taint: Object) -> bool:
    return any(_is_tolerated_by(each, taint) for each in tolerations)


def _is_tolerated_by(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    same: bool = toleration.get("key") == taint["key"]
    if toleration.get("operator") == "Exists":
        return same or not toleration.get("key")
    return same and str(toleration.get("value", "")) == str(taint.get("value", ""))


def _pending(seen: Seen) -> str:
    """Why a pod waits whose claims have no volumes yet; empty if they are about to."""
    if seen.refusal:
        return seen.refusal
    immediate = any(
        claim is not None
        and not facts.is_bound(claim)
        and not _waits_for_consumer(claim, seen.storage_classes)
        for claim in seen.claims.values()
    )
    return "pod has unbound immediate PersistentVolumeClaims" if immediate else ""


def _waits_for_consumer(claim: Object, known: Mapping[str, Object]) -> bool:
    found = known.get(facts.class_name(claim)) or {}
    return found.get("volumeBindingMode") == classes.WAIT_FOR_FIRST_CONSUMER


def _waiting(why: str) -> Plan:
    return Plan(waits=_sentence(why))


def _sentence(why: str) -> str:
    return f"0/1 nodes are available: {why}."
