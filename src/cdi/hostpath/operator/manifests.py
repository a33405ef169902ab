"""What a cluster is given to get the operator: objects, to be printed. Pure."""

from __future__ import annotations

from typing import Final

from cdi.api import crds
from cdi.hostpath.operator import certificate, kinds
from cdi.hostpath.operator.inventory import access, marks
from cdi.hostpath.operator.inventory.access import rule
from cdi.hostpath.operator.settings import Settings, environment_for
from cdi.kube.objects import Object, Objects

NAME: Final = marks.OPERATOR_NAME
HEALTH_PORT: Final = 6060
METRICS_PORT: Final = 8443
_READ: Final = ("get", "list", "watch")
_WRITE: Final = ("create", "update", "patch", "delete")

# What the operator does itself; beside it, it may grant nothing that it has not.
_CLUSTER: Final = (
    rule(kinds.PROVISIONERS.group, ("hostpathprovisioners",), *_READ, "update", "patch"),
    rule(
        kinds.PROVISIONERS.group,
        ("hostpathprovisioners/finalizers", "hostpathprovisioners/status"),
        "update",
        "patch",
    ),
    rule("storage.k8s.io", ("csidrivers", "storageclasses"), *_READ, *_WRITE),
    rule("rbac.authorization.k8s.io", ("clusterroles", "clusterrolebindings"), *_READ, *_WRITE),
    rule("security.openshift.io", ("securitycontextconstraints",), *_READ, *_WRITE),
    rule("admissionregistration.k8s.io", ("validatingwebhookconfigurations",), *_READ, *_WRITE),
    rule("", ("events",), "create", "patch", "update"),
    rule("", ("nodes",), *_READ),
)
_NAMESPACE: Final = (
    rule("apps", ("daemonsets", "deployments"), *_READ, *_WRITE),
    rule("batch", ("jobs",), *_READ, *_WRITE),
    rule("", ("serviceaccounts", "services", "persistentvolumeclaims", "secrets"), *_READ, *_WRITE),
    rule("rbac.authorization.k8s.io", ("roles", "rolebindings"), *_READ, *_WRITE),
    rule("monitoring.coreos.com", ("servicemonitors", "prometheusrules"), *_READ, *_WRITE),
    rule("", ("pods",), *_READ),
    rule("coordination.k8s.io", ("leases",), *_READ, "create", "update", "patch"),
)


def operator_objects(settings: Settings) -> Objects:
    """Namespace, definition, account, roles, Service of the webhook, and Deployment."""
    account = access.account(NAME, settings.namespace)
    cluster = (*_CLUSTER, *access.granted_cluster())
    return [
        _namespace(settings),
        crds.crd_for(kinds.PROVISIONERS.kind),
        marks.named("v1", "ServiceAccount", NAME, settings),
        access.cluster_role(NAME, cluster, settings),
        access.cluster_binding(NAME, NAME, NAME, settings),
        access.role(NAME, (*_NAMESPACE, *access.granted_namespace()), settings),
        access.binding(NAME, NAME, account, settings),
        _webhook_service(settings),
        # The operator fills it in; printed, it goes with the rest.
        certificate.configuration(settings),
        _deployment(settings),
    ]


def default_provisioner(path: str) -> Object:
    """An object with one pool."""
    return {
        "apiVersion": kinds.PROVISIONERS.api_version,
        "kind": kinds.PROVISIONERS.kind,
        "metadata": {"name": "hostpath-provisioner"},
        "spec": {
            "imagePullPolicy": "IfNotPresent",
            "storagePools": [{"name": "local", "path": path}],
            "workload": {"nodeSelector": {"kubernetes.io/os": "linux"}},
        },
    }


def default_class() -> Object:
    """A class for that pool."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "hostpath-csi"},
        "provisioner": "kubevirt.io.hostpath-provisioner",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": True,
        "parameters": {"storagePool": "local"},
    }


def _namespace(settings: Settings) -> Object:
    """The driver's pods are privileged: they mount for others."""
    made = marks.named("v1", "Namespace", settings.namespace, settings, namespaced=False)
    made["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] = "privileged"
    return made


def _webhook_service(settings: Settings) -> Object:
    return marks.named(
        "v1",
        "Service",
        certificate.SERVICE,
        settings,
        spec={
            "selector": {"name": NAME},
            "ports": [{"name": "webhook", "port": 443, "targetPort": certificate.PORT}],
        },
    )


def _deployment(settings: Settings) -> Object:
    selector = {"name": NAME}
    probe = {"initialDelaySeconds": 5, "timeoutSeconds": 10}
    container = {
        "name": NAME,
        "image": settings.driver_image,
        "imagePullPolicy": settings.pull_policy,
        "command": ["cdi", "hostpath", "operator"],
        "args": [f"-v={settings.verbosity}"],
        "env": [
            *({"name": key, "value": value} for key, value in environment_for(settings).items()),
            {
                "name": "WATCH_NAMESPACE",
                "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
            },
        ],
        "ports": [
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
            {"name": "webhook", "containerPort": certificate.PORT, "protocol": "TCP"},
            {"name": "health", "containerPort": HEALTH_PORT, "protocol": "TCP"},
        ],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": HEALTH_PORT}, **probe},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": HEALTH_PORT}, **probe},
        "resources": {"requests": {"cpu": "10m", "memory": "150Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    template: Object = {
        "metadata": {
            "labels": {**marks.labels_of(settings), **selector, marks.PROMETHEUS: "true"},
            "annotations": {"openshift.io/required-scc": "restricted-v2"},
        },
        "spec": {
            "serviceAccountName": NAME,
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "securityContext": {"runAsNonRoot": True},
            "containers": [container],
        },
    }
    return marks.named(
        "apps/v1",
        "Deployment",
        NAME,
        settings,
        spec={"replicas": 1, "selector": {"matchLabels": selector}, "template": template},
    )
