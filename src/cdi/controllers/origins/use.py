"""
Whether a claim may be cloned now: it is bound and filled, and nobody writes to it.

It is a look at one moment. Whoever starts to write a second later is not noticed; KubeVirt keeps
its machines from that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cdi.api import labels, names, phases
from cdi.controllers.origins.origin import Origin
from cdi.kube import objects
from cdi.kube.objects import Object

_OVER = (phases.Pod.SUCCEEDED, phases.Pod.FAILED)
_OURS = (labels.CLONE_SOURCE, labels.POPULATOR_PREP)  # pods of ours, which write nothing


@dataclass(frozen=True, slots=True)
class Busy:
    """Why a claim cannot be cloned just now; `in_use` if somebody writes to it."""

    why: str
    in_use: bool = False


def busy(origin: Origin, *, binds_for_reader: bool = False) -> Busy | None:
    """What is in the way of cloning a claim just now; None if nothing is.

    A claim that `binds_for_reader` is bound only once a pod is there that reads it.
    """
    claim, source = origin.object, origin.source
    if claim is None:
        return Busy(f"{source} does not exist")
    if objects.is_deleting(claim):
        return Busy(f"{source} is being deleted")
    if objects.get(claim, "status", "phase") != phases.Claim.BOUND and not binds_for_reader:
        return Busy(f"{source} is not bound yet")
    if not is_filled(origin):
        return Busy(f"{source} is still being filled by its DataVolume")
    if users := writers(claim, origin.users):
        who = ", ".join(objects.name(each) for each in users)
        return Busy(f"{source} is in use by pod {who}; stop what writes to it", in_use=True)
    return None


def is_filled(origin: Origin) -> bool:
    """Whether a claim has its content: if a DataVolume makes it, that has to be done."""
    if not origin.owned:
        return True
    phase = objects.get(origin.owner, "status", "phase")
    return bool(phase == phases.DataVolume.SUCCEEDED)


def writers(claim: Object, pods: Iterable[Object]) -> list[Object]:
    """The pods that may write to a claim, our own aside."""
    return [each for each in users(pods) if _writes(each, objects.name(claim))]


def users(pods: Iterable[Object]) -> list[Object]:
    """The pods that are at work, our own aside."""
    return [
        each
        for each in pods
        if objects.get(each, "status", "phase") not in _OVER and not _is_ours(each)
    ]


def _is_ours(pod: Object) -> bool:
    component = objects.labels(pod).get(labels.COMPONENT)
    measures = component == labels.IMPORTER and objects.name(pod).startswith(names.SIZE_DETECTION)
    return component in _OURS or measures


def _writes(pod: Object, claim: str) -> bool:
    for volume in objects.get(pod, "spec", "volumes", default=[]):
        named = volume.get("persistentVolumeClaim") or {}
        if named.get("claimName") != claim or named.get("readOnly"):
            continue
        if _is_writable(pod, volume.get("name")):
            return True
    return False


def _is_writable(pod: Object, volume: str) -> bool:
    """Whether some container has the volume in a way in which it can be written."""
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in objects.get(pod, "spec", kind, default=[]):
            mounts = container.get("volumeMounts") or []
            devices = container.get("volumeDevices") or []
            writable = (each["name"] for each in mounts if not each.get("readOnly"))
            if volume in (*writable, *(each["name"] for each in devices)):
                return True
    return False
