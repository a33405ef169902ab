"""When somebody is called about a HyperConverged, as Prometheus' operator is told. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cdi.api import labels
from cdi.bootsources import definitions, kinds, metrics
from cdi.kube import objects, owners
from cdi.kube.objects import Object, Objects

NAME: Final = "kubevirt-hyperconverged-prometheus-rule"
RUNBOOKS: Final = "https://kubevirt.io/monitoring/runbooks/"
_WINDOW: Final = "10m"


@dataclass(frozen=True, slots=True)
class Alert:
    """When somebody is called, and how urgent it is."""

    name: str
    expression: str
    summary: str
    severity: str = "warning"


_IMAGE: Final = "{{ $labels.data_import_cron_name }}"

ALERTS: Final = (
    Alert(
        "HCOGoldenImageWithNoArchitectureAnnotation",
        f"{metrics.ANNOTATED} == 0",
        f"Boot image {_IMAGE} does not say which architectures it has",
    ),
    Alert(
        "HCOGoldenImageWithNoSupportedArchitecture",
        f"{metrics.SUPPORTED} == 0",
        f"Boot image {_IMAGE} has no architecture of any node, and is not imported",
    ),
    Alert(
        "HCOMultiArchGoldenImagesDisabled",
        f"{metrics.MULTI_ARCH} == 0",
        "Nodes are of several architectures, and boot images of one of them",
    ),
    Alert(
        "KubeVirtCRModified",
        f"sum by (component_name) (increase({metrics.OVERWRITTEN}[{_WINDOW}])) > 0",
        "Somebody changes {{ $labels.component_name }}, which the HyperConverged changes back",
    ),
    Alert(
        "UnsupportedHCOModification",
        f"sum by (annotation_name) ({metrics.PATCHED}) > 0",
        "Annotation {{ $labels.annotation_name }} of the HyperConverged changes what has no "
        "setting",
        severity="info",
    ),
)


def rule_for(hyperconverged: Object) -> Object:
    """The PrometheusRule, as a merge patch; it goes with the HyperConverged."""
    owner = {
        "apiVersion": kinds.HYPERCONVERGEDS.api_version,
        "kind": kinds.HYPERCONVERGEDS.kind,
        **hyperconverged,
    }
    return {
        "apiVersion": kinds.PROMETHEUS_RULES.api_version,
        "kind": kinds.PROMETHEUS_RULES.kind,
        "metadata": {
            "name": NAME,
            "namespace": objects.namespace(hyperconverged),
            "labels": {labels.MANAGED_BY: definitions.OURS, labels.PROMETHEUS: "true"},
            "ownerReferences": [
                owners.owner_reference(owner, controller=False, block_deletion=False)
            ],
        },
        "spec": {"groups": groups()},
    }


def groups() -> Objects:
    """The content of a rule file."""
    return [{"name": "alerts.rules", "rules": [_rule(each) for each in ALERTS]}]


def _rule(alert: Alert) -> Object:
    return {
        "alert": alert.name,
        "expr": alert.expression,
        "labels": {
            "severity": alert.severity,
            "operator_health_impact": "none",
            "kubernetes_operator_part_of": "kubevirt",
            "kubernetes_operator_component": "hyperconverged-cluster-operator",
        },
        "annotations": {"summary": alert.summary, "runbook_url": f"{RUNBOOKS}{alert.name}"},
    }
