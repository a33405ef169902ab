"""Services, and the ConfigMaps and Secrets that certificates are put into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdi.api import labels
from cdi.kube.objects import Object, Objects
from cdi.operator.inventory import marks

API: Final = "cdi-api"
UPLOAD_PROXY: Final = "cdi-uploadproxy"
METRICS: Final = "cdi-prometheus-metrics"

HTTPS_PORT: Final = 443
POD_PORT: Final = 8443


def services(namespace: str, given: Mapping[str, str]) -> Objects:
    """The Services of an installation."""
    return [
        _service(API, labels.API_SERVER, namespace, given),
        _service(UPLOAD_PROXY, labels.UPLOAD_PROXY, namespace, given),
        _metrics_service(namespace, given),
    ]


def _service(name: str, selected: str, namespace: str, given: Mapping[str, str]) -> Object:
    port = {"port": HTTPS_PORT, "targetPort": POD_PORT, "protocol": "TCP"}
    return marks.named(
        "v1",
        "Service",
        name,
        {**given, labels.COMPONENT: selected},
        namespace,
        spec={"type": "ClusterIP", "selector": {labels.COMPONENT: selected}, "ports": [port]},
    )


def _metrics_service(namespace: str, given: Mapping[str, str]) -> Object:
    port = {"name": "metrics", "port": POD_PORT, "targetPort": "metrics", "protocol": "TCP"}
    return marks.named(
        "v1",
        "Service",
        METRICS,
        {**given, labels.PROMETHEUS: "true"},
        namespace,
        spec={
            "type": "ClusterIP",
            "selector": {labels.PROMETHEUS: "true"},
            "ports": [port],
        },
    )
