"""Every kind that the operator makes or reads, as requests name it, and its marks."""

from __future__ import annotations

from typing import Final

from cdi.api import resources
from cdi.hostpath.operator.inventory import marks
from cdi.kube.installing.kinds import Kinds
from cdi.kube.managed import Marks
from cdi.kube.resource import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONSTRAINTS,
    CSI_DRIVERS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    PROMETHEUS_RULES,
    ROLE_BINDINGS,
    ROLES,
    SERVICE_ACCOUNTS,
    SERVICE_MONITORS,
    SERVICES,
    STORAGE_CLASSES,
    Resource,
)

_GROUP: Final = resources.HOST_PATH_GROUP
FINALIZER: Final = "finalizer.delete.hostpath-provisioner"

PROVISIONERS: Final = Resource(
    _GROUP, "v1beta1", "hostpathprovisioners", "HostPathProvisioner", namespaced=False
)
KINDS: Final = Kinds(
    owner=PROVISIONERS,
    managed=(
        CSI_DRIVERS,
        SERVICE_ACCOUNTS,
        CLUSTER_ROLES,
        CLUSTER_ROLE_BINDINGS,
        ROLES,
        ROLE_BINDINGS,
        SERVICES,
        DAEMON_SETS,
        DEPLOYMENTS,
        JOBS,
        PERSISTENT_VOLUME_CLAIMS,
        STORAGE_CLASSES,
    ),
    watched=(PODS, NODES),
    whole=(NODES,),
    optional=(SERVICE_MONITORS, PROMETHEUS_RULES, CONSTRAINTS),
    selector=marks.SELECTOR,
    marks=Marks(
        last_applied=f"operator.{_GROUP}/lastAppliedConfiguration",
        created=f"operator.{_GROUP}/createVersion",
        updated=f"operator.{_GROUP}/updateVersion",
    ),
)
