"""Clones, from `kubectl apply` to Succeeded, and the bytes are those of the source."""

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.api.phases import DataVolume as Phase
from support import disks
from support.cluster import Cluster, Machine, Namespace, Refused
from support.manifests import (
    BIND_AT_ONCE,
    USUAL_CLASS,
    WAITING_CLASS,
    consumer,
    data_volume,
    http,
)

pytestmark = pytest.mark.e2e

SNAPSHOT_CLASS = os.environ.get("CDI_TEST_SNAPSHOT_CLASS", "local-snapshots")


def clone_of(name: str, namespace: str, kind: str = "pvc") -> dict:
    return {kind: {"namespace": namespace, "name": name}}


def assert_same_disk(space: Namespace, name: str, other: Namespace, source: str) -> None:
    """Two claims hold the same disk; looked at where their files are on this machine."""
    here, there = space.claim_disk(name), other.claim_disk(source)
    if here is not None and there is not None:
        assert disks.differs(here, there) == ""


@pytest.fixture
def filled(space: Namespace, server, images) -> Namespace:
    """A namespace with a DataVolume `src` that holds a disk."""
    url = server.put("/disk.qcow2", images.blob("qcow2"))
    space.apply(data_volume("src", http(url)))
    space.wait_phase("src", Phase.SUCCEEDED)
    return space


def test_a_claim_is_cloned_and_larger_if_wanted(filled: Namespace) -> None:
    source = clone_of("src", filled.name)
    filled.apply(data_volume("same", source), data_volume("larger", source, size="96Mi"))
    for name in ("same", "larger"):
        filled.wait_phase(name, Phase.SUCCEEDED)
        assert_same_disk(filled, name, filled, "src")
    status = filled.get("dv", "same")["status"]
    assert (status["progress"], status["claimName"]) == ("100.0%", "same")
    filled.only("pvc", "src", "same", "larger")


def test_a_clone_waits_for_its_source(space: Namespace, server, images) -> None:
    space.apply(data_volume("clone", clone_of("src", space.name)))
    space.until_event("dv/clone", "CloneWithoutSource")
    url = server.put("/disk.qcow2", images.blob("qcow2"))
    space.apply(data_volume("src", http(url)))
    space.wait_phase("clone", Phase.SUCCEEDED)
    assert_same_disk(space, "clone", space, "src")


@pytest.fixture
def copying_class(cluster: Cluster) -> Iterator[str]:
    """A class like the default one, whose volumes are not cloned but copied."""
    yield from class_with(cluster, "copy")


@pytest.fixture
def snapshotting_class(cluster: Cluster) -> Iterator[str]:
    """A class like the default one, whose volumes are cloned over snapshots."""
    yield from class_with(cluster, "snapshot")


def class_with(cluster: Cluster, strategy: str) -> Iterator[str]:
    found = json.loads(cluster.kubectl("get", "storageclass", "-ojson"))["items"]
    marked = "storageclass.kubernetes.io/is-default-class"
    usual = next(
        x
        for x in found
        if x["metadata"]["name"] == USUAL_CLASS
        or (USUAL_CLASS is None and x["metadata"].get("annotations", {}).get(marked) == "true")
    )
    kept = ("provisioner", "parameters", "reclaimPolicy", "allowVolumeExpansion", "mountOptions")
    name = f"{strategy}-{uuid.uuid4().hex[:8]}"
    wanted = {
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": name, "annotations": {"cdi.kubevirt.io/clone-strategy": strategy}},
        "volumeBindingMode": "Immediate", **{key: usual[key] for key in kept if usual.get(key)},
    }  # fmt: skip
    cluster.kubectl("apply", "-f-", stdin=json.dumps(wanted))
    yield name
    cluster.kubectl("delete", "storageclass", name)


def test_bytes_are_copied_where_the_storage_does_not_clone(
    filled: Namespace, copying_class: str
) -> None:
    source = clone_of("src", filled.name)
    filled.apply(data_volume("copy", source, storageClassName=copying_class))
    filled.wait_phase("copy", Phase.SUCCEEDED)
    assert_same_disk(filled, "copy", filled, "src")
    claim = filled.get("pvc", "copy")["metadata"]["annotations"]
    assert claim["cdi.kubevirt.io/cloneType"] == "copy"
    filled.only("pvc", "src", "copy")
    filled.gone(*(f"pod/{each}" for each in filled.names("pod")))


def test_between_modes_the_disk_is_copied(filled: Namespace) -> None:
    source = clone_of("src", filled.name)
    filled.apply(data_volume("block", source, volumeMode="Block"))
    filled.wait_phase("block", Phase.SUCCEEDED)
    back = clone_of("block", filled.name)
    filled.apply(data_volume("file", back, volumeMode="Filesystem", size="80Mi"))
    filled.wait_phase("file", Phase.SUCCEEDED)
    given = filled.get("pvc", "file")["metadata"]["annotations"]
    said = given["cdi.kubevirt.io/cloneFallbackReason"]
    cluster = filled.cluster
    assert said == (
        "The volume modes of source and target are incompatible"
        if cluster.is_populated(USUAL_CLASS or cluster.default_class())
        else "In tree storage class does not support snapshot/clone"
    )
    block, file = filled.claim_disk("block"), filled.claim_disk("file")
    source_disk = filled.claim_disk("src")
    if block is not None and file is not None and source_disk is not None:
        wanted = source_disk.read_bytes()
        assert block.read_bytes()[: len(wanted)] == wanted
        assert file.read_bytes()[: len(wanted)] == wanted


@pytest.fixture
def snapshots(cluster: Cluster) -> None:
    """Storage that takes snapshots, of the class that the tests name."""
    known = cluster.kubectl("api-resources", "--api-group=snapshot.storage.k8s.io", "-oname")
    if "volumesnapshotclasses" in known:
        made = cluster.kubectl("get", "volumesnapshotclass", SNAPSHOT_CLASS, "--ignore-not-found")
        if made:
            return
    pytest.skip(f"the storage takes no snapshots: there is no class {SNAPSHOT_CLASS}")


def snapshot(name: str, claim: str) -> dict:
    """A snapshot of a claim, of the default class of its driver."""
    return {
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
        "metadata": {"name": name},
        "spec": {"source": {"persistentVolumeClaimName": claim},
                 "volumeSnapshotClassName": SNAPSHOT_CLASS},
    }  # fmt: skip


@pytest.mark.usefixtures("snapshots")
def test_a_snapshot_is_cloned_more_than_once(filled: Namespace) -> None:
    filled.apply(snapshot("then", "src"))
    source = clone_of("then", filled.name, "snapshot")
    filled.apply(data_volume("one", source), data_volume("two", source, size="96Mi"))
    for name in ("one", "two"):
        filled.wait_phase(name, Phase.SUCCEEDED)
        assert_same_disk(filled, name, filled, "src")
    kind = filled.get("pvc", "one")["spec"]["dataSourceRef"]["kind"]
    assert kind == "VolumeCloneSource"
    filled.only("pvc", "src", "one", "two")
    filled.only("volumesnapshot", "then")


@pytest.mark.usefixtures("snapshots")
def test_a_snapshot_is_cloned_where_claims_are_filled_in_place(filled: Namespace) -> None:
    filled.apply(snapshot("then", "src"))
    source = clone_of("then", filled.name, "snapshot")
    in_place = {"cdi.kubevirt.io/storage.usePopulator": "false"}
    filled.apply(data_volume("clone", source, annotations=in_place))
    filled.wait_phase("clone", Phase.SUCCEEDED)
    assert_same_disk(filled, "clone", filled, "src")
    claim = filled.get("pvc", "clone")["metadata"]["annotations"]
    assert claim["cdi.kubevirt.io/cloneType"] == "copy"
    filled.only("pvc", "src", "clone")


@pytest.mark.usefixtures("snapshots")
def test_a_claim_is_cloned_over_a_snapshot(filled: Namespace, snapshotting_class: str) -> None:
    source = clone_of("src", filled.name)
    filled.apply(data_volume("clone", source, storageClassName=snapshotting_class, size="80Mi"))
    filled.wait_phase("clone", Phase.SUCCEEDED)
    assert_same_disk(filled, "clone", filled, "src")
    claim = filled.get("pvc", "clone")["metadata"]["annotations"]
    assert claim["cdi.kubevirt.io/cloneType"] == "snapshot"
    filled.only("volumesnapshot")


def test_a_clone_is_as_large_as_the_import_was(filled: Namespace) -> None:
    known = filled.get("pvc", "src")["metadata"]["annotations"]
    assert int(known["cdi.Kubervirt.io/virtualSize"]) > 0
    wanted = data_volume("clone", clone_of("src", filled.name))
    del wanted["spec"]["storage"]["resources"]
    wanted["spec"]["storage"]["volumeMode"] = "Filesystem"
    filled.apply(wanted)
    filled.wait_phase("clone", Phase.SUCCEEDED)
    assert_same_disk(filled, "clone", filled, "src")
    told = json.loads(filled.kubectl("get", "events", "-ojson"))["items"]
    assert "SizeDetectionPodCreated" not in {each["reason"] for each in told}


def test_a_clone_finds_out_how_large_its_source_is(filled: Namespace) -> None:
    filled.kubectl("annotate", "pvc", "src", "cdi.Kubervirt.io/virtualSize-")
    wanted = data_volume("clone", clone_of("src", filled.name))
    del wanted["spec"]["storage"]["resources"]
    wanted["spec"]["storage"]["volumeMode"] = "Filesystem"
    filled.apply(wanted)
    filled.wait_phase("clone", Phase.SUCCEEDED)
    assert_same_disk(filled, "clone", filled, "src")
    known = filled.get("pvc", "src")["metadata"]["annotations"]
    assert int(known["cdi.Kubervirt.io/virtualSize"]) > 0
    filled.gone("pod/size-detection-" + filled.get("pvc", "src")["metadata"]["uid"])


# Between namespaces.


@pytest.fixture
def other(cluster: Cluster) -> Iterator[Namespace]:
    with cluster.namespace() as found:
        yield found


def user_of(space: Namespace, *allowed_in: Namespace) -> str:
    """A user who may make DataVolumes in one namespace, and clone from some others."""
    name = f"user-{uuid.uuid4().hex[:8]}"
    space.kubectl("create", "role", "volumes", "--verb=create,get,list",
                  "--resource=datavolumes.cdi.kubevirt.io")  # fmt: skip
    space.kubectl("create", "rolebinding", name, "--role=volumes", f"--user={name}")
    for each in allowed_in:
        each.kubectl("create", "role", name, "--verb=create",
                     "--resource=datavolumes.cdi.kubevirt.io/source")  # fmt: skip
        each.kubectl("create", "rolebinding", name, f"--role={name}", f"--user={name}")
    return name


def test_who_may_clones_from_another_namespace(filled: Namespace, other: Namespace) -> None:
    user = user_of(other, filled)
    wanted = data_volume("clone", clone_of("src", filled.name))
    other.kubectl("create", "-f-", f"--as={user}", stdin=json.dumps(wanted))
    found = other.wait_phase("clone", Phase.SUCCEEDED)
    assert_same_disk(other, "clone", filled, "src")
    token = "cdi.kubevirt.io/storage.extended.clone.token"
    assert token in found["metadata"]["annotations"]
    filled.only("pvc", "src")
    filled.only("volumeclonesource")


def test_who_may_not_is_refused(filled: Namespace, other: Namespace) -> None:
    user = user_of(other)
    wanted = data_volume("clone", clone_of("src", filled.name))
    with pytest.raises(Refused, match="insufficient permissions in clone source namespace"):
        other.kubectl("create", "-f-", f"--as={user}", stdin=json.dumps(wanted))
    assert other.names("dv") == set()


def test_a_data_source_leads_to_what_is_cloned(filled: Namespace, other: Namespace) -> None:
    golden = {
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataSource",
        "metadata": {"name": "golden"},
        "spec": {"source": {"pvc": {"namespace": filled.name, "name": "src"}}},
    }  # fmt: skip
    filled.apply(golden)
    wanted = data_volume("clone", {})
    del wanted["spec"]["source"]
    reference = {"kind": "DataSource", "name": "golden", "namespace": filled.name}
    wanted["spec"]["sourceRef"] = reference
    user = user_of(other, filled)
    filled.kubectl(
        "create", "role", "reads", "--verb=get", "--resource=datasources.cdi.kubevirt.io"
    )
    other.kubectl("create", "-f-", f"--as={user}", stdin=json.dumps(wanted))
    other.wait_phase("clone", Phase.SUCCEEDED)
    assert_same_disk(other, "clone", filled, "src")


# To another node.


@pytest.fixture
def elsewhere(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A labelled local volume with a node affinity of its own: its class, and where it is.

    All clusters of these tests have one node, so that both ends are there; that the affinities
    differ is what controllers know of nodes.
    """
    name, place = f"moving-{uuid.uuid4().hex[:8]}", tmp_path / "volume"
    place.mkdir()
    for each in (tmp_path.parent.parent, tmp_path.parent, tmp_path, place):
        each.chmod(0o777)
    term = {"matchExpressions": [
        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}
    ]}  # fmt: skip
    storage_class = {
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
        "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "Immediate",
    }  # fmt: skip
    volume = {
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {"disk": name}},
        "spec": {
            "capacity": {"storage": "96Mi"}, "accessModes": ["ReadWriteOnce"],
            "storageClassName": name, "persistentVolumeReclaimPolicy": "Retain",
            "local": {"path": str(place)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        },
    }  # fmt: skip
    for each in (storage_class, volume):
        cluster.kubectl("apply", "-f-", stdin=json.dumps(each))
    yield name, place
    cluster.kubectl("delete", "--wait=false", f"storageclass/{name}", f"pv/{name}")


def moved(space: Namespace, name: str, size: str) -> dict:
    source = clone_of("src", space.name)
    selector = {"matchLabels": {"disk": name}}
    return data_volume(
        "moved", source, by="pvc", size=size, storageClassName=name, selector=selector
    )


def test_a_local_disk_moves_to_another_node(filled: Namespace, elsewhere: tuple[str, Path]) -> None:
    if isinstance(filled.cluster, Machine):
        pytest.skip("one machine does not resolve the names of Services, and copies beside")
    name, place = elsewhere
    filled.apply(moved(filled, name, "96Mi"))
    filled.wait_phase("moved", Phase.SUCCEEDED)
    assert filled.get("pvc", "moved")["spec"]["volumeName"] == name
    source = filled.claim_disk("src")
    if source is not None:
        assert disks.differs(place / "disk.img", source) == ""


def test_a_smaller_volume_elsewhere_is_refused_at_once(
    filled: Namespace, elsewhere: tuple[str, Path]
) -> None:
    name, place = elsewhere
    filled.apply(moved(filled, name, "32Mi"))
    filled.until_event("dv/moved", "CloneValidationFailed")
    filled.only("pvc", "src")
    assert list(place.iterdir()) == []


# In between.


def test_a_source_in_use_is_waited_for(filled: Namespace) -> None:
    filled.apply(consumer("user", "src"))
    filled.apply(data_volume("clone", clone_of("src", filled.name)))
    filled.until_event("pvc/clone", "CloneSourceInUse")
    filled.kubectl("delete", "pod", "user", "--grace-period=0", "--force")
    filled.wait_phase("clone", Phase.SUCCEEDED)


def test_a_class_that_waits_for_consumers_is_waited_for(filled: Namespace) -> None:
    source = clone_of("src", filled.name)
    late = data_volume("late", source, storageClassName=WAITING_CLASS)
    at_once = data_volume(
        "now", source, storageClassName=WAITING_CLASS, annotations={BIND_AT_ONCE: ""}
    )
    filled.apply(late, at_once)
    filled.wait_phase("now", Phase.SUCCEEDED)
    assert_same_disk(filled, "now", filled, "src")
    filled.wait_phase("late", filled.cluster.waiting_phase(WAITING_CLASS))
    filled.consume("late")
    filled.wait_phase("late", Phase.SUCCEEDED)


def test_a_clone_that_is_deleted_leaves_nothing(filled: Namespace) -> None:
    filled.apply(consumer("user", "src"))
    filled.apply(data_volume("clone", clone_of("src", filled.name)))
    filled.until_event("pvc/clone", "CloneSourceInUse")
    filled.kubectl("delete", "dv", "clone")
    filled.gone("dv/clone", "pvc/clone")
    filled.only("pvc", "src")
    filled.only("volumeclonesource")
