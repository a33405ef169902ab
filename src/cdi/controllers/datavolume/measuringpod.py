"""The pod that reads the size of a disk in a claim, and what it has said."""

from typing import Any, Final

from cdi.api import annotations, labels, names, roles
from cdi.api.workersettings import DATA_DIR
from cdi.controllers import metadata
from cdi.controllers.datavolume.seen import Seen
from cdi.controllers.origins.origin import Origin
from cdi.controllers.working import mounts, podspec
from cdi.controllers.working.context import Context
from cdi.kube import objects, owners
from cdi.kube.objects import Object

CONTAINER: Final = "size-detection-volume"
_COMMAND: Final = (*roles.command_of(roles.IMAGE_SIZE), "-image-path", f"{DATA_DIR}/disk.img")


def measuring_pod_for(seen: Seen, origin: Origin, claim: Object) -> Object:
    """The pod for one source claim; clones of one source share it."""
    volume, given = seen.volume, objects.annotations(seen.volume)
    found: Object = {
        "name": names.size_detection_pod_for(objects.uid(claim)),
        "namespace": origin.source.namespace,
        "labels": {
            labels.APP: labels.APP_VALUE,
            labels.COMPONENT: labels.IMPORTER,
            **metadata.recommended_labels(seen.settings),
        },
        "annotations": metadata.passed_on(given),
    }
    if origin.source.namespace == objects.namespace(volume):
        found["ownerReferences"] = [owners.owner_reference(volume)]
    else:
        found["annotations"][annotations.OWNED_BY_DATA_VOLUME] = str(objects.key(volume))
        found["annotations"][annotations.OWNER_UID] = objects.uid(volume)
    context = Context(
        seen.settings,
        seen.storage.config or {},
        objects.get(seen.installation, "spec", "workload", default={}),
    )
    spec = podspec.spec_for(CONTAINER, _COMMAND, [mounts.data(claim)], context, about=claim)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": found, "spec": spec}


def end_of(pod: Object) -> tuple[int, str] | None:
    """How the measuring ended, now or before the container was started again; None while it has
    not: the exit code and the message."""
    status = objects.get(pod, "status", "containerStatuses", 0, default={})
    for state in (status.get("state"), status.get("lastState")):
        ended: Any = objects.get(state, "terminated")
        if ended is not None:
            return int(ended.get("exitCode") or 0), str(ended.get("message") or "")
    return None
