"""
What is to become of one claim: a decision from one snapshot, with no I/O and no clock.

A claim waits, is bound to a volume that exists, gets a new one, grows with its request, or has
lost its volume. Events are worded as Kubernetes words them, since tools and people match them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from cdi.api import reasons
from cdi.binding import facts
from cdi.kube import events, objects
from cdi.kube.objects import Object
from cdi.standalone.volumes import matching, origins
from cdi.storage import classes, local


@dataclass(frozen=True, slots=True)
class Seen:
    """One claim and what its fate depends on, at one moment."""

    claim: Object
    volume: Object | None = None  # that the claim names
    volumes: Sequence[Object] = ()  # unclaimed ones, and those that are promised to it
    storage_class: Object | None = None  # that the claim names
    default_class: str = ""
    source: origins.DataSource | None = None  # that the claim is to be made from
    in_use: bool = False  # some pod that has a node and has not ended names the claim


class Step(StrEnum):
    """What is done to the claim, apart from its phase."""

    NONE = "none"
    CLASS = "class"  # give it the default class
    BIND = "bind"  # to `volume`
    PROVISION = "provision"  # make a volume for it, from `source` if there is one, and bind it
    KEEP = "keep"  # bound: see to its status
    GROW = "grow"  # make `volume` larger
    LET_GO = "let go"  # nobody uses it, and somebody wants it deleted


@dataclass(frozen=True, slots=True)
class Event:
    """What to tell people about it."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The next step for one claim."""

    step: Step = Step.NONE
    phase: str = ""  # empty: leave it
    volume: Object | None = None
    source: origins.DataSource | None = None
    event: Event | None = None


def decide(seen: Seen) -> Plan:
    """Choose the next step for a claim."""
    claim = seen.claim
    if objects.is_deleting(claim) and not seen.in_use:
        return Plan(Step.LET_GO)
    if facts.is_bound(claim):
        return _bound(seen)
    if objects.is_deleting(claim):
        return Plan()
    if facts.volume_name(claim):
        return _named(seen)
    return _unbound(seen)


def _bound(seen: Seen) -> Plan:
    claim, volume = seen.claim, seen.volume
    if volume is None:
        text = "Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        return Plan(phase=facts.LOST, event=_warning("ClaimLost", text))
    if not facts.belongs_to(volume, claim):
        if facts.claim_key_of(volume) is None:
            return Plan(Step.BIND, volume=volume)
        text = "Two claims are bound to the same volume, this one is bound incorrectly"
        return Plan(phase=facts.LOST, event=_warning(reasons.CLAIM_MISBOUND, text))
    if facts.requested(claim) > facts.capacity(volume) and _may_grow(seen.storage_class):
        return Plan(Step.GROW, volume=volume)
    return Plan(Step.KEEP, phase=facts.BOUND, volume=volume)


def _may_grow(storage_class: Object | None) -> bool:
    found = storage_class or {}
    return bool(found.get("allowVolumeExpansion")) and _is_ours(found)


def _named(seen: Seen) -> Plan:
    """The claim asks for one volume by name."""
    claim, volume = seen.claim, seen.volume
    if volume is None:
        return Plan()  # it may come
    name = objects.name(volume)
    if facts.claim_key_of(volume) and not facts.belongs_to(volume, claim):
        text = f'volume "{name}" already bound to a different claim.'
        return Plan(event=_warning("FailedBinding", text))
    if why := matching.mismatch(claim, volume):
        return Plan(
            event=_warning("VolumeMismatch", f'Cannot bind to requested volume "{name}": {why}')
        )
    return Plan(Step.BIND, volume=volume)


def _unbound(seen: Seen) -> Plan:
    claim = seen.claim
    if objects.get(claim, "spec", "storageClassName") is None and seen.default_class:
        return Plan(Step.CLASS)
    waits = _waits(seen.storage_class) and not facts.selected_node(claim)
    if volume := matching.choose(claim, seen.volumes, promised_only=waits):
        return Plan(Step.BIND, volume=volume)
    if waits:
        text = "waiting for first consumer to be created before binding"
        return Plan(event=_normal("WaitForFirstConsumer", text))
    if not facts.class_name(claim):
        text = "no persistent volumes available for this claim and no storage class is set"
        return Plan(event=_normal("FailedBinding", text))
    return _provisioned(seen)


def _provisioned(seen: Seen) -> Plan:
    claim, found = seen.claim, seen.storage_class
    name = facts.class_name(claim)
    if found is None:
        return _failed(f'storageclass.storage.k8s.io "{name}" not found')
    provisioner = str(found.get("provisioner", ""))
    if provisioner == facts.NO_PROVISIONER:
        text = "no persistent volumes available for this claim"
        return Plan(event=_normal("FailedBinding", text))
    if not _is_ours(found):
        text = (
            "Waiting for a volume to be created either by the external provisioner "
            f"'{provisioner}' or manually by the system administrator. If volume creation is "
            "delayed, please verify that the provisioner is running and correctly registered."
        )
        return Plan(event=_normal("ExternalProvisioning", text))
    if origins.reference_of(claim)[0]:
        if seen.source is None:
            return Plan()  # a populator hands it a volume
        if why := origins.why_not(claim, seen.source):
            return _failed(_because(name, why))
    if objects.get(claim, "spec", "selector"):
        return _failed(_because(name, "claim.spec.selector is not supported"))
    return Plan(Step.PROVISION, source=seen.source)


def _is_ours(storage_class: Object) -> bool:
    return storage_class.get("provisioner") == local.PROVISIONER


def _waits(storage_class: Object | None) -> bool:
    return (storage_class or {}).get("volumeBindingMode") == classes.WAIT_FOR_FIRST_CONSUMER


def provisioning_failed(storage_class: str, why: str) -> Event:
    """What to say where a volume could not be made."""
    return _warning(reasons.PROVISIONING_FAILED, _because(storage_class, why))


def _because(storage_class: str, why: str) -> str:
    return f'failed to provision volume with StorageClass "{storage_class}": {why}'


def _failed(text: str) -> Plan:
    return Plan(event=_warning(reasons.PROVISIONING_FAILED, text))


def _warning(reason: str, message: str) -> Event:
    return Event(events.WARNING, reason, message)


def _normal(reason: str, message: str) -> Event:
    return Event(events.NORMAL, reason, message)
