"""Service accounts, roles and bindings: who is who, and by which rules of `rules`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cdi.api import labels
from cdi.kube.objects import Object, Objects
from cdi.operator.inventory import marks, rules
from cdi.operator.inventory.rules import Rules

GROUP: Final = "rbac.authorization.k8s.io"
API_VERSION: Final = f"{GROUP}/v1"

CONTROLLER: Final = "cdi-sa"
API_SERVER: Final = "cdi-apiserver"
UPLOAD_PROXY: Final = "cdi-uploadproxy"
CRON_JOB: Final = "cdi-cronjob"
METRICS_READER: Final = "cdi-metrics-reader"

ACCOUNTS: Final = (CONTROLLER, API_SERVER, UPLOAD_PROXY, CRON_JOB, METRICS_READER)

# Cluster-wide role, its rules, and the binding and account that get them.
_CLUSTER: Final[tuple[tuple[str, Rules, str], ...]] = (
    ("cdi", rules.CONTROLLER_CLUSTER, CONTROLLER),
    ("cdi-apiserver", rules.API_SERVER_CLUSTER, API_SERVER),
    ("cdi-uploadproxy", rules.UPLOAD_PROXY_CLUSTER, UPLOAD_PROXY),
    ("cdi-cronjob", rules.CRON_JOB_CLUSTER, CRON_JOB),
    ("cdi-metrics-reader", rules.METRICS_READER, METRICS_READER),
)

_NAMESPACED: Final[tuple[tuple[str, Rules, str], ...]] = (
    ("cdi-deployment", rules.CONTROLLER_NAMESPACE, CONTROLLER),
    ("cdi-apiserver", rules.API_SERVER_NAMESPACE, API_SERVER),
    ("cdi-uploadproxy", rules.UPLOAD_PROXY_NAMESPACE, UPLOAD_PROXY),
)

# Parts of the cluster's own roles.
_AGGREGATED: Final[tuple[tuple[str, Rules, str], ...]] = (
    ("cdi.kubevirt.io:admin", rules.EDIT, labels.AGGREGATE_TO_ADMIN),
    ("cdi.kubevirt.io:edit", rules.EDIT, labels.AGGREGATE_TO_EDIT),
    ("cdi.kubevirt.io:view", rules.VIEW, labels.AGGREGATE_TO_VIEW),
)

_CONFIG_READER: Final = "cdi.kubevirt.io:config-reader"
_CONFIG_READERS: Final = ("system:authenticated", "system:serviceaccounts")


def cluster_access(namespace: str, given: Mapping[str, str]) -> Objects:
    """Everything about access that belongs to no namespace."""
    found: Objects = []
    for name, granted, account in _CLUSTER:
        found.append(cluster_role(name, granted, given))
        # The binding of the controller's role is called like its account.
        binding = account if name == "cdi" else name
        found.append(cluster_binding(binding, name, [account_of(account, namespace)], given))
    found.append(cluster_role("cdi-pprof-reader", rules.PROFILE_READER, given))
    for name, granted, aggregate in _AGGREGATED:
        found.append(cluster_role(name, granted, {**given, aggregate: "true"}))
    found.append(cluster_role("cdi.kubevirt.io:clone-sourcer", rules.CLONE_SOURCER, given))
    found.append(cluster_role(_CONFIG_READER, rules.CONFIG_READER, given))
    groups = [{"kind": "Group", "name": name, "apiGroup": GROUP} for name in _CONFIG_READERS]
    found.append(cluster_binding(_CONFIG_READER, _CONFIG_READER, groups, given))
    return found


def namespaced_access(namespace: str, given: Mapping[str, str]) -> Objects:
    """Accounts, roles and bindings in the namespace of the installation."""
    found = [marks.named("v1", "ServiceAccount", name, given, namespace) for name in ACCOUNTS]
    for name, granted, account in _NAMESPACED:
        found.append(role(name, granted, namespace, given))
        found.append(binding(name, name, [account_of(account, namespace)], namespace, given))
    return found


def cluster_role(name: str, granted: Rules, given: Mapping[str, str]) -> Object:
    return marks.named(API_VERSION, "ClusterRole", name, given, rules=list(granted))


def role(name: str, granted: Rules, namespace: str, given: Mapping[str, str]) -> Object:
    return marks.named(API_VERSION, "Role", name, given, namespace, rules=list(granted))


def cluster_binding(
    name: str, role_name: str, subjects: Objects, given: Mapping[str, str]
) -> Object:
    reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": role_name}
    return marks.named(
        API_VERSION, "ClusterRoleBinding", name, given, roleRef=reference, subjects=subjects
    )


def binding(
    name: str, role_name: str, subjects: Objects, namespace: str, given: Mapping[str, str]
) -> Object:
    reference = {"apiGroup": GROUP, "kind": "Role", "name": role_name}
    return marks.named(
        API_VERSION, "RoleBinding", name, given, namespace, roleRef=reference, subjects=subjects
    )


def account_of(name: str, namespace: str) -> Object:
    """A service account, as a binding names it."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}
