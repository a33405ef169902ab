"""
What caches keep of pods: everything of ours, and of others only what stands in our way.

A cluster has thousands of pods that are nothing to us. Of those it matters that their names are
taken; of those that use a claim, whether they are at work and may write to it. `kept_of` is meant
as an informer's transform.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import labels
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS

# One of these is on every pod that any controller of CDI makes.
_OURS: Final = (labels.COMPONENT, labels.OWNED_BY_UID, labels.DATA_IMPORT_CRON)
_IDENTITY: Final = ("name", "namespace", "uid", "resourceVersion", "deletionTimestamp")
_CLAIM: Final = PERSISTENT_VOLUME_CLAIMS.kind


def kept_of(pod: Object) -> Object:
    """What is kept of a pod. What is left out looks as if it were not set."""
    if _is_ours(pod):
        return objects.compact(pod)
    kept: Object = {"metadata": _only(objects.metadata(pod), _IDENTITY)}
    if phase := objects.get(pod, "status", "phase"):
        kept["status"] = {"phase": phase}
    spec = pod.get("spec") or {}
    claims = [each for each in spec.get("volumes") or [] if each.get("persistentVolumeClaim")]
    if claims:
        kept["spec"] = {"volumes": claims, **_uses(spec, {each["name"] for each in claims})}
    return objects.compact(kept)


def _is_ours(pod: Object) -> bool:
    """Whether a controller of CDI made it: by its labels, or for a claim that controls it."""
    given = objects.labels(pod)
    owner = owners.controller_of(pod) or {}
    return any(label in given for label in _OURS) or owner.get("kind") == _CLAIM


def _uses(spec: Object, volumes: set[str]) -> Object:
    """Which containers have these volumes, and how."""
    return {
        kind: [_container(each, volumes) for each in spec[kind]]
        for kind in ("initContainers", "containers", "ephemeralContainers")
        if spec.get(kind)
    }


def _container(container: Object, volumes: set[str]) -> Object:
    return {
        use: [each for each in container[use] if each.get("name") in volumes]
        for use in ("volumeMounts", "volumeDevices")
        if container.get(use)
    }


def _only(found: Mapping[str, Any], fields: tuple[str, ...]) -> Object:
    return {field: found[field] for field in fields if found.get(field)}
