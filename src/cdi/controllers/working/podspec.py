"""The whole spec of a pod with one container of ours, which gets claims and nothing else."""

import copy
from collections.abc import Sequence
from typing import Any, Final

from cdi.api import annotations
from cdi.controllers.working import mounts, pods
from cdi.controllers.working.context import Context
from cdi.controllers.working.mounts import Mount
from cdi.kube import objects
from cdi.kube.objects import Object

_HOST_NAME: Final = "kubernetes.io/hostname"


def node_of(claim: Object) -> str:
    """The node on which the consumer of a claim will run, if it is chosen."""
    return objects.annotations(claim).get(annotations.SELECTED_NODE, "")


def spec_for(
    name: str,
    command: Sequence[str],
    mounted: Sequence[Mount],
    context: Context,
    *,
    about: Object,
    node: str = "",
    **container: Any,
) -> Object:
    """`about` is the claim whose wishes count, `node` where the pod has to run, if anywhere."""
    placement = context.placement
    spec: Object = {
        "restartPolicy": "OnFailure",
        "enableServiceLinks": False,
        "nodeSelector": placement.get("nodeSelector"),
        "tolerations": placement.get("tolerations"),
        "affinity": _affinity(placement.get("affinity"), node),
        **pods.identity_for(about),
        "imagePullSecrets": pods.pull_secrets(context),
        "securityContext": pods.security_for(mounted),
        "containers": [
            {
                **pods.container(name, context.settings.worker_image, context),
                "command": list(command),
                **mounts.in_container(mounted),
                **container,
            }
        ],
        "volumes": [each.volume for each in mounted],
    }
    return {key: value for key, value in spec.items() if value not in (None, "", {}, [])}


def _affinity(given: Object | None, node: str) -> Object:
    """The installation's, and the chosen node: the scheduler still has its say."""
    wanted = copy.deepcopy(given or {})
    if not node:
        return wanted
    here = {"key": _HOST_NAME, "operator": "In", "values": [node]}
    required = wanted.setdefault("nodeAffinity", {}).setdefault(
        "requiredDuringSchedulingIgnoredDuringExecution", {}
    )
    terms = required.setdefault("nodeSelectorTerms", [])
    for term in terms:
        term.setdefault("matchExpressions", []).append(here)
    if not terms:
        terms.append({"matchExpressions": [here]})
    return wanted
