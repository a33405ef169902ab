"""NetworkPolicies: not installed, but printed for clusters that deny what nobody allows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import labels
from cdi.kube.objects import Object, Objects
from cdi.operator.inventory import marks, services

_HTTPS: Final = [{"protocol": "TCP", "port": services.POD_PORT}]
_LABELS: Final = {labels.COMPONENT: ""}


def network_policies(namespace: str) -> Objects:
    """Everything that CDI's own pods need, beside the API server and DNS."""
    metrics = {labels.PROMETHEUS: "true"}
    upload_servers = {labels.COMPONENT: labels.UPLOAD_SERVER}
    return [
        _policy("cdi-allow-ingress-to-metrics", namespace, metrics, ingress=[{"ports": _HTTPS}]),
        _policy(
            "cdi-allow-uploadproxy-communications",
            namespace,
            {labels.COMPONENT: labels.UPLOAD_PROXY},
            ingress=[{"ports": _HTTPS}],
            egress=[_to(upload_servers)],
        ),
        _policy(
            "cdi-allow-cdi-api-webhook-server",
            namespace,
            {labels.COMPONENT: labels.API_SERVER},
            ingress=[{"ports": _HTTPS}],
        ),
        _policy(
            "cdi-allow-cdi-deployment-importer-metrics",
            namespace,
            {labels.COMPONENT: labels.CONTROLLER},
            egress=[_to(metrics)],
        ),
        _policy(
            "cdi-allow-egress-from-poller",
            namespace,
            {labels.DATA_IMPORT_CRON_POLLER: ""},
            egress=[{}],
        ),
    ]


def _to(pods: Mapping[str, str]) -> Object:
    peer = {"podSelector": {"matchLabels": dict(pods)}, "namespaceSelector": {}}
    return {"ports": _HTTPS, "to": [peer]}


def _policy(name: str, namespace: str, pods: Mapping[str, str], **directions: Any) -> Object:
    spec = {
        "podSelector": {"matchLabels": dict(pods)},
        "policyTypes": [direction.capitalize() for direction in directions],
        **directions,
    }
    return marks.named("networking.k8s.io/v1", "NetworkPolicy", name, _LABELS, namespace, spec=spec)
