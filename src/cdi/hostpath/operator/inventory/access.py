"""Service accounts, roles and bindings: who may do what."""

from __future__ import annotations

from typing import Final

from cdi.hostpath.operator.inventory import marks
from cdi.hostpath.operator.settings import Settings
from cdi.kube.objects import Object, Objects

DRIVER: Final = "hostpath-provisioner-admin-csi"
LEGACY: Final = "hostpath-provisioner-admin"
_LEGACY_ROLE: Final = "hostpath-provisioner"
_GROUP: Final = "rbac.authorization.k8s.io"
API_VERSION: Final = f"{_GROUP}/v1"
_STORAGE: Final = "storage.k8s.io"
_SNAPSHOTS: Final = "snapshot.storage.k8s.io"
_READ: Final = ("get", "list", "watch")


def rule(group: str, resources: tuple[str, ...], *verbs: str) -> Object:
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


# What both provisioners do with claims and volumes.
_PROVISIONING: Final = (
    rule("", ("persistentvolumes",), *_READ, "create", "delete", "update", "patch"),
    rule("", ("persistentvolumeclaims",), *_READ, "update", "patch"),
    rule("", ("persistentvolumeclaims/status",), "update", "patch"),
    rule(_STORAGE, ("storageclasses",), *_READ),
    rule("", ("events",), *_READ, "create", "patch", "update"),
    rule("", ("nodes",), *_READ),
)
_DRIVER_CLUSTER: Final = (
    *_PROVISIONING,
    rule(_STORAGE, ("csinodes",), *_READ),
    rule(_STORAGE, ("volumeattachments",), *_READ),
    rule(_SNAPSHOTS, ("volumesnapshotclasses", "volumesnapshots"), *_READ),
    rule(_SNAPSHOTS, ("volumesnapshotcontents",), *_READ, "update", "patch"),
    rule(_SNAPSHOTS, ("volumesnapshotcontents/status",), "update", "patch"),
    # Whoever asks for metrics is asked who he is.
    rule("authentication.k8s.io", ("tokenreviews",), "create"),
    rule("authorization.k8s.io", ("subjectaccessreviews",), "create"),
)
SCRAPING: Final = (rule("", ("services", "endpoints", "pods"), *_READ),)
_DRIVER_NAMESPACE: Final = (
    rule(_STORAGE, ("csistoragecapacities",), *_READ, "create", "update", "patch", "delete"),
    rule("", ("pods",), "get"),
)


def granted_cluster() -> tuple[Object, ...]:
    """What is granted in all namespaces: whoever grants it has to have it."""
    return _DRIVER_CLUSTER


def granted_namespace() -> tuple[Object, ...]:
    """The same in the installation's namespace, Prometheus' part included."""
    return (*_DRIVER_NAMESPACE, *SCRAPING)


def driver_access(settings: Settings) -> Objects:
    """Account and roles of the driver."""
    return [
        marks.named("v1", "ServiceAccount", DRIVER, settings),
        cluster_role(DRIVER, _DRIVER_CLUSTER, settings),
        cluster_binding(DRIVER, DRIVER, DRIVER, settings),
        role(DRIVER, _DRIVER_NAMESPACE, settings),
        binding(DRIVER, DRIVER, account(DRIVER, settings.namespace), settings),
    ]


def legacy_access(settings: Settings) -> Objects:
    """Account and role of the legacy provisioner."""
    return [
        marks.named("v1", "ServiceAccount", LEGACY, settings),
        cluster_role(_LEGACY_ROLE, _PROVISIONING, settings),
        cluster_binding(_LEGACY_ROLE, _LEGACY_ROLE, LEGACY, settings),
    ]


def account(name: str, namespace: str) -> Object:
    """A service account, as a binding names it."""
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def cluster_role(name: str, rules: tuple[Object, ...], settings: Settings) -> Object:
    return marks.named(
        API_VERSION, "ClusterRole", name, settings, namespaced=False, rules=list(rules)
    )


def cluster_binding(name: str, role_name: str, subject: str, settings: Settings) -> Object:
    return marks.named(
        API_VERSION,
        "ClusterRoleBinding",
        name,
        settings,
        namespaced=False,
        roleRef={"apiGroup": _GROUP, "kind": "ClusterRole", "name": role_name},
        subjects=[account(subject, settings.namespace)],
    )


def role(name: str, rules: tuple[Object, ...], settings: Settings) -> Object:
    return marks.named(API_VERSION, "Role", name, settings, rules=list(rules))


def binding(name: str, role_name: str, subject: Object, settings: Settings) -> Object:
    return marks.named(
        API_VERSION,
        "RoleBinding",
        name,
        settings,
        roleRef={"apiGroup": _GROUP, "kind": "Role", "name": role_name},
        subjects=[subject],
    )
