"""
Pools that are on claims: a claim for each node, and who mounts it there. Pure.

On every node a Deployment of one pod has the claim, and shows it at `<path>/csi` of the node, where
the driver finds it. A Job takes it away again, once nobody is to have it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cdi.hostpath.csi.identity import DRIVER
from cdi.hostpath.operator.inventory import access, marks, openshift
from cdi.hostpath.operator.inventory.pools import Pool, fnv1a
from cdi.hostpath.operator.settings import Settings
from cdi.kube import objects
from cdi.kube.objects import Object

POOL: Final = "kubevirt.io.hostpath-provisioner/storagePool"  # label of everything of a pool
NODE: Final = "hostpathprovisioner.kubevirt.io/node"  # annotation: names of nodes may be long
HOST_NAME: Final = "kubernetes.io/hostname"
_SHORT_POOL: Final = "hpp-pool"
_HEALTH_PORT: Final = 8081
_LONGEST_NAME: Final = 63
_REQUESTS: Final = {"cpu": "10m", "memory": "100Mi"}
# Seconds that a node has for taking a mount away; one that is down is not waited for any longer.
_CLEANUP: Final = 120
_OF_A_SERVER: Final = ("ports", "startupProbe", "readinessProbe", "livenessProbe")
_DATA: Final = "data"
_DIRECTORY, _DEVICE = "/source", "/dev/data"  # where the mounter sees its claim


@dataclass(frozen=True, slots=True)
class Place:
    """One pool on one node."""

    pool: Pool
    node: str
    host_name: str  # by which the scheduler knows the node

    @property
    def claim(self) -> str:
        return named("hpp-pool", self.pool.name, "shared" if self.pool.shared else self.node)

    @property
    def deployment(self) -> str:
        return named("hpp-pool", self.pool.name, self.node)


def named(prefix: str, pool: str, node: str) -> str:
    """`<prefix>-<pool>-<node>`, with a hash in place of what would be too long."""
    whole = f"{prefix}-{pool}-{node}"
    if len(whole) <= _LONGEST_NAME:
        return whole
    ending = f"-{fnv1a(whole):08x}"
    return whole[: _LONGEST_NAME - len(ending)].rstrip("-.") + ending


def labels_of(pool: str) -> dict[str, str]:
    """By which everything of a pool is found."""
    return {POOL: f"{pool}-hpp", _SHORT_POOL: f"{pool}-hpp"}


def claim_for(settings: Settings, place: Place) -> Object:
    """The claim of a pool on a node. It has no owner: people's data is on it."""
    made = marks.named(
        "v1", "PersistentVolumeClaim", place.claim, settings, spec=place.pool.template
    )
    made["metadata"]["labels"] |= labels_of(place.pool.name)
    return made


def overlay_class(settings: Settings, pool: Pool) -> Object:
    """A class for a pool that all nodes see: its volumes are of no node."""
    return marks.named(
        "storage.k8s.io/v1",
        "StorageClass",
        pool.overlay_class,
        settings,
        namespaced=False,
        provisioner=DRIVER,
        reclaimPolicy="Delete",
        volumeBindingMode="Immediate",
        allowVolumeExpansion=True,
        parameters={"storagePool": pool.name, "overlayCSI": "true"},
    )


def mounter(settings: Settings, provisioner: Object, place: Place) -> Object:
    """The Deployment that mounts a claim on a node."""
    selector = {"k8s-app": marks.APP, "name": place.deployment}
    labels = {**marks.labels_of(settings), **labels_of(place.pool.name), **selector}
    template = {
        "metadata": {"labels": labels, "annotations": {openshift.REQUIRED: openshift.DRIVER}},
        "spec": _mounting_pod(settings, provisioner, place),
    }
    made = marks.named(
        "apps/v1",
        "Deployment",
        place.deployment,
        settings,
        spec={
            "replicas": 1,
            "strategy": {"type": "Recreate"},  # one pod has the claim
            "selector": {"matchLabels": selector},
            "template": template,
        },
    )
    made["metadata"]["labels"] |= labels_of(place.pool.name)
    made["metadata"]["annotations"] = {NODE: place.node}
    return made


def _mounting_pod(settings: Settings, provisioner: Object, place: Place) -> Object:
    inside = place.pool.inside
    is_block = place.pool.template.get("volumeMode") == "Block"
    source = _DEVICE if is_block else _DIRECTORY
    policy = objects.get(provisioner, "spec", "imagePullPolicy") or settings.pull_policy
    pool_mount = {
        "name": place.pool.volume,
        "mountPath": inside,
        "mountPropagation": "Bidirectional",
    }
    container: Object = {
        "name": "mounter",
        "image": settings.driver_image,
        "imagePullPolicy": policy,
        "command": ["cdi", "hostpath", "mounter"],
        "args": [
            f"--claim={place.claim}",
            f"--source={source}",
            f"--target={inside}/csi",
            f"--health=0.0.0.0:{_HEALTH_PORT}",
            f"-v={settings.verbosity}",
        ],
        "ports": [{"name": "health", "containerPort": _HEALTH_PORT, "protocol": "TCP"}],
        "readinessProbe": _probe("/readyz", 2),
        # However long a busy node takes to start it, it is not killed for that.
        "startupProbe": _probe("/healthz", 1) | {"failureThreshold": 120},
        "livenessProbe": _probe("/healthz", 10),
        "resources": {"requests": dict(_REQUESTS)},
        "securityContext": {"privileged": True, "runAsUser": 0, "runAsGroup": 0},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [pool_mount],
    }
    if is_block:
        container["volumeDevices"] = [{"name": _DATA, "devicePath": source}]
    else:
        container["volumeMounts"].append({"name": _DATA, "mountPath": source})
    tolerations = objects.get(provisioner, "spec", "workload", "tolerations")
    return {
        "serviceAccountName": access.DRIVER,
        "affinity": {"nodeAffinity": _only_on(place.host_name)},
        "containers": [container],
        "volumes": [
            {
                "name": place.pool.volume,
                "hostPath": {"path": place.pool.path, "type": "DirectoryOrCreate"},
            },
            {"name": _DATA, "persistentVolumeClaim": {"claimName": place.claim}},
        ],
        **({"tolerations": tolerations} if tolerations else {}),
    }


def _probe(path: str, period: int) -> Object:
    return {
        "httpGet": {"path": path, "port": "health", "scheme": "HTTP"},
        "periodSeconds": period,
        "timeoutSeconds": 5,
    }


def _only_on(host_name: str) -> Object:
    expression = {"key": HOST_NAME, "operator": "In", "values": [host_name]}
    return {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [expression]}]
        }
    }


def cleanup_of(deployment: Object) -> str:
    """The name of the Job that takes away what a Deployment has mounted."""
    pool = objects.labels(deployment)[POOL].removesuffix("-hpp")
    return named("cleanup-pool", pool, node_of(deployment))


def node_of(deployment: Object) -> str:
    return objects.annotations(deployment).get(NODE, "")


def cleanup(settings: Settings, deployment: Object) -> Object:
    """The Job that takes away what a Deployment has mounted: its pod, on its node, once more,
    without the claim. The scheduler is not asked, as the node may be closed to other pods."""
    pod = deployment["spec"]["template"]["spec"]
    container = {
        key: value
        for key, value in pod["containers"][0].items()
        if key not in (*_OF_A_SERVER, "volumeDevices")
    }
    container["args"] = [*container["args"], "--unmount"]
    container["volumeMounts"] = [
        each for each in container["volumeMounts"] if each["name"] != _DATA
    ]
    template = {
        "metadata": {
            "labels": {**marks.labels_of(settings), "name": cleanup_of(deployment)},
            "annotations": {openshift.REQUIRED: openshift.DRIVER},
        },
        "spec": {
            "nodeName": node_of(deployment),
            "restartPolicy": "OnFailure",
            "serviceAccountName": access.DRIVER,
            "containers": [container],
            "tolerations": [{"operator": "Exists"}],
            "volumes": [each for each in pod["volumes"] if each["name"] != _DATA],
        },
    }
    spec: dict[str, Any] = {"activeDeadlineSeconds": _CLEANUP, "template": template}
    return marks.named("batch/v1", "Job", cleanup_of(deployment), settings, spec=spec)
