"""When somebody is called about a HyperConverged, as Prometheus' operator is told. Pure."""

from __future__ import annotations

from typing import Final

from cdi.api import labels
from cdi.api.alerts import RUNBOOKS, Alert
from cdi.bootsources import definitions, kinds, metrics
from cdi.kube import objects, owners
from cdi.kube.objects import Object, Objects

NAME: Final = "kubevirt-hyperconverged-prometheus-rule"
_COMPONENT: Final = "hyperconverged-cluster-operator"
_WINDOW: Final = "10m"


_IMAGE: Final = "{{ $labels.data_import_cron_name }}"

ALERTS: Final = (
    Alert(
        "HCOGoldenImageWithNoArchitectureAnnotation",
        f"{metrics.ANNOTATED} == 0",
        "",
        "warning",
        "none",
        f"Boot image {_IMAGE} does not say which architectures it has",
    ),
    Alert(
        "HCOGoldenImageWithNoSupportedArchitecture",
        f"{metrics.SUPPORTED} == 0",
        "",
        "warning",
        "none",
        f"Boot image {_IMAGE} has no architecture of any node, and is not imported",
    ),
    Alert(
        "HCOMultiArchGoldenImagesDisabled",
        f"{metrics.MULTI_ARCH} == 0",
        "",
        "warning",
        "none",
        "Nodes are of several architectures, and boot images of one of them",
    ),
    Alert(
        "KubeVirtCRModified",
        f"sum by (component_name) (increase({metrics.OVERWRITTEN}[{_WINDOW}])) > 0",
        "",
        "warning",
        "none",
        "Somebody changes {{ $labels.component_name }}, which the HyperConverged changes back",
    ),
    Alert(
        "UnsupportedHCOModification",
        f"sum by (annotation_name) ({metrics.PATCHED}) > 0",
        "",
        "info",
        "none",
        "Annotation {{ $labels.annotation_name }} of the HyperConverged changes what has no "
        "setting",
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
    return [{"name": "alerts.rules", "rules": [each.rule(_COMPONENT, RUNBOOKS) for each in ALERTS]}]
