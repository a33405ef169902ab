"""
What is to become of one claim, on one node: a decision from one snapshot, with no I/O.

A claim is for the node that its annotations name. Where the class does not wait for a pod, and
nobody named a node, the nodes that could take it compete: whoever writes its name first has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cdi.binding import facts
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import classes
from cdi.volumes.pool import Mode


class Step(StrEnum):
    """What to do for a claim."""

    NONE = "none"
    CLAIM = "claim"  # write this node's name on it
    PROVISION = "provision"
    GROW = "grow"
    WARN = "warn"  # say why nothing is done


@dataclass(frozen=True, slots=True)
class Rules:
    """What one provisioner does, and what not."""

    provisioner: str
    node: str
    block: bool = True
    competes: bool = True  # for claims that name no node
    grows: bool = True
    shares: bool = True  # volumes with other nodes


@dataclass(frozen=True, slots=True)
class Seen:
    """One claim, and what matters to it."""

    claim: Object
    storage_class: Object | None
    volume: Object | None = None  # the one that it is bound to
    elsewhere: bool = False  # what the volume is to hold is not on this node


@dataclass(frozen=True, slots=True)
class Plan:
    step: Step = Step.NONE
    why: str = ""


def decide(seen: Seen, rules: Rules) -> Plan:
    """Choose the next step for a claim."""
    claim = seen.claim
    if objects.is_deleting(claim):
        return Plan()
    if facts.volume_name(claim):
        return _grow(seen, rules)
    if not _is_ours(seen, rules) or _is_populated(claim):
        return Plan()
    node = _node_of(claim)
    if node != rules.node:
        return Plan(Step.CLAIM) if not node and _may_compete(seen, rules) else Plan()
    if not rules.block and facts.volume_mode(claim) == Mode.BLOCK:
        return Plan(Step.WARN, f"{rules.provisioner} does not support block volume provisioning")
    return Plan(Step.PROVISION)


def _is_ours(seen: Seen, rules: Rules) -> bool:
    provisioner = (seen.storage_class or {}).get("provisioner")
    return provisioner == rules.provisioner == facts.provisioner(seen.claim)


def _node_of(claim: Object) -> str:
    """The node that a claim is for; empty where nobody has said so."""
    chosen = objects.annotations(claim).get(facts.PROVISION_ON_NODE, "")
    return chosen or facts.selected_node(claim)


def _may_compete(seen: Seen, rules: Rules) -> bool:
    waits = classes.waits_for_consumer(seen.storage_class)
    return rules.competes and not waits and not seen.elsewhere


def _is_populated(claim: Object) -> bool:
    """Whether a populator fills the claim's volume: it brings one of its own."""
    source = objects.get(claim, "spec", "dataSourceRef", default={})
    kind, group = source.get("kind"), source.get("apiGroup") or ""
    known = {("PersistentVolumeClaim", ""), ("VolumeSnapshot", "snapshot.storage.k8s.io")}
    return bool(kind) and (kind, group) not in known


def _grow(seen: Seen, rules: Rules) -> Plan:
    volume = seen.volume
    if not rules.grows or volume is None or not is_on_node(volume, rules):
        return Plan()
    if facts.phase(seen.claim) != facts.BOUND or not facts.belongs_to(volume, seen.claim):
        return Plan()
    return Plan(Step.GROW) if facts.requested(seen.claim) > facts.granted(seen.claim) else Plan()


def is_on_node(volume: Object, rules: Rules) -> bool:
    """Whether a volume is one of ours, on this node or on all of them."""
    nodes = nodes_of(volume)
    here = rules.node in nodes if nodes else rules.shares
    return is_ours(volume, rules) and here


def is_ours(volume: Object, rules: Rules) -> bool:
    """Whether a volume was made by our provisioner, on whatever node."""
    return objects.annotations(volume).get(facts.PROVISIONED_BY) == rules.provisioner


def nodes_of(volume: Object) -> list[str]:
    """The nodes on which a volume is; none where it is on all of them."""
    if named := objects.annotations(volume).get(facts.PROVISION_ON_NODE):
        return [named]
    terms = objects.get(volume, "spec", "nodeAffinity", "required", "nodeSelectorTerms", default=[])
    return [
        value
        for term in terms
        for each in term.get("matchExpressions") or []
        for value in each.get("values") or []
    ]
