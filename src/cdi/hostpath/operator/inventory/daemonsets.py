"""
The pods on every node: the driver, and for a pathConfig the legacy provisioner.

One container is enough for the driver: it makes itself known to the kubelet, and provisions.
"""

from __future__ import annotations

from typing import Any, Final

from cdi.api import labels
from cdi.hostpath.csi.identity import DRIVER as DRIVER_NAME
from cdi.hostpath.operator.inventory import access, marks, monitoring, openshift
from cdi.hostpath.operator.inventory.pools import Pool, driver_argument, pools_of
from cdi.hostpath.operator.settings import Settings
from cdi.kube import objects
from cdi.kube.objects import Object

DRIVER: Final = "hostpath-provisioner-csi"
LEGACY: Final = "hostpath-provisioner"
_CONTAINER: Final = "hostpath-provisioner"
_REQUESTS: Final = {"cpu": "10m", "memory": "150Mi"}
_SOCKETS: Final = "plugins/csi-hostpath"  # beneath the kubelet's directory
_PLACEMENT: Final = ("nodeSelector", "affinity", "tolerations")


def driver(settings: Settings, provisioner: Object) -> Object:
    """The DaemonSet of the CSI driver."""
    pools, kubelet = pools_of(provisioner), settings.kubelet
    shared = {"mountPropagation": "Bidirectional"}
    volumes = [
        _host("socket-dir", f"{kubelet}/{_SOCKETS}", "DirectoryOrCreate"),
        _host("registration-dir", f"{kubelet}/plugins_registry", "Directory"),
        _host("plugins-dir", f"{kubelet}/plugins", "Directory"),
        _host("mountpoint-dir", f"{kubelet}/pods", "DirectoryOrCreate"),
        _host("dev-dir", "/dev", "Directory"),
        *(_host(each.volume, each.path, "DirectoryOrCreate") for each in pools),
    ]
    mounts = [
        {"name": "socket-dir", "mountPath": "/csi"},
        {"name": "registration-dir", "mountPath": "/registration"},
        {"name": "plugins-dir", "mountPath": f"{kubelet}/plugins", **shared},
        {"name": "mountpoint-dir", "mountPath": f"{kubelet}/pods", **shared},
        {"name": "dev-dir", "mountPath": "/dev"},
        *(
            {
                "name": each.volume,
                "mountPath": each.inside,
                "mountPropagation": "HostToContainer",
            }
            for each in pools
        ),
    ]
    container = {
        **_container(settings, provisioner, settings.driver_image),
        "args": _driver_arguments(settings),
        "env": _driver_environment(settings, pools),
        "ports": [{"name": "metrics", "containerPort": monitoring.METRICS_PORT, "protocol": "TCP"}],
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": "metrics", "scheme": "HTTPS"},
            "initialDelaySeconds": 10,
            "periodSeconds": 10,
            "timeoutSeconds": 3,
            "failureThreshold": 5,
        },
        "securityContext": {"privileged": True, "runAsUser": 0, "runAsGroup": 0},
        "volumeMounts": mounts,
    }
    return _daemon_set(
        DRIVER,
        settings,
        provisioner,
        account=access.DRIVER,
        constraints=openshift.DRIVER,
        marked={marks.PROMETHEUS: "true"},
        container=container,
        volumes=volumes,
    )


def _driver_arguments(settings: Settings) -> list[str]:
    return [
        "hostpath",
        "driver",
        f"--drivername={DRIVER_NAME}",
        f"--version={settings.version}",
        "--registration-dir=/registration",
        f"--kubelet-registration-path={settings.kubelet}/{_SOCKETS}/csi.sock",
        "--provision",
        f"--listen=0.0.0.0:{monitoring.METRICS_PORT}",
        f"-v={settings.verbosity}",
    ]


def _driver_environment(settings: Settings, pools: list[Pool]) -> list[Any]:
    return [
        {"name": "CSI_ENDPOINT", "value": "unix:///csi/csi.sock"},
        _field("NODE_NAME", "spec.nodeName"),
        {"name": "PV_DIR", "value": driver_argument(pools)},
        {"name": "VERSION", "value": settings.version},
        _field("POD_IP", "status.podIP"),
        _field("POD_NAME", "metadata.name"),
        _field("POD_NAMESPACE", "metadata.namespace"),
        _field("NAMESPACE", "metadata.namespace"),
        {"name": "SERVICE_NAME", "value": monitoring.METRICS},
    ]


def legacy(settings: Settings, provisioner: Object) -> Object:
    """The DaemonSet of the legacy provisioner."""
    path = str(objects.get(provisioner, "spec", "pathConfig", "path"))
    prefix = bool(objects.get(provisioner, "spec", "pathConfig", "useNamingPrefix", default=False))
    container = {
        **_container(settings, provisioner, settings.provisioner_image),
        "args": ["hostpath", "provisioner", f"-v={settings.verbosity}"],
        "env": [
            {"name": "USE_NAMING_PREFIX", "value": "true" if prefix else "false"},
            _field("NODE_NAME", "spec.nodeName"),
            {"name": "PV_DIR", "value": path},
            *(
                {"name": variable, "value": dict(settings.labels)[label]}
                for variable, label in (
                    ("INSTALLER_PART_OF_LABEL", labels.PART_OF),
                    ("INSTALLER_VERSION_LABEL", labels.VERSION),
                )
                if label in dict(settings.labels)
            ),
        ],
        "securityContext": {"runAsUser": 0, "runAsGroup": 0},
        "volumeMounts": [{"name": "pv-volume", "mountPath": path}],
    }
    return _daemon_set(
        LEGACY,
        settings,
        provisioner,
        account=access.LEGACY,
        constraints=openshift.LEGACY,
        marked={},
        container=container,
        volumes=[_host("pv-volume", path, "DirectoryOrCreate")],
    )


def _container(settings: Settings, provisioner: Object, image: str) -> Object:
    policy = objects.get(provisioner, "spec", "imagePullPolicy") or settings.pull_policy
    return {
        "name": _CONTAINER,
        "image": image,
        "imagePullPolicy": policy,
        "command": ["cdi"],
        "resources": {"requests": dict(_REQUESTS)},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _daemon_set(
    name: str,
    settings: Settings,
    provisioner: Object,
    *,
    account: str,
    constraints: str,
    marked: dict[str, str],
    container: Object,
    volumes: list[Any],
) -> Object:
    # Both have the label that everything has; this one tells their pods apart.
    selector = {"k8s-app": marks.APP, "name": name}
    workload = objects.get(provisioner, "spec", "workload", default={})
    pod: Object = {
        "serviceAccountName": account,
        "containers": [container],
        "volumes": volumes,
        **{key: workload[key] for key in _PLACEMENT if workload.get(key)},
    }
    template = {
        "metadata": {
            "labels": {**marks.labels_of(settings), **selector, **marked},
            "annotations": {openshift.REQUIRED: constraints},
        },
        "spec": pod,
    }
    return marks.named(
        "apps/v1",
        "DaemonSet",
        name,
        settings,
        spec={
            "selector": {"matchLabels": selector},
            "template": template,
            "updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "10%"},
            },
        },
    )


def _field(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}


def _host(name: str, path: str, kind: str) -> Object:
    return {"name": name, "hostPath": {"path": path, "type": kind}}
