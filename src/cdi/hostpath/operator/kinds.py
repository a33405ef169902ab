"""Every kind that the operator makes or reads, as requests name it."""

from __future__ import annotations

from typing import Final

from cdi.api import resources
from cdi.kube.managed import Marks
from cdi.kube.objects import Object
from cdi.kube.resource import (
    CSI_DRIVERS,
    DEPLOYMENTS,
    JOBS,
    PERSISTENT_VOLUME_CLAIMS,
    SERVICE_ACCOUNTS,
    SERVICES,
    STORAGE_CLASSES,
    Resource,
)

_RBAC: Final = "rbac.authorization.k8s.io"
_MONITORING: Final = "monitoring.coreos.com"
_GROUP: Final = resources.HOST_PATH_GROUP

PROVISIONERS: Final = Resource(
    _GROUP, "v1beta1", "hostpathprovisioners", "HostPathProvisioner", namespaced=False
)
DAEMON_SETS: Final = Resource("apps", "v1", "daemonsets", "DaemonSet")
WEBHOOKS: Final = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    namespaced=False,
)

# What every cluster has.
MANAGED: Final = (
    CSI_DRIVERS,
    SERVICE_ACCOUNTS,
    Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Resource(_RBAC, "v1", "roles", "Role"),
    Resource(_RBAC, "v1", "rolebindings", "RoleBinding"),
    SERVICES,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    PERSISTENT_VOLUME_CLAIMS,
    STORAGE_CLASSES,
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

# What only some have, perhaps from tomorrow on.
OPTIONAL: Final = (SERVICE_MONITORS, PROMETHEUS_RULES, CONSTRAINTS)

_BY_KIND: Final = {each.kind: each for each in (*MANAGED, *OPTIONAL)}

MARKS: Final = Marks(
    last_applied=f"operator.{_GROUP}/lastAppliedConfiguration",
    created=f"operator.{_GROUP}/createVersion",
    updated=f"operator.{_GROUP}/updateVersion",
)
FINALIZER: Final = "finalizer.delete.hostpath-provisioner"


def resource_of(obj: Object) -> Resource:
    """The kind of an object that the operator makes."""
    return _BY_KIND[obj["kind"]]
