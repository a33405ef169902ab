"""ObjectTransfers: claims and DataVolumes change name and namespace, and keep their disk."""

import json
import uuid
from collections.abc import Iterator

import pytest

from support import disks, manifests
from support.cluster import Cluster, Namespace
from support.manifests import Object, data_volume, http

pytestmark = pytest.mark.e2e


@pytest.fixture
def other(cluster: Cluster) -> Iterator[Namespace]:
    with cluster.namespace() as found:
        yield found


def transfer(kind: str, source: Namespace, **target: str) -> Object:
    named = {"kind": kind, "namespace": source.name, "name": "disk"}
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "ObjectTransfer",
        "metadata": {"name": f"t-{uuid.uuid4().hex[:8]}"},
        "spec": {"source": named, "target": target},
    }


def done(space: Namespace, wanted: Object) -> None:
    name = wanted["metadata"]["name"]
    space.apply(wanted)
    space.wait(f"objecttransfer/{name}", "jsonpath={.status.phase}=Complete")
    space.kubectl("delete", "objecttransfer", name)


def policy_of(space: Namespace, claim: str) -> tuple[str, str]:
    volume = space.get("pvc", claim)["spec"]["volumeName"]
    found = json.loads(space.kubectl("get", "pv", volume, "-ojson"))
    return volume, found["spec"]["persistentVolumeReclaimPolicy"]


def test_a_claim_moves_with_its_volume(space, other):
    space.apply(manifests.claim("disk", {}))
    space.wait("pvc/disk", "jsonpath={.status.phase}=Bound")
    before = policy_of(space, "disk")
    done(space, transfer("PersistentVolumeClaim", space, namespace=other.name, name="moved"))

    assert policy_of(other, "moved") == before
    assert "disk" not in space.names("pvc")


def test_a_data_volume_moves_with_its_disk(space, other, server, images):
    space.apply(data_volume("disk", http(server.put("/disk", images.blob("qcow2")))))
    space.wait_phase("disk", "Succeeded")
    before = policy_of(space, "disk")
    fetched = len(server.requests)
    done(space, transfer("DataVolume", space, namespace=other.name))

    other.wait_phase("disk", "Succeeded")
    assert policy_of(other, "disk") == before
    assert len(server.requests) == fetched
    disk = other.claim_disk("disk")
    if disk is not None:
        assert disks.differs(disk, images.raw) == ""
    assert not space.names("dv") | space.names("pvc")


def test_a_claim_in_use_waits(space, other):
    space.apply(manifests.claim("disk", {}), manifests.consumer("app", "disk"))
    space.wait("pvc/disk", "jsonpath={.status.phase}=Bound")
    wanted = transfer("PersistentVolumeClaim", space, namespace=other.name)
    space.apply(wanted)
    name = wanted["metadata"]["name"]
    said = "jsonpath={.status.conditions[0].message}=Pods using PVC"
    space.wait(f"objecttransfer/{name}", said)
    assert "disk" in space.names("pvc")
    space.kubectl("delete", "pod", "app", "--force", "--grace-period=0")
    space.wait(f"objecttransfer/{name}", "jsonpath={.status.phase}=Complete")
    space.kubectl("delete", "objecttransfer", name)
    assert "disk" in other.names("pvc")
