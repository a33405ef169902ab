"""The three Deployments: what each runs, sees and is told, and where it may run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.api import labels, signingkey
from cdi.kube import objects
from cdi.kube.objects import Object, Objects
from cdi.operator.inventory import access, marks, services
from cdi.operator.settings import Settings

CONTROLLER: Final = labels.CONTROLLER
API_SERVER: Final = labels.API_SERVER
UPLOAD_PROXY: Final = labels.UPLOAD_PROXY
NAMES: Final = (CONTROLLER, API_SERVER, UPLOAD_PROXY)

READY_FILE: Final = "/tmp/ready"  # noqa: S108 (of the container, made by the controller)
METRICS_PORT: Final = {"name": "metrics", "containerPort": 8443, "protocol": "TCP"}
REQUESTS: Final = {"cpu": "100m", "memory": "150Mi"}
_CERTIFICATES: Final = "/var/run/certs"
_BUNDLES: Final = "/var/run/ca-bundle"
_KEYS: Final = "/var/run/cdi/token/keys"

# A container that nobody has to trust.
CONFINED: Final[Mapping[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True, slots=True)
class Mount:
    """A Secret or a ConfigMap, as files: all that is in it or, of a Secret, some of it if there."""

    name: str
    path: str
    secret: bool = True
    only: tuple[str, ...] = ()

    def volume(self) -> Object:
        if self.secret:
            source: Object = {"secretName": self.name, "defaultMode": 420}
            if self.only:
                source["items"] = [{"key": each, "path": each} for each in self.only]
                source["optional"] = True
            return {"name": self.name, "secret": source}
        return {"name": self.name, "configMap": {"name": self.name, "defaultMode": 420}}

    def mount(self) -> Object:
        return {"name": self.name, "mountPath": self.path, "readOnly": True}


_INSTALLER: Final = (
    ("INSTALLER_PART_OF_LABEL", labels.PART_OF),
    ("INSTALLER_VERSION_LABEL", labels.VERSION),
)
_CONTROLLER_MOUNTS: Final = (
    Mount("cdi-api-signing-key", _KEYS),
    Mount("cdi-uploadserver-signer", f"{_CERTIFICATES}/cdi-uploadserver-signer"),
    Mount("cdi-uploadserver-client-signer", f"{_CERTIFICATES}/cdi-uploadserver-client-signer"),
    Mount(
        "cdi-uploadserver-signer-bundle", f"{_BUNDLES}/cdi-uploadserver-signer-bundle", secret=False
    ),
    Mount(
        "cdi-uploadserver-client-signer-bundle",
        f"{_BUNDLES}/cdi-uploadserver-client-signer-bundle",
        secret=False,
    ),
)
_API_SERVER_MOUNTS: Final = (
    Mount(
        "cdi-apiserver-signer-bundle", f"{_CERTIFICATES}/cdi-apiserver-signer-bundle", secret=False
    ),
    Mount("cdi-apiserver-server-cert", f"{_CERTIFICATES}/cdi-apiserver-server-cert"),
)
_UPLOAD_PROXY_MOUNTS: Final = (
    Mount("cdi-uploadproxy-server-cert", f"{_CERTIFICATES}/cdi-uploadproxy-server-cert"),
    Mount("cdi-uploadserver-client-cert", f"{_CERTIFICATES}/cdi-uploadserver-client-cert"),
    # Its variable has the key of the day when it started; these are followed when it is exchanged.
    Mount(signingkey.SECRET, _KEYS, only=signingkey.BELIEVED),
)

_TIMES: Final = {
    "initialDelaySeconds": 2,
    "periodSeconds": 5,
    "timeoutSeconds": 1,
    "failureThreshold": 3,
    "successThreshold": 1,
}
_HTTPS_PROBE: Final = {
    "httpGet": {"path": "/healthz", "port": services.POD_PORT, "scheme": "HTTPS"},
    **_TIMES,
}
READY_PROBE: Final = {
    "httpGet": {"path": "/readyz", "port": services.POD_PORT, "scheme": "HTTPS"},
    **_TIMES,
}
_FILE_PROBE: Final = {"exec": {"command": ["cat", READY_FILE]}, **_TIMES}


@dataclass(frozen=True, slots=True)
class Component:
    """What tells one Deployment from the others."""

    name: str
    account: str
    image: str
    command: tuple[str, ...]
    environment: Objects
    mounts: tuple[Mount, ...]
    probe: Mapping[str, Any]
    replicas: int
    ports: tuple[Mapping[str, Any], ...] = ()
    pod_labels: Mapping[str, str] | None = None
    pod_annotations: Mapping[str, str] | None = None


def deployments(
    settings: Settings, cdi: Object | None, given: Mapping[str, str], priority: str
) -> Objects:
    """The three; `priority` is the name of a class that exists, or empty."""
    components = (
        _controller(settings, cdi),
        _api_server(settings, cdi),
        _upload_proxy(settings, cdi),
    )
    return [deployment_of(each, settings, cdi, given, priority) for each in components]


def replicas_of(cdi: Object | None, field: str) -> int:
    """How many the CDI object asks for; one where it does not, or asks for none."""
    return max(1, int(objects.get(cdi, "spec", "infra", field, default=1)))


def pull_policy_of(settings: Settings, cdi: Object | None) -> str:
    """What the CDI object says, else what the operator was told."""
    return str(objects.get(cdi, "spec", "imagePullPolicy") or settings.pull_policy)


def _controller(settings: Settings, cdi: Object | None) -> Component:
    images = settings.images
    environment = [
        _variable("IMPORTER_IMAGE", images.importer),
        _variable("CLONER_IMAGE", images.cloner),
        _variable("UPLOADSERVER_IMAGE", images.upload_server),
        _variable("OVIRT_POPULATOR_IMAGE", images.populator),
        _variable("UPLOADPROXY_SERVICE", services.UPLOAD_PROXY),
        _variable("PULL_POLICY", pull_policy_of(settings, cdi)),
        *_installer_variables(),
    ]
    return Component(
        name=CONTROLLER,
        account=access.CONTROLLER,
        image=images.controller,
        command=(
            "cdi",
            "controller",
            "--leader-elect",
            "--listen=0.0.0.0:8443",
            f"--ready-file={READY_FILE}",
        ),
        environment=environment,
        mounts=_CONTROLLER_MOUNTS,
        probe=_FILE_PROBE,
        replicas=replicas_of(cdi, "deploymentReplicas"),
        ports=(METRICS_PORT,),
        pod_labels={labels.PROMETHEUS: "true"},
    )


def _api_server(settings: Settings, cdi: Object | None) -> Component:
    return Component(
        name=API_SERVER,
        account=access.API_SERVER,
        image=settings.images.api_server,
        command=("cdi", "apiserver"),
        environment=_installer_variables(),
        mounts=_API_SERVER_MOUNTS,
        probe=_HTTPS_PROBE,
        replicas=replicas_of(cdi, "apiServerReplicas"),
        ports=({"name": API_SERVER, "containerPort": services.POD_PORT, "protocol": "TCP"},),
    )


def _upload_proxy(settings: Settings, cdi: Object | None) -> Component:
    key = {"secretKeyRef": {"name": "cdi-api-signing-key", "key": "id_rsa.pub"}}
    return Component(
        name=UPLOAD_PROXY,
        account=access.UPLOAD_PROXY,
        image=settings.images.upload_proxy,
        command=("cdi", "uploadproxy"),
        environment=[{"name": "APISERVER_PUBLIC_KEY", "valueFrom": key}],
        mounts=_UPLOAD_PROXY_MOUNTS,
        probe=_HTTPS_PROBE,
        replicas=replicas_of(cdi, "uploadProxyReplicas"),
    )


def deployment_of(
    component: Component,
    settings: Settings,
    cdi: Object | None,
    given: Mapping[str, str],
    priority: str,
) -> Object:
    """The Deployment of one component; `priority` as above."""
    selector = {labels.COMPONENT: component.name}
    own = {**given, **selector, labels.ALLOW_CLUSTER_SERVICES: "true"}
    template = {
        "metadata": {
            "labels": {**own, **(component.pod_labels or {})},
            "annotations": {
                "openshift.io/required-scc": "restricted-v2",
                **(component.pod_annotations or {}),
            },
        },
        "spec": _pod_spec(component, settings, cdi, priority),
    }
    return marks.named(
        "apps/v1",
        "Deployment",
        component.name,
        own,
        settings.namespace,
        spec={
            "replicas": component.replicas,
            "selector": {"matchLabels": selector},
            "template": template,
        },
    )


def _pod_spec(
    component: Component, settings: Settings, cdi: Object | None, priority: str
) -> Object:
    spec: Object = {
        "serviceAccountName": component.account,
        "securityContext": {"runAsNonRoot": True},
        "containers": [_container(component, settings, cdi)],
        "volumes": [mount.volume() for mount in component.mounts],
        "affinity": _affinity(component.name, objects.get(cdi, "spec", "infra", "affinity")),
    }
    for field in ("nodeSelector", "tolerations"):
        if asked := objects.get(cdi, "spec", "infra", field):
            spec[field] = asked
    if secrets := objects.get(cdi, "spec", "config", "imagePullSecrets"):
        spec["imagePullSecrets"] = secrets
    if priority:
        spec["priorityClassName"] = priority
    return spec


def _container(component: Component, settings: Settings, cdi: Object | None) -> Object:
    verbosity = objects.get(cdi, "spec", "config", "logVerbosity", default=settings.verbosity)
    made: Object = {
        "name": component.name,
        "image": component.image,
        "imagePullPolicy": pull_policy_of(settings, cdi),
        "command": list(component.command),
        "args": [f"-v={verbosity}"],
        "env": component.environment,
        "readinessProbe": dict(component.probe),
        "resources": {"requests": dict(REQUESTS)},
        "securityContext": dict(CONFINED),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [mount.mount() for mount in component.mounts],
    }
    if component.ports:
        made["ports"] = [dict(port) for port in component.ports]
    return made


def _affinity(name: str, asked: Object | None) -> Object:
    """What the CDI object asks for, and ours: not beside its own kind, if that can be helped."""
    apart = {
        "weight": 1,
        "podAffinityTerm": {
            "labelSelector": {
                "matchExpressions": [{"key": labels.COMPONENT, "operator": "In", "values": [name]}]
            },
            "topologyKey": "kubernetes.io/hostname",
        },
    }
    affinity = dict(asked or {})
    anti = dict(affinity.get("podAntiAffinity") or {})
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    anti[preferred] = [*(anti.get(preferred) or []), apart]
    return {**affinity, "podAntiAffinity": anti}


def _installer_variables() -> Objects:
    return [
        {
            "name": variable,
            "valueFrom": {
                "fieldRef": {"apiVersion": "v1", "fieldPath": f"metadata.labels['{label}']"}
            },
        }
        for variable, label in _INSTALLER
    ]


def _variable(name: str, value: str) -> Object:
    return {"name": name, "value": value}
