"""What Prometheus' operator is told: where metrics are, and when somebody is called."""

from __future__ import annotations

from typing import Final

from cdi.api.alerts import Alert
from cdi.hostpath.operator.inventory import access, marks
from cdi.hostpath.operator.settings import Settings
from cdi.kube.objects import Object, Objects

API_VERSION: Final = "monitoring.coreos.com/v1"
METRICS: Final = "hpp-prometheus-metrics"
METRICS_PORT: Final = 8443
_ACCESS: Final = "hostpath-provisioner-monitoring"
_UP: Final = "cluster:kubevirt_hpp_operator_up:sum"


ALERTS: Final = (
    Alert(
        "HPPOperatorDown", f"{_UP} == 0", "5m", "warning", "critical", "Hostpath operator is down"
    ),
    Alert(
        "HPPNotReady",
        "kubevirt_hpp_cr_ready == 0",
        "5m",
        "warning",
        "critical",
        "Hostpath provisioner is not available to use",
    ),
    Alert(
        "HPPSharingPoolPathWithOS",
        "kubevirt_hpp_pool_path_shared_with_os == 1",
        "1m",
        "warning",
        "warning",
        "A storage pool of the hostpath provisioner shares a file system with the operating "
        "system, so that full volumes can stop the node",
    ),
    Alert(
        "HPPPoolMissing",
        "kubevirt_hpp_pool_present == 0",
        "5m",
        "warning",
        "critical",
        "The directory of storage pool {{ $labels.pool }} of the hostpath provisioner is gone",
    ),
)


def metrics_service(settings: Settings) -> Object:
    """Where the metrics of the driver's pods are."""
    return marks.named(
        "v1",
        "Service",
        METRICS,
        settings,
        spec={
            "selector": {marks.PROMETHEUS: "true"},
            "ports": [{"name": "metrics", "port": METRICS_PORT, "targetPort": "metrics"}],
        },
    )


def monitoring(settings: Settings) -> Objects:
    """All objects for Prometheus; its namespace comes from the settings."""
    subject = access.account("prometheus-k8s", settings.monitoring_namespace)
    return [
        access.role(_ACCESS, access.SCRAPING, settings),
        access.binding(_ACCESS, _ACCESS, subject, settings),
        _service_monitor(settings),
        marks.named(
            API_VERSION,
            "PrometheusRule",
            "prometheus-hpp-rules",
            settings,
            spec={"groups": rule_groups(settings)},
        ),
    ]


def rule_groups(settings: Settings) -> Objects:
    """The content of a rule file."""
    up = (
        f'sum(up{{namespace="{settings.namespace}", pod=~"{marks.OPERATOR_NAME}-.*"}}) '
        "or on() vector(0)"
    )
    records = [{"record": name, "expr": up} for name in ("kubevirt_hpp_operator_up", _UP)]
    return [
        {
            "name": "alerts.rules",
            "rules": [each.rule(marks.OPERATOR_NAME, settings.runbooks) for each in ALERTS],
        },
        {"name": "recordingRules.rules", "rules": records},
    ]


def _service_monitor(settings: Settings) -> Object:
    endpoint = {
        "port": "metrics",
        "scheme": "https",
        "bearerTokenFile": "/var/run/secrets/kubernetes.io/serviceaccount/token",
        "tlsConfig": {"insecureSkipVerify": True},
    }
    made = marks.named(
        API_VERSION,
        "ServiceMonitor",
        "service-monitor-hpp",
        settings,
        spec={
            "selector": {"matchLabels": {"k8s-app": marks.APP}},
            "namespaceSelector": {"matchNames": [settings.namespace]},
            "endpoints": [endpoint],
        },
    )
    made["metadata"]["labels"]["openshift.io/cluster-monitoring"] = ""
    return made
