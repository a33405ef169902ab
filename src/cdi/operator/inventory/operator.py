"""The operator itself: what has to be there before it can make anything."""

from __future__ import annotations

from typing import Final

from cdi.api import labels
from cdi.kube.objects import Object, Objects
from cdi.operator.inventory import access, definitions, deployments, marks, rules
from cdi.operator.settings import Settings, environment_for

NAME: Final = marks.OPERATOR_NAME
_HEALTH_PORT: Final = 8444
_LABELS: Final = {labels.OPERATOR: ""}
_SELECTOR: Final = {"name": NAME, labels.OPERATOR: ""}


def operator_objects(settings: Settings) -> Objects:
    """Namespace, definition of CDI, account, roles and Deployment, in this order."""
    namespace = settings.namespace
    return [
        namespace_object(namespace),
        definitions.own_definition(),
        marks.named("v1", "ServiceAccount", NAME, _LABELS, namespace),
        *operator_access(namespace),
        operator_deployment(settings),
    ]


def namespace_object(namespace: str) -> Object:
    """Nothing of ours needs more than the restricted Pod Security Standard."""
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    return marks.named("v1", "Namespace", namespace, {labels.COMPONENT: "", **enforced})


def operator_access(namespace: str) -> Objects:
    """Roles and bindings."""
    account = [access.account_of(NAME, namespace)]
    return [
        access.cluster_role("cdi-operator-cluster", rules.OPERATOR_CLUSTER, _LABELS),
        access.cluster_binding(NAME, "cdi-operator-cluster", account, _LABELS),
        access.role(NAME, rules.OPERATOR_NAMESPACE, namespace, _LABELS),
        access.binding(NAME, NAME, account, namespace, _LABELS),
    ]


def operator_deployment(settings: Settings) -> Object:
    """One replica; a second one waits for the lease."""
    template: Object = {
        "metadata": {
            "labels": {
                **_SELECTOR,
                labels.COMPONENT: NAME,
                labels.PROMETHEUS: "true",
                labels.ALLOW_CLUSTER_SERVICES: "true",
            },
            "annotations": {"openshift.io/required-scc": "restricted-v2"},
        },
        "spec": {
            "serviceAccountName": NAME,
            "nodeSelector": {"kubernetes.io/os": "linux"},
            "securityContext": {"runAsNonRoot": True},
            "affinity": _affinity(),
            "containers": [_container(settings)],
        },
    }
    return marks.named(
        "apps/v1",
        "Deployment",
        NAME,
        {**_LABELS, "name": NAME},
        settings.namespace,
        spec={"replicas": 1, "selector": {"matchLabels": dict(_SELECTOR)}, "template": template},
    )


def default_cdi(pull_policy: str) -> Object:
    """The CDI object that is shipped."""
    linux = {"nodeSelector": {"kubernetes.io/os": "linux"}}
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "CDI",
        "metadata": {"name": "cdi"},
        "spec": {
            "config": {"featureGates": ["HonorWaitForFirstConsumer"]},
            "imagePullPolicy": pull_policy,
            "infra": dict(linux),
            "workload": dict(linux),
        },
    }


def _affinity() -> Object:
    term = {
        "labelSelector": {
            "matchExpressions": [{"key": labels.COMPONENT, "operator": "In", "values": [NAME]}]
        },
        "topologyKey": "kubernetes.io/hostname",
    }
    preferred = [{"weight": 1, "podAffinityTerm": term}]
    return {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


def _container(settings: Settings) -> Object:
    times = {"initialDelaySeconds": 5, "timeoutSeconds": 10}
    return {
        "name": NAME,
        "image": settings.images.controller,
        "imagePullPolicy": settings.pull_policy,
        "command": ["cdi", "operator"],
        "args": [f"-v={settings.verbosity}"],
        "env": [{"name": key, "value": value} for key, value in environment_for(settings).items()],
        "ports": [
            dict(deployments.METRICS_PORT),
            {"name": "health", "containerPort": _HEALTH_PORT, "protocol": "TCP"},
        ],
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": _HEALTH_PORT}, **times},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": _HEALTH_PORT}, **times},
        "resources": {"requests": dict(deployments.REQUESTS)},
        "securityContext": dict(deployments.CONFINED),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
