"""
What the operator is told by whoever installed it, and what it tells a Deployment of itself.

`parse_environment` and `environment_for` are each other's reverse. Raises InvalidSettings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cdi.api.alerts import RUNBOOKS

KUBELET: Final = "/var/lib/kubelet"
_POLICIES: Final = ("Always", "IfNotPresent", "Never")


class InvalidSettings(ValueError):
    """The environment lacks something, or says something that cannot be followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One operator: what it installs, and where."""

    namespace: str
    version: str
    driver_image: str
    provisioner_image: str
    pull_policy: str = "IfNotPresent"
    verbosity: int = 1
    kubelet: str = KUBELET  # the kubelet's directory on nodes
    monitoring_namespace: str = "monitoring"
    runbooks: str = RUNBOOKS  # with one %s, for the name of an alert
    labels: tuple[tuple[str, str], ...] = ()  # of the installer, for everything


def parse_environment(
    environment: Mapping[str, str], namespace: str, labels: Mapping[str, str]
) -> Settings:
    """The settings of this process. Raises InvalidSettings, which names the variable."""
    image = environment.get("OPERATOR_IMAGE", "")
    version = environment.get("OPERATOR_VERSION", "")
    if not image or not version:
        raise InvalidSettings(
            "OPERATOR_IMAGE or OPERATOR_VERSION is not set; the operator's Deployment sets them"
        )
    policy = environment.get("PULL_POLICY") or "IfNotPresent"
    if policy not in _POLICIES:
        raise InvalidSettings(f"PULL_POLICY={policy!r}: must be one of {', '.join(_POLICIES)}")
    runbooks = environment.get("RUNBOOK_URL_TEMPLATE") or RUNBOOKS
    if runbooks.count("%s") != 1 or runbooks.replace("%s", "").count("%"):
        raise InvalidSettings(f"RUNBOOK_URL_TEMPLATE={runbooks!r}: must have exactly one %s")
    kubelet = environment.get("KUBELET_DIR") or KUBELET
    if not kubelet.startswith("/"):
        raise InvalidSettings(f"KUBELET_DIR={kubelet!r}: must be an absolute path")
    return Settings(
        namespace=namespace,
        version=version,
        driver_image=environment.get("CSI_PROVISIONER_IMAGE") or image,
        provisioner_image=environment.get("PROVISIONER_IMAGE") or image,
        pull_policy=policy,
        verbosity=_number(environment.get("VERBOSITY") or "1"),
        kubelet=kubelet.rstrip("/"),
        monitoring_namespace=environment.get("MONITORING_NAMESPACE") or "monitoring",
        runbooks=runbooks,
        labels=tuple(sorted(labels.items())),
    )


def environment_for(settings: Settings) -> dict[str, str]:
    """The variables of an operator with these settings."""
    return {
        "OPERATOR_IMAGE": settings.driver_image,
        "OPERATOR_VERSION": settings.version,
        "PROVISIONER_IMAGE": settings.provisioner_image,
        "PULL_POLICY": settings.pull_policy,
        "VERBOSITY": str(settings.verbosity),
        "KUBELET_DIR": settings.kubelet,
        "MONITORING_NAMESPACE": settings.monitoring_namespace,
        "RUNBOOK_URL_TEMPLATE": settings.runbooks,
    }


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidSettings(f"VERBOSITY={text!r}: must be a number") from None
