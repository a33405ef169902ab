"""Whether Deployments run as they are wanted. Pure."""

from __future__ import annotations

from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.operator.inventory import deployments
from cdi.operator.seen import Seen


def not_ready(seen: Seen) -> str:
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
