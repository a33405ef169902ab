"""
The hostpath provisioner, by what `cdi hostpath manifests` prints, on nodes whose kubelets run pods.

CDI_TEST_HOSTPATH is a directory on the nodes that the tests may use; without it they are skipped.
CDI_TEST_IMAGE is the image, else that of CDI's operator; CDI_TEST_KUBELET is the kubelet's
directory where it is not the usual one. Nobody else may serve classes of the driver meanwhile.
Tests marked `legacy` are for clusters where nobody serves kubevirt.io/hostpath-provisioner either,
which CDI_TEST_HOSTPATH_LEGACY=1 says; pools on claims may have their disks from it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from support import manifests
from support.cluster import Cluster, Namespace, Object

ROOT = os.environ.get("CDI_TEST_HOSTPATH", "")
KUBELET = os.environ.get("CDI_TEST_KUBELET", "/var/lib/kubelet")
HOME = "hostpath-provisioner"
CSI, LEGACY = "kubevirt.io.hostpath-provisioner", "kubevirt.io/hostpath-provisioner"
PATIENCE = 180  # seconds: images may have to be unpacked, and claims to be mounted

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not ROOT, reason="CDI_TEST_HOSTPATH names no directory of nodes"),
]
legacy = pytest.mark.skipif(
    os.environ.get("CDI_TEST_HOSTPATH_LEGACY") != "1",
    reason="somebody else may serve kubevirt.io/hostpath-provisioner",
)


@dataclass
class Installed:
    """A cluster with the operator."""

    cluster: Cluster
    image: str

    @property
    def home(self) -> Namespace:
        return Namespace(self.cluster, HOME)

    @contextmanager
    def provisioner(self, **spec: Any) -> Iterator[None]:
        """Volumes, while the block runs."""
        made = {
            "apiVersion": "hostpathprovisioner.kubevirt.io/v1beta1",
            "kind": "HostPathProvisioner",
            "metadata": {"name": HOME},
            "spec": spec,
        }
        self.cluster.kubectl("apply", "-f-", stdin=json.dumps(made))
        try:
            self.home.wait(f"hostpathprovisioner/{HOME}", "condition=Available", PATIENCE)
            yield
        finally:
            limit = f"--timeout={PATIENCE}s"
            self.cluster.kubectl("delete", "hostpathprovisioner", HOME, limit, deadline=PATIENCE)

    def pools(self) -> list[Object]:
        path = "-ojsonpath={.status.storagePoolStatuses}"
        found: list[Object] = json.loads(
            self.cluster.kubectl("get", "hostpathprovisioner", HOME, path)
        )
        return found

    @contextmanager
    def storage_class(self, name: str, provisioner: str, **more: Any) -> Iterator[str]:
        made = {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {"name": name},
            "provisioner": provisioner,
            "volumeBindingMode": "WaitForFirstConsumer",
            **more,
        }
        self.cluster.kubectl("apply", "-f-", stdin=json.dumps(made))
        try:
            yield name
        finally:
            self.cluster.kubectl("delete", "storageclass", name)

    def run(self, space: Namespace, name: str, command: str, source: Object) -> str:
        """What a command says in a pod that sees a volume at /disk; and the pod is gone."""
        space.apply(self.pod(name, command, source))
        space.wait(f"pod/{name}", "jsonpath={.status.phase}=Succeeded", PATIENCE)
        said = space.kubectl("logs", name)
        space.kubectl("delete", "pod", name)
        return said.strip()

    def pod(self, name: str, command: str, source: Object) -> Object:
        container = {
            "name": "main",
            "image": self.image,
            "command": ["sh", "-ec", command],
            "volumeMounts": [{"name": "disk", "mountPath": "/disk"}],
        }
        if "hostPath" in source:
            container["securityContext"] = {"runAsUser": 0}
        spec = {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            "volumes": [{"name": "disk", **source}],
        }
        return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}

    def on_node(self, space: Namespace, command: str, path: str = "") -> str:
        """What a command says that sees the directory of the tests at /disk."""
        return self.run(space, "peek", command, {"hostPath": {"path": f"{ROOT}{path}"}})


def of(claim: str) -> Object:
    return {"persistentVolumeClaim": {"claimName": claim}}


def wanted(name: str, storage_class: str, **spec: Any) -> Object:
    return manifests.claim(name, {}, "16Mi", storageClassName=storage_class, **spec)


def volume_of(space: Namespace, claim: str) -> Object:
    name = space.get("pvc", claim)["spec"]["volumeName"]
    found: Object = json.loads(space.cluster.kubectl("get", "pv", name, "-ojson"))
    return found


def host_of(space: Namespace, pod: str) -> str:
    """The node of a pod, as the scheduler knows it."""
    node = space.kubectl("get", "pod", pod, "-ojsonpath={.spec.nodeName}")
    label = "-ojsonpath={.metadata.labels.kubernetes\\.io/hostname}"
    return space.cluster.kubectl("get", "node", node, label)


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Iterator[Installed]:
    path = "-ojsonpath={.spec.template.spec.containers[0].image}"
    image = os.environ.get("CDI_TEST_IMAGE") or cluster.kubectl(
        "-n", "cdi", "get", "deploy", "cdi-operator", path
    )
    options = ("--image", image, "--kubelet-dir", KUBELET)
    made = cluster.cdi("hostpath", "manifests", *options).stdout
    cluster.kubectl("apply", "--server-side", "-f-", stdin=made)
    try:
        found = Installed(cluster, image)
        found.home.wait("deploy/hostpath-provisioner-operator", "condition=Available", PATIENCE)
        yield found
    finally:
        cluster.kubectl("delete", "-f-", "--ignore-not-found", stdin=made, deadline=PATIENCE)


@legacy
def test_a_directory_of_a_node_gives_volumes_and_takes_them_back(
    installed: Installed, space: Namespace
) -> None:
    config = {"path": f"{ROOT}/legacy", "useNamingPrefix": True}
    with (
        installed.provisioner(pathConfig=config),
        installed.storage_class("e2e-delete", LEGACY) as fleeting,
        installed.storage_class("e2e-retain", LEGACY, reclaimPolicy="Retain") as lasting,
    ):
        space.apply(wanted("fleeting", fleeting), wanted("lasting", lasting))
        space.until_event("pvc/fleeting", "WaitForFirstConsumer")
        assert space.get("pvc", "fleeting")["status"]["phase"] == "Pending"
        volumes = {}
        for claim in ("fleeting", "lasting"):
            space.apply(installed.pod(claim, f"echo {claim} > /disk/told", of(claim)))
            space.wait(f"pod/{claim}", "jsonpath={.status.phase}=Succeeded", PATIENCE)
            volumes[claim] = volume = volume_of(space, claim)
            (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
            assert term["matchExpressions"][0]["values"] == [host_of(space, claim)]
            name = volume["metadata"]["name"]
            assert volume["spec"]["hostPath"]["path"] == f"{ROOT}/legacy/{claim}-{name}"
            assert installed.run(space, "reader", "cat /disk/told", of(claim)) == claim
        policies = [volumes[each]["spec"]["persistentVolumeReclaimPolicy"] for each in volumes]
        assert policies == ["Delete", "Retain"]

        space.kubectl("delete", "pod,pvc", "fleeting", "lasting")
        gone, kept = (volumes[each]["metadata"]["name"] for each in volumes)
        space.gone(f"pv/{gone}")
        space.wait(f"pv/{kept}", "jsonpath={.status.phase}=Released")
        assert installed.on_node(space, "ls /disk", "/legacy") == f"csi\nlasting-{kept}"
        assert installed.on_node(space, f"cat /disk/lasting-{kept}/told", "/legacy") == "lasting"
    # Volumes and directories are nobody's but their users'.
    assert installed.on_node(space, f"cat /disk/legacy/lasting-{kept}/told") == "lasting"
    installed.cluster.kubectl("delete", "pv", kept)
    installed.on_node(space, f"rm -r /disk/legacy/lasting-{kept}")


def test_a_change_from_a_directory_to_pools_takes_the_legacy_provisioner_away(
    installed: Installed, space: Namespace
) -> None:
    sets = "-ojsonpath={.items[*].metadata.name}"
    with installed.provisioner(pathConfig={"path": f"{ROOT}/legacy"}):
        found = installed.home.kubectl("get", "daemonset", sets).split()
        assert set(found) == {"hostpath-provisioner", "hostpath-provisioner-csi"}
        pools = [{"name": "local", "path": f"{ROOT}/legacy"}]
        patch = json.dumps({"spec": {"pathConfig": None, "storagePools": pools}})
        installed.cluster.kubectl("patch", "hostpathprovisioner", HOME, "--type=merge", "-p", patch)
        installed.home.gone("daemonset/hostpath-provisioner")
        named = "jsonpath={.status.storagePoolStatuses[*].name}=local"
        installed.home.wait(f"hostpathprovisioner/{HOME}", named, PATIENCE)


@pytest.mark.parametrize("mode", ["Filesystem", "Block"])
def test_a_pool_on_claims_keeps_its_volumes_when_the_provisioner_comes_back(
    installed: Installed, space: Namespace, mode: str
) -> None:
    name = mode.lower()
    template = {
        "storageClassName": manifests.USUAL_CLASS or installed.cluster.default_class(),
        "volumeMode": mode,
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "512Mi"}},
    }
    pool = {"name": name, "path": f"{ROOT}/{name}", "pvcTemplate": template}
    parameters = {"storagePool": name}
    with installed.storage_class(f"e2e-{name}", CSI, parameters=parameters) as storage_class:
        with installed.provisioner(storagePools=[pool]):
            (told,) = installed.pools()
            assert (told["name"], told["phase"]) == (name, "Ready")
            assert told["desiredReady"] == told["currentReady"] == len(told["claimStatuses"]) > 0
            space.apply(wanted("data", storage_class))
            installed.run(space, "writer", "echo hello > /disk/told", of("data"))
            volume = volume_of(space, "data")
            assert volume["spec"]["csi"]["driver"] == CSI

        kept = {each["name"] for each in told["claimStatuses"]}
        assert kept <= installed.home.names("pvc")
        assert installed.home.names("deploy") == {"hostpath-provisioner-operator"}
        assert installed.on_node(space, f"ls /disk/{name}/csi") == ""  # nothing is mounted there

        with installed.provisioner(storagePools=[pool]):
            assert installed.run(space, "reader", "cat /disk/told", of("data")) == "hello"
            space.kubectl("delete", "pvc", "data")
            space.gone(f"pv/{volume['metadata']['name']}")
        installed.home.kubectl("delete", "pvc", *kept)


def test_disks_are_imported_into_a_pool_and_cloned_by_the_driver(
    installed: Installed, space: Namespace, server: Any, images: Any
) -> None:
    cluster, parameters = installed.cluster, {"storagePool": "local"}
    url, size = server.put("/disk", images.blob("qcow2")), images.raw.stat().st_size
    with (
        installed.provisioner(storagePools=[{"name": "local", "path": f"{ROOT}/local"}]),
        installed.storage_class("e2e-local", CSI, parameters=parameters) as storage_class,
    ):
        strategy = '{"spec": {"cloneStrategy": "csi-clone"}}'
        space.wait(f"storageprofile/{storage_class}", "create")
        cluster.kubectl("patch", "storageprofile", storage_class, "--type=merge", "-p", strategy)
        bound = {manifests.BIND_AT_ONCE: "true"}
        of_class = {"storageClassName": storage_class}
        source = manifests.http(url)
        space.apply(manifests.data_volume("source", source, annotations=bound, **of_class))
        space.wait_phase("source", "Succeeded", seconds=PATIENCE)
        clone = {"pvc": {"namespace": space.name, "name": "source"}}
        space.apply(manifests.data_volume("clone", clone, annotations=bound, **of_class))
        space.wait_phase("clone", "Succeeded", seconds=PATIENCE)
        used = space.get("pvc", "clone")["metadata"]["annotations"]["cdi.kubevirt.io/cloneType"]
        assert used == "csi-clone"
        command = f"head -c {size} /disk/disk.img | sha256sum; sha256sum < /disk/disk.img"
        sums = [installed.run(space, "reader", command, of(each)) for each in ("source", "clone")]
        assert sums[0] == sums[1]
        assert sums[0].startswith(hashlib.sha256(images.raw.read_bytes()).hexdigest())
        volumes = [volume_of(space, each)["metadata"]["name"] for each in ("source", "clone")]
        space.kubectl("delete", "dv", "source", "clone")
        space.gone(*(f"pv/{each}" for each in volumes))
