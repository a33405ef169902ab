"""All objects that one CDI object stands for, in the order in which they are made."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cdi.kube import objects
from cdi.kube.objects import Object, Objects
from cdi.operator.inventory import (
    access,
    definitions,
    deployments,
    disruption,
    marks,
    monitoring,
    openshift,
    populators,
    secrets,
    services,
    webhooks,
)
from cdi.operator.settings import Settings

DEFAULT_PRIORITY_CLASS: Final = "kubevirt-cluster-critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the cluster says, as far as it matters to what is wanted."""

    priority_class_exists: bool = False  # the one that `priority_class_of` names
    api_authority: str = ""  # PEM of those who sign for `cdi-api`
    proxy_authority: str = ""  # PEM of those who sign for the upload proxy
    has_monitoring: bool = False
    has_constraints: bool = False
    has_routes: bool = False
    has_populators: bool = False
    constrained_users: tuple[str, ...] = ()  # of the SecurityContextConstraints as it is
    controller_ready: bool = False


NO_FACTS: Final = Facts()


def priority_class_of(cdi: Object | None) -> str:
    """The class of the control plane, if it exists."""
    return str(objects.get(cdi, "spec", "priorityClass") or DEFAULT_PRIORITY_CLASS)


def renders_claims(cdi: Object | None) -> bool:
    """Whether labelled claims are completed by a webhook."""
    return bool(objects.get(cdi, "spec", "config", "webhookPvcRendering") != "Disabled")


def installed(settings: Settings, cdi: Object | None, facts: Facts = NO_FACTS) -> Objects:
    """Everything, cluster-wide objects first."""
    given = marks.common_labels(cdi)
    found: Objects = []
    if settings.cluster_resources:
        found += definitions.definitions(given)
        found += access.cluster_access(settings.namespace, given)
    if facts.has_constraints:
        found.append(
            openshift.security_constraints(settings.namespace, given, facts.constrained_users)
        )
    return [
        *found,
        *_namespaced(settings, cdi, facts, given),
        *_asking_us(settings, cdi, facts, given),
        *_optional(settings, facts, given),
    ]


def _namespaced(
    settings: Settings, cdi: Object | None, facts: Facts, given: Mapping[str, str]
) -> Objects:
    namespace = settings.namespace
    priority = priority_class_of(cdi) if facts.priority_class_exists else ""
    made = deployments.deployments(settings, cdi, given, priority)
    return [
        *access.namespaced_access(namespace, given),
        *secrets.certificate_stores(namespace, given),
        *services.services(namespace, given),
        *made,
        *disruption.budgets(made, given),
    ]


def _asking_us(
    settings: Settings, cdi: Object | None, facts: Facts, given: Mapping[str, str]
) -> Objects:
    """Whom Kubernetes' API server asks; last, as it does so from the moment they exist."""
    authority = base64.b64encode(facts.api_authority.encode()).decode()
    rendering = renders_claims(cdi)
    return [
        *webhooks.webhooks(settings.namespace, given, authority, rendering=rendering),
        webhooks.api_service(settings.namespace, given, authority),
    ]


def _optional(settings: Settings, facts: Facts, given: Mapping[str, str]) -> Objects:
    found: Objects = []
    if facts.has_routes and facts.controller_ready and facts.proxy_authority:
        found.append(openshift.upload_route(settings.namespace, given, facts.proxy_authority))
    if facts.has_populators and facts.controller_ready:
        found += populators.populators(given)
    if facts.has_monitoring:
        found += monitoring.monitoring(settings)
    return found
