"""
Which version an image has that nodes pull: a pod makes one pull it, and shows which one that was.

The pod is beside the cron and is the cron's. A node has its own logins and its own settings, so
that nothing of them is needed here. Pure.
"""

from typing import Final

from cdi.api import annotations, labels, names
from cdi.api.workersettings import SHARED_DIR
from cdi.controllers import metadata
from cdi.controllers.dataimportcron import template
from cdi.controllers.dataimportcron.seen import Looked, Seen
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.kube.resource import PODS

CONTAINER: Final = "image-container"
INIT_CONTAINER: Final = "init"
_SERVER: Final = f"{SHARED_DIR}/server"
_VOLUME: Final = "shared-volume"
_ARCHITECTURE: Final = "kubernetes.io/arch"
_REFUSED: Final = ("ImagePullBackOff", "ErrImagePull", "InvalidImageName")
_RESTRICTED: Final = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "runAsUser": 107,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod_name_of(cron: Object) -> str:
    """The name of the pod for which a node pulls a cron's image."""
    return names.poller_for(objects.name(cron), objects.uid(cron))


def pod_for(seen: Seen) -> Object:
    """A pod that ends as soon as its node has the image."""
    _, given = template.source_of(seen.cron)
    image = str(given.get("url", "")).removeprefix("docker://")
    placement = objects.get(seen.installation, "spec", "workload", default={})
    selector = dict(placement.get("nodeSelector") or {})
    if wanted := objects.get(given, "platform", "architecture"):
        selector[_ARCHITECTURE] = wanted
    mounted = [{"name": _VOLUME, "mountPath": SHARED_DIR}]
    copied = f"cp /usr/bin/cdi-containerimage-server {_SERVER}"
    spec: Object = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "nodeSelector": selector,
        "initContainers": [
            {
                "name": INIT_CONTAINER,
                "image": seen.settings.worker_image,
                "imagePullPolicy": seen.settings.pull_policy,
                "command": ["sh", "-c", f"{copied} && cp /bin/busybox {SHARED_DIR}/busybox"],
                "volumeMounts": mounted,
                "securityContext": _RESTRICTED,
            }
        ],
        "containers": [
            {
                "name": CONTAINER,
                "image": image,
                "imagePullPolicy": "Always",
                "command": [_SERVER, "-h"],
                "volumeMounts": mounted,
                "securityContext": _RESTRICTED,
            }
        ],
        "volumes": [{"name": _VOLUME, "emptyDir": {}}],
    }
    spec |= {key: placement[key] for key in ("tolerations", "affinity") if placement.get(key)}
    if secrets := _pull_secrets(seen, given):
        spec["imagePullSecrets"] = secrets
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": {
            "name": pod_name_of(seen.cron),
            "namespace": seen.namespace,
            "labels": {
                **metadata.recommended_labels(seen.settings),
                labels.DATA_IMPORT_CRON: seen.name,
                labels.DATA_IMPORT_CRON_POLLER: "",
            },
            "annotations": {annotations.REQUIRED_SCC: "restricted-v2"},
            "ownerReferences": [owners.owner_reference(seen.cron)],
        },
        "spec": spec,
    }


def found_by(pod: Object) -> Looked | None:
    """What a pod has shown; None as long as its node is at it."""
    status: Object = next(
        (
            each
            for each in objects.get(pod, "status", "containerStatuses", default=[])
            if each.get("name") == CONTAINER
        ),
        {},
    )
    waiting = objects.get(status, "state", "waiting", default={})
    if waiting.get("reason") in _REFUSED:
        why = waiting.get("message") or waiting["reason"]
        return Looked(failure=f"failed to pull image: {why}")
    image = str(status.get("imageID") or "")
    if not image or "waiting" in (status.get("state") or {}):
        return None
    _, colon, digits = image.rpartition("sha256:")
    if not colon:
        return Looked(failure=f"the node does not say which image it has: {image}")
    return Looked(version=f"sha256:{digits}")


def _pull_secrets(seen: Seen, given: Object) -> list[Object]:
    """Those of the installation, and the source's own, which nodes take for other images, too."""
    secrets = list(objects.get(seen.config, "status", "imagePullSecrets", default=[]))
    own = {"name": str(given.get("secretRef") or "")}
    return [*secrets, own] if own["name"] and own not in secrets else secrets
