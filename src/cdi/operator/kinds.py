"""Every kind that the operator makes or reads, as requests name it."""

from __future__ import annotations

from typing import Final

from cdi.api import resources
from cdi.kube.objects import Object
from cdi.kube.resource import (
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICES,
    Resource,
)

_RBAC: Final = "rbac.authorization.k8s.io"
_REGISTRATION: Final = "admissionregistration.k8s.io"
_MONITORING: Final = "monitoring.coreos.com"

CDIS: Final = Resource(resources.CDI_GROUP, "v1beta1", "cdis", "CDI", namespaced=False)
CDI_CONFIGS: Final = Resource(
    resources.CDI_GROUP, "v1beta1", "cdiconfigs", "CDIConfig", namespaced=False
)
PRIORITY_CLASSES: Final = Resource(
    "scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False
)

# What every cluster has.
MANAGED: Final = (
    CUSTOM_RESOURCE_DEFINITIONS,
    Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Resource(_RBAC, "v1", "roles", "Role"),
    Resource(_RBAC, "v1", "rolebindings", "RoleBinding"),
    SERVICE_ACCOUNTS,
    SECRETS,
    CONFIG_MAPS,
    SERVICES,
    DEPLOYMENTS,
    Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    Resource(
        _REGISTRATION,
        "v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        namespaced=False,
    ),
    Resource(
        _REGISTRATION,
        "v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
        namespaced=False,
    ),
    Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False),
)

SERVICE_MONITORS: Final = Resource(_MONITORING, "v1", "servicemonitors", "ServiceMonitor")
PROMETHEUS_RULES: Final = Resource(_MONITORING, "v1", "prometheusrules", "PrometheusRule")
CONSTRAINTS: Final = Resource(
    "security.openshift.io",
    "v1",
    "securitycontextconstraints",
    "SecurityContextConstraints",
    namespaced=False,
)
ROUTES: Final = Resource("route.openshift.io", "v1", "routes", "Route")
POPULATORS: Final = Resource(
    "populator.storage.k8s.io", "v1beta1", "volumepopulators", "VolumePopulator", namespaced=False
)

# What only some have, perhaps from tomorrow on.
OPTIONAL: Final = (SERVICE_MONITORS, PROMETHEUS_RULES, CONSTRAINTS, ROUTES, POPULATORS)

_BY_KIND: Final = {each.kind: each for each in (*MANAGED, *OPTIONAL)}


def resource_of(obj: Object) -> Resource:
    """The kind of an object that the operator makes."""
    return _BY_KIND[obj["kind"]]
