"""A bundle for the Operator Lifecycle Manager: ClusterServiceVersion, definition, metadata."""

from __future__ import annotations

import json
from typing import Final

from cdi.kube.objects import Object
from cdi.operator.inventory import definitions, operator, rules
from cdi.operator.inventory.installed import DEFAULT_PRIORITY_CLASS
from cdi.operator.manifests import files
from cdi.operator.settings import Settings

_PACKAGE: Final = "cdi-operator"
_CHANNEL: Final = "stable"
_DESCRIPTION: Final = (
    "Fills volumes with virtual-machine disks: imports, uploads and clones, and keeps boot images "
    "up to date."
)


def bundle(settings: Settings) -> dict[str, str]:
    """The bundle's files."""
    manifests = f"manifests/{_PACKAGE}"
    return {
        f"{manifests}.clusterserviceversion.yaml": files.yaml_of([_service_version(settings)]),
        f"{manifests}.crd.yaml": files.yaml_of([definitions.own_definition()]),
        "metadata/annotations.yaml": files.yaml_of([_annotations()]),
    }


def _service_version(settings: Settings) -> Object:
    version = settings.version.removeprefix("v")
    return {
        "apiVersion": "operators.coreos.com/v1alpha1",
        "kind": "ClusterServiceVersion",
        "metadata": {
            "name": f"{_PACKAGE}.v{version}",
            "namespace": "placeholder",
            "annotations": {
                "alm-examples": json.dumps([operator.default_cdi(settings.pull_policy)]),
                "capabilities": "Full Lifecycle",
                "categories": "Storage,Virtualization",
                "containerImage": settings.images.controller,
                "description": _DESCRIPTION,
            },
        },
        "spec": {
            "displayName": "Containerized Data Importer",
            "description": _DESCRIPTION,
            "version": version,
            "minKubeVersion": "1.29.0",
            "maturity": "stable",
            "keywords": ["CDI", "virtualization", "storage"],
            "links": [{"name": "KubeVirt", "url": "https://kubevirt.io"}],
            "maintainers": [{"name": "KubeVirt", "email": "kubevirt-dev@googlegroups.com"}],
            "provider": {"name": "KubeVirt"},
            "installModes": [
                {"type": mode, "supported": mode in ("OwnNamespace", "SingleNamespace")}
                for mode in ("OwnNamespace", "SingleNamespace", "MultiNamespace", "AllNamespaces")
            ],
            "customresourcedefinitions": {
                "owned": [
                    {
                        "kind": "CDI",
                        "name": "cdis.cdi.kubevirt.io",
                        "version": "v1beta1",
                        "displayName": "CDI",
                        "description": "An installation of CDI.",
                    }
                ]
            },
            "install": {"strategy": "deployment", "spec": _strategy(settings)},
        },
    }


def _strategy(settings: Settings) -> Object:
    deployment = operator.operator_deployment(settings)
    deployment["spec"]["template"]["spec"]["priorityClassName"] = DEFAULT_PRIORITY_CLASS
    name = operator.NAME
    return {
        "clusterPermissions": [{"serviceAccountName": name, "rules": list(rules.OPERATOR_CLUSTER)}],
        "permissions": [{"serviceAccountName": name, "rules": list(rules.OPERATOR_NAMESPACE)}],
        "deployments": [{"name": name, "spec": deployment["spec"]}],
    }


def _annotations() -> Object:
    prefix = "operators.operatorframework.io.bundle"
    return {
        "annotations": {
            f"{prefix}.mediatype.v1": "registry+v1",
            f"{prefix}.manifests.v1": "manifests/",
            f"{prefix}.metadata.v1": "metadata/",
            f"{prefix}.package.v1": _PACKAGE,
            f"{prefix}.channels.v1": _CHANNEL,
            f"{prefix}.channel.default.v1": _CHANNEL,
        }
    }
