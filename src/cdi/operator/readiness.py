"""Whether Deployments run as they are wanted. Pure."""

from __future__ import annotations

from cdi.kube.installing.readiness import is_deployed
from cdi.operator.inventory import deployments
from cdi.operator.seen import Seen


def not_ready(seen: Seen) -> str:
    """The first Deployment that has not all of its pods ready; empty where all have."""
    for name in deployments.NAMES:
        found = seen.deployment(name)
        if found is None or not is_deployed(found):
            return name
    return ""
