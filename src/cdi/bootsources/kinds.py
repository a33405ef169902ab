"""The kinds that this room reads and writes, as `cdi.kube` speaks of them."""

from __future__ import annotations

from typing import Final

from cdi.api import resources
from cdi.kube.resource import Resource


def _ours(kind: str) -> Resource:
    found = resources.find(kind)
    return Resource(
        found.group, found.storage_version, found.plural, found.kind, namespaced=found.namespaced
    )


HYPERCONVERGEDS: Final = _ours("HyperConverged")
SSPS: Final = _ours("SSP")
CDIS: Final = _ours("CDI")
CRONS: Final = _ours("DataImportCron")
DATA_SOURCES: Final = _ours("DataSource")

_RBAC: Final = "rbac.authorization.k8s.io"
ROLES: Final = Resource(_RBAC, "v1", "roles", "Role")
ROLE_BINDINGS: Final = Resource(_RBAC, "v1", "rolebindings", "RoleBinding")
CLUSTER_ROLES: Final = Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False)
NETWORK_POLICIES: Final = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
IMAGE_STREAMS: Final = Resource("image.openshift.io", "v1", "imagestreams", "ImageStream")
PROMETHEUS_RULES: Final = Resource(
    "monitoring.coreos.com", "v1", "prometheusrules", "PrometheusRule"
)
SNAPSHOTS: Final = Resource("snapshot.storage.k8s.io", "v1", "volumesnapshots", "VolumeSnapshot")
