"""
What metrics tell of the cluster's storage: read from the caches when somebody asks.

    kubevirt_cdi_datavolume_pending    DataVolumes that wait and name no class
    kubevirt_cdi_storageprofile_info   one series for each class that has a profile

Pure functions of the caches (spec/storage.md, sections 1 and 2.8). Elsewhere: who shows them, and
that only the one who leads does.
"""

from __future__ import annotations

from typing import Final

from cdi.controllers.cluster import Cluster
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from cdi.storage import profileinfo

_WAITING: Final = ("", "Pending")
_INFRASTRUCTURE: Final = Key("", "cluster")
_TOPOLOGIES: Final = ("controlPlaneTopology", "infrastructureTopology")


def pending(cluster: Cluster) -> int:
    """How many DataVolumes wait that rely on a default class."""
    return sum(1 for each in cluster.data_volumes.list() if _relies_on_default(each))


def profiles(cluster: Cluster) -> list[dict[str, str]]:
    """The labels of one series for each class that has a profile."""
    snapshot_classes = cluster.snapshot_classes.list()
    drivers = {objects.name(each) for each in cluster.csi_drivers.list()}
    single = is_single_node(cluster.infrastructures.get(_INFRASTRUCTURE))
    found = []
    for storage_class in cluster.classes.list():
        profile = cluster.profiles.get(objects.key(storage_class))
        if profile is not None:
            status: Object = profile.get("status") or {}
            labels = profileinfo.labels_for(
                storage_class, status, snapshot_classes, drivers, single_node=single
            )
            found.append(labels)
    return found


def is_single_node(infrastructure: Object | None) -> bool:
    """Whether OpenShift says that there is one node, and never will be another."""
    said = (objects.get(infrastructure, "status", each) for each in _TOPOLOGIES)
    return all(each == "SingleReplica" for each in said)


def _relies_on_default(volume: Object) -> bool:
    if objects.get(volume, "status", "phase", default="") not in _WAITING:
        return False
    forms = (objects.get(volume, "spec", form) for form in ("storage", "pvc"))
    return all(objects.get(form, "storageClassName") is None for form in forms)
