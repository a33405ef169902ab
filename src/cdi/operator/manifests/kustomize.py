"""Two bases: the operator, and the CDI object, which needs the operator's definition first."""

from __future__ import annotations

from typing import Any

from cdi.operator.manifests import files
from cdi.operator.settings import Settings


def bases(settings: Settings) -> dict[str, str]:
    """Directories `operator`, `cdi` and `network-policies`, each for `kubectl apply -k`."""
    made: dict[str, str] = {}
    for directory, part in (
        ("operator", files.OPERATOR),
        ("cdi", files.CDI),
        ("network-policies", files.NETWORK_POLICIES),
    ):
        name = f"{directory}.yaml"
        made[f"{directory}/{name}"] = files.yaml_of(files.objects_of(part, settings))
        made[f"{directory}/kustomization.yaml"] = files.yaml_of([_kustomization(name)])
    return made


def _kustomization(resource: str) -> Any:
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [resource],
    }
