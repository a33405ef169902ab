"""
What Prometheus' operator is told: where metrics are, what is counted, and when somebody is called.

Recording rules exist under two names; the first one is deprecated, and dashboards use it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cdi.api import labels
from cdi.api.alerts import Alert
from cdi.kube.objects import Object, Objects
from cdi.operator.inventory import access, marks, rules
from cdi.operator.settings import Settings

GROUP: Final = "monitoring.coreos.com"
API_VERSION: Final = f"{GROUP}/v1"
RULES: Final = "prometheus-cdi-rules"
SERVICE_MONITOR: Final = "service-monitor-cdi"
TOKEN: Final = "cdi-metrics-reader-token"  # noqa: S105 (a name)
ACCESS: Final = "cdi-monitoring"
PROMETHEUS: Final = "prometheus-k8s"

_COMPONENT: Final = "containerized-data-importer"
_STORAGE_PROFILES: Final = "kubevirt_cdi_storageprofile_info"


@dataclass(frozen=True, slots=True)
class Record:
    """An expression whose value is kept, under its old and its new name."""

    deprecated: str
    name: str
    expression: str


def _restarts(pods: str, container: str) -> str:
    return (
        "count(kube_pod_container_status_restarts_total"
        f'{{pod=~"{pods}", container="{container}"}} > 3) or on() vector(0)'
    )


def records(namespace: str) -> tuple[Record, ...]:
    """What is counted."""
    return (
        Record(
            "kubevirt_cdi_operator_up",
            "cluster:kubevirt_cdi_operator_up:sum",
            f'sum(up{{namespace="{namespace}", pod=~"cdi-operator-.*"}}) or on() vector(0)',
        ),
        Record(
            "kubevirt_cdi_import_pods_high_restart",
            "cluster:kubevirt_cdi_import_pods_high_restart:count",
            _restarts("importer-.*", "importer"),
        ),
        Record(
            "kubevirt_cdi_upload_pods_high_restart",
            "cluster:kubevirt_cdi_upload_pods_high_restart:count",
            _restarts("cdi-upload-.*", "cdi-upload-server"),
        ),
        Record(
            "kubevirt_cdi_clone_pods_high_restart",
            "cluster:kubevirt_cdi_clone_pods_high_restart:count",
            _restarts(".*-source-pod", "cdi-clone-source"),
        ),
    )


ALERTS: Final = (
    Alert(
        "CDIOperatorDown",
        "cluster:kubevirt_cdi_operator_up:sum == 0",
        "10m",
        "critical",
        "critical",
        "CDI operator is down",
    ),
    Alert(
        "CDINotReady",
        "kubevirt_cdi_cr_ready == 0",
        "10m",
        "critical",
        "critical",
        "CDI is not available to use",
    ),
    Alert(
        "CDIDataVolumeUnusualRestartCount",
        "cluster:kubevirt_cdi_import_pods_high_restart:count > 0 or "
        "cluster:kubevirt_cdi_upload_pods_high_restart:count > 0 or "
        "cluster:kubevirt_cdi_clone_pods_high_restart:count > 0",
        "5m",
        "warning",
        "none",
        "Some CDI population workloads have an unusual restart count, meaning they are probably "
        "failing and need to be investigated",
    ),
    Alert(
        "CDIStorageProfilesIncomplete",
        f'sum by(storageclass, provisioner) ({_STORAGE_PROFILES}{{complete="false"}}) > 0',
        "5m",
        "info",
        "none",
        "Incomplete StorageProfile {{ $labels.storageclass }}, accessMode/volumeMode cannot be "
        "inferred by CDI for PVC population request",
    ),
    Alert(
        "CDIDataImportCronOutdated",
        'sum by(namespace, cron_name) (kubevirt_cdi_dataimportcron_outdated{pending="false"}) > 0',
        "15m",
        "warning",
        "none",
        "DataImportCron {{ $labels.cron_name }} in namespace {{ $labels.namespace }} has not "
        "imported the newest image for a while",
    ),
    Alert(
        "CDINoDefaultStorageClass",
        f'(sum({_STORAGE_PROFILES}{{default="true"}} or '
        f'{_STORAGE_PROFILES}{{virtdefault="true"}}) or on() vector(0)) == 0 '
        "and on() (sum(kubevirt_cdi_datavolume_pending) or on() vector(0)) > 0",
        "5m",
        "warning",
        "none",
        "No default StorageClass for virtual machines or for all, and a DataVolume waits for one",
    ),
    Alert(
        "CDIMultipleDefaultVirtStorageClasses",
        # By class: a controller that takes over from another is not a second default.
        f'count(count by(storageclass) ({_STORAGE_PROFILES}{{virtdefault="true"}})) > 1',
        "5m",
        "warning",
        "none",
        "More than one default StorageClass for virtual machines",
    ),
    Alert(
        "CDIDefaultStorageClassDegraded",
        # The default for virtual machines counts; where there is none, the default for all.
        f'(sum({_STORAGE_PROFILES}{{virtdefault="true"}}) > 0 unless on() '
        f'sum({_STORAGE_PROFILES}{{virtdefault="true", degraded="false"}}) > 0) or on() '
        f'(sum({_STORAGE_PROFILES}{{default="true"}}) > 0 unless on() '
        f'sum({_STORAGE_PROFILES}{{default="true", degraded="false"}}) > 0 unless on() '
        f'sum({_STORAGE_PROFILES}{{virtdefault="true"}}) > 0)',
        "5m",
        "warning",
        "none",
        "The default StorageClass supports no smart clones or no ReadWriteMany",
    ),
)

_MONITORED: Final = {labels.COMPONENT: "", labels.PROMETHEUS: "true"}


def monitoring(settings: Settings) -> Objects:
    """All objects; the namespace of Prometheus comes from the settings."""
    namespace = settings.namespace
    subject = access.account_of(PROMETHEUS, settings.monitoring_namespace)
    return [
        _token(namespace),
        access.role(ACCESS, rules.MONITORING, namespace, _MONITORED),
        access.binding(ACCESS, ACCESS, [subject], namespace, _MONITORED),
        _service_monitor(namespace),
        marks.named(
            API_VERSION,
            "PrometheusRule",
            RULES,
            _MONITORED,
            namespace,
            spec={"groups": rule_groups(settings)},
        ),
    ]


def rule_groups(settings: Settings) -> Objects:
    """The content of a rule file, sorted."""
    recorded = {
        name: each.expression
        for each in records(settings.namespace)
        for name in (each.deprecated, each.name)
    }
    return [
        {
            "name": "alerts.rules",
            "rules": sorted(
                (each.rule(_COMPONENT, settings.runbooks) for each in ALERTS), key=_name
            ),
        },
        {
            "name": "recordingRules.rules",
            "rules": [{"record": name, "expr": recorded[name]} for name in sorted(recorded)],
        },
    ]


def _name(alert: Object) -> str:
    return str(alert["alert"])


def _token(namespace: str) -> Object:
    made = marks.named(
        "v1", "Secret", TOKEN, _MONITORED, namespace, type="kubernetes.io/service-account-token"
    )
    made["metadata"]["annotations"] = {"kubernetes.io/service-account.name": access.METRICS_READER}
    return made


def _service_monitor(namespace: str) -> Object:
    endpoint = {
        "port": "metrics",
        "scheme": "https",
        "authorization": {"type": "Bearer", "credentials": {"name": TOKEN, "key": "token"}},
        "tlsConfig": {"insecureSkipVerify": True},
    }
    given: Mapping[str, str] = {**_MONITORED, "openshift.io/cluster-monitoring": ""}
    return marks.named(
        API_VERSION,
        "ServiceMonitor",
        SERVICE_MONITOR,
        given,
        namespace,
        spec={
            "selector": {"matchLabels": {labels.PROMETHEUS: "true"}},
            "namespaceSelector": {"matchNames": [namespace]},
            "endpoints": [endpoint],
        },
    )
