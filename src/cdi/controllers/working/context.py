"""What the cluster and the installation have to say about the worker pods of a claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdi.api import phases
from cdi.controllers.cluster import Cluster
from cdi.controllers.settings import Settings
from cdi.kube import objects
from cdi.kube.objects import Object, Objects
from cdi.storage import overhead

_ENDED = (phases.Pod.SUCCEEDED, phases.Pod.FAILED)


@dataclass(frozen=True, slots=True)
class Context:
    """Plain values, at one moment."""

    settings: Settings
    config: Object = field(default_factory=dict)  # the CDIConfig
    placement: Mapping[str, Any] = field(default_factory=dict)  # workloads of the CDI object
    overhead: str = "0"  # of the claim's class and mode


def placement_of(cluster: Cluster) -> Mapping[str, Any]:
    """Where the CDI object wants workers."""
    found: Mapping[str, Any] = objects.get(cluster.installation, "spec", "workload", default={})
    return found


def overhead_of(cluster: Cluster, claim: Object) -> str:
    """Which share of a claim's volume its file system needs."""
    spec = claim["spec"]
    return overhead.overhead_for(
        cluster.config or {},
        cluster.classes.list(),
        spec.get("storageClassName"),
        spec.get("volumeMode"),
    )


def other_users(cluster: Cluster, claim: Object, own: Object | None) -> Objects:
    """The pods that use a claim, have not ended, and are not its worker."""
    return [each for each in _others(cluster, claim, own) if not _has_ended(each)]


def ended_users(cluster: Cluster, claim: Object, own: Object | None) -> Objects:
    """The pods that name a claim, have ended, and are not its worker."""
    return [each for each in _others(cluster, claim, own) if _has_ended(each)]


def _others(cluster: Cluster, claim: Object, own: Object | None) -> Objects:
    own_uid = None if own is None else objects.uid(own)
    return [each for each in cluster.pods_using(claim) if objects.uid(each) != own_uid]


def _has_ended(pod: Object) -> bool:
    return objects.get(pod, "status", "phase") in _ENDED
