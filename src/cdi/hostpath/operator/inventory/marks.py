"""What every object of an installation bears."""

from __future__ import annotations

from typing import Final

from cdi.hostpath.operator.settings import Settings
from cdi.kube.objects import Object

APP: Final = "hostpath-provisioner"
SELECTOR: Final = f"k8s-app={APP}"
OPERATOR_NAME: Final = "hostpath-provisioner-operator"
PROMETHEUS: Final = "prometheus.hostpathprovisioner.kubevirt.io"


def labels_of(settings: Settings) -> dict[str, str]:
    """Labels of everything: ours, and those of the installer."""
    return {
        "k8s-app": APP,
        "app.kubernetes.io/managed-by": OPERATOR_NAME,
        "app.kubernetes.io/component": "storage",
        **dict(settings.labels),
    }


def named(
    api_version: str,
    kind: str,
    name: str,
    settings: Settings,
    *,
    namespaced: bool = True,
    **content: object,
) -> Object:
    """An object with name and labels, in the installation's namespace or in none."""
    metadata: Object = {"name": name, "labels": labels_of(settings)}
    if namespaced:
        metadata["namespace"] = settings.namespace
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **content}
