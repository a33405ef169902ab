"""The pod that has a claim bound and its file system grown, and does nothing else."""

from typing import Final

from cdi.api import annotations, labels, names, roles
from cdi.controllers import metadata
from cdi.controllers.cloning.seen import Seen
from cdi.controllers.cloning.temporaries import marks
from cdi.controllers.working import mounts, podspec
from cdi.kube import objects
from cdi.kube.objects import Object

_COMMAND: Final = roles.command_of(roles.PREP)
_MOUNT: Final = "/var/run/cdi/clone/source"


def prep_pod_for(seen: Seen, claim: Object) -> Object:
    """The pod for one temporary claim."""
    mounted = [mounts.data(claim, _MOUNT)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": names.prep_pod_for(objects.uid(seen.target)),
            "namespace": objects.namespace(claim),
            "labels": {**marks(seen), labels.COMPONENT: labels.POPULATOR_PREP},
            "annotations": {
                annotations.CREATED_BY_CONTROLLER: "yes",
                **metadata.passed_on(objects.annotations(claim)),
            },
        },
        "spec": podspec.spec_for(
            "dummy", _COMMAND, mounted, seen.context, about=claim, node=podspec.node_of(claim)
        ),
    }
