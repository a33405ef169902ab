"""Every kind that the operator makes or reads, as requests name it."""

from __future__ import annotations

from typing import Final

from cdi.api import labels, resources
from cdi.kube.installing.kinds import Kinds
from cdi.kube.resource import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    CONSTRAINTS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    PROMETHEUS_RULES,
    ROLE_BINDINGS,
    ROLES,
    SECRETS,
    SERVICE_ACCOUNTS,
    SERVICE_MONITORS,
    SERVICES,
    VALIDATING_WEBHOOKS,
    Resource,
)
from cdi.operator import managed

CDIS: Final = Resource(resources.CDI_GROUP, "v1beta1", "cdis", "CDI", namespaced=False)
CDI_CONFIGS: Final = Resource(
    resources.CDI_GROUP, "v1beta1", "cdiconfigs", "CDIConfig", namespaced=False
)
PRIORITY_CLASSES: Final = Resource(
    "scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False
)

ROUTES: Final = Resource("route.openshift.io", "v1", "routes", "Route")
POPULATORS: Final = Resource(
    "populator.storage.k8s.io", "v1beta1", "volumepopulators", "VolumePopulator", namespaced=False
)

KINDS: Final = Kinds(
    owner=CDIS,
    managed=(
        CUSTOM_RESOURCE_DEFINITIONS,
        CLUSTER_ROLES,
        CLUSTER_ROLE_BINDINGS,
        ROLES,
        ROLE_BINDINGS,
        SERVICE_ACCOUNTS,
        SECRETS,
        CONFIG_MAPS,
        SERVICES,
        DEPLOYMENTS,
        Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
        VALIDATING_WEBHOOKS,
        MUTATING_WEBHOOKS,
        Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False),
    ),
    optional=(SERVICE_MONITORS, PROMETHEUS_RULES, CONSTRAINTS, ROUTES, POPULATORS),
    selector=labels.CREATE_VERSION,
    whole=(CONFIG_MAPS, ROUTES, CONSTRAINTS),
    marks=managed.MARKS,
)
