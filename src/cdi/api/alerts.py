"""Alerts as a PrometheusRule has them, with the labels by which KubeVirt tells components apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

RUNBOOKS: Final = "https://kubevirt.io/monitoring/runbooks/%s"


@dataclass(frozen=True, slots=True)
class Alert:
    """When somebody is called, and how urgent it is. Without `after` it need not hold for long."""

    name: str
    expression: str
    after: str
    severity: str
    impact: str
    summary: str

    def rule(self, component: str, runbooks: str) -> dict[str, Any]:
        """Return the rule. `runbooks` is the URL of a page, with %s for the alert's name."""
        return {
            "alert": self.name,
            "expr": self.expression,
            **({"for": self.after} if self.after else {}),
            "labels": {
                "severity": self.severity,
                "operator_health_impact": self.impact,
                "kubernetes_operator_part_of": "kubevirt",
                "kubernetes_operator_component": component,
            },
            "annotations": {"summary": self.summary, "runbook_url": runbooks % self.name},
        }
