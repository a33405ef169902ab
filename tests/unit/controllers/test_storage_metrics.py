"""What metrics tell of the cluster's storage follows from the caches."""

from typing import Any

import pytest

from cdi.controllers import storagemetrics
from cdi.controllers.cluster import empty_cluster
from cdi.kube.objects import Object
from cdi.web.metrics import ProcessMetrics


def volume(phase: str = "", form: str = "storage", **said: Any) -> Object:
    return {
        "metadata": {"name": "disk", "namespace": "ns"},
        "spec": {"source": {"blank": {}}, form: said},
        "status": {"phase": phase} if phase else {},
    }


@pytest.mark.parametrize(
    ("found", "count"),
    [
        pytest.param(volume(), 1, id="new"),
        pytest.param(volume("Pending"), 1, id="pending"),
        pytest.param(volume("Pending", "pvc"), 1, id="pending-claim"),
        pytest.param(volume("Pending", storageClassName="fast"), 0, id="names-a-class"),
        pytest.param(volume("Pending", storageClassName=""), 0, id="names-none"),
        pytest.param(volume("ImportInProgress"), 0, id="at-work"),
        pytest.param(volume("Succeeded"), 0, id="done"),
    ],
)
def test_volumes_that_wait_for_a_default_are_counted(found: Object, count: int) -> None:
    cluster = empty_cluster()
    cluster.data_volumes.upsert(found)
    assert storagemetrics.pending(cluster) == count


def storage_class(name: str = "fast", **given: str) -> Object:
    return {"metadata": {"name": name, "annotations": given}, "provisioner": "disk.example"}


def profiled(name: str = "fast") -> Object:
    properties = [{"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}]
    said = {"provisioner": "disk.example", "claimPropertySets": properties}
    return {"metadata": {"name": name}, "status": {**said, "cloneStrategy": "copy"}}


SINGLE = {"controlPlaneTopology": "SingleReplica", "infrastructureTopology": "SingleReplica"}


def test_each_class_that_has_a_profile_is_one_series() -> None:
    cluster = empty_cluster()
    cluster.classes.replace([storage_class(), storage_class("new")])
    cluster.profiles.upsert(profiled())
    assert storagemetrics.profiles(cluster) == [
        {
            "storageclass": "fast",
            "provisioner": "disk.example",
            "complete": "true",
            "default": "false",
            "virtdefault": "false",
            "rwx": "false",
            "smartclone": "false",
            "degraded": "true",
        }
    ]


@pytest.mark.parametrize(
    ("status", "single"),
    [
        pytest.param(None, False, id="no-openshift"),
        pytest.param(SINGLE, True, id="single"),
        pytest.param({**SINGLE, "infrastructureTopology": "HighlyAvailable"}, False, id="half"),
    ],
)
def test_openshift_says_whether_there_is_one_node(status: Object | None, single: bool) -> None:
    found = None if status is None else {"metadata": {"name": "cluster"}, "status": status}
    assert storagemetrics.is_single_node(found) is single


def test_whoever_leads_shows_them_and_nobody_else() -> None:
    metrics, cluster = ProcessMetrics(), empty_cluster()
    cluster.classes.upsert(storage_class())
    cluster.profiles.upsert(profiled())
    assert "kubevirt_cdi" not in metrics.text().decode()
    hide = metrics.follow_storage(
        lambda: storagemetrics.pending(cluster), lambda: storagemetrics.profiles(cluster)
    )
    shown = metrics.text().decode()
    assert "kubevirt_cdi_datavolume_pending 0.0" in shown
    assert 'kubevirt_cdi_storageprofile_info{complete="true",default="false"' in shown
    cluster.data_volumes.upsert(volume())
    cluster.profiles.remove(profiled())
    shown = metrics.text().decode()
    assert "kubevirt_cdi_datavolume_pending 1.0" in shown
    assert "storageprofile_info{" not in shown
    hide()
    assert "kubevirt_cdi" not in metrics.text().decode()
