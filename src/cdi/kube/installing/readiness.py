"""Whether pods run as they are wanted. Pure."""

from __future__ import annotations

from cdi.kube import objects
from cdi.kube.objects import Object


def is_deployed(deployment: Object) -> bool:
    """Whether all pods of a Deployment are there, in its newest form, and ready."""
    said = deployment.get("status") or {}
    wanted = objects.get(deployment, "spec", "replicas", default=1)
    return _is_noticed(deployment) and all(
        said.get(field, 0) == wanted for field in ("replicas", "readyReplicas", "updatedReplicas")
    )


def is_everywhere(daemon_set: Object) -> bool:
    """Whether all nodes have their pod of a DaemonSet, in its newest form."""
    said = daemon_set.get("status") or {}
    desired = said.get("desiredNumberScheduled")
    return (
        desired is not None
        and _is_noticed(daemon_set)
        and said.get("numberReady", 0) >= desired
        and said.get("updatedNumberScheduled", 0) >= desired
    )


def _is_noticed(obj: Object) -> bool:
    """Whether the status speaks of the object as it is now."""
    generation: int = objects.metadata(obj).get("generation", 0)
    return bool(objects.get(obj, "status", "observedGeneration", default=0) >= generation)
