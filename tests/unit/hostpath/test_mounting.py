"""Pools on claims: what is made for each node, what is said, and how they go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from cdi.hostpath.operator import decide, kinds, validation
from cdi.hostpath.operator.decide import Seen
from cdi.hostpath.operator.inventory import claimed
from cdi.hostpath.operator.inventory.installed import Facts
from cdi.hostpath.operator.plan import Plan
from cdi.hostpath.operator.settings import Settings
from cdi.kube.installing.ref import Ref, ref_of
from cdi.kube.installing.steps import Create, Remove, Update

SETTINGS = Settings(
    namespace="hpp", version="v1.2.3", driver_image="cdi:1", provisioner_image="cdi:1"
)
TEMPLATE = {
    "accessModes": ["ReadWriteOnce"],
    "resources": {"requests": {"storage": "10Gi"}},
    "storageClassName": "disks",
}
SHARED = {**TEMPLATE, "accessModes": ["ReadWriteMany"]}
DRIVER = "hostpath-provisioner-csi"
POOL = "hpp-pool-fast-node1"
JOB = "cleanup-pool-fast-node1"


def provisioner(template: Any = TEMPLATE, **more: Any) -> Any:
    pool = {"name": "fast", "path": "/var/fast", "pvcTemplate": template, **more}
    return {
        "apiVersion": "hostpathprovisioner.kubevirt.io/v1beta1",
        "kind": "HostPathProvisioner",
        "metadata": {"name": "hpp", "uid": "hpp", "finalizers": [kinds.FINALIZER]},
        "spec": {"storagePools": [pool]},
    }


def node(name: str) -> Any:
    labels = {"kubernetes.io/hostname": f"host-{name}"}
    return {"kind": "Node", "metadata": {"name": name, "labels": labels}}


def pod_of_driver(on: str) -> Any:
    metadata = {"name": f"driver-{on}", "namespace": "hpp", "labels": {"name": DRIVER}}
    return {"kind": "Pod", "metadata": metadata, "spec": {"nodeName": on}}


class Cluster:
    """What there is; the tests play kubelet, scheduler and volume binder."""

    def __init__(self, obj: Any, *nodes: str) -> None:
        self.provisioner, self.there = obj, dict[Ref, Any]()
        self.put(*(node(each) for each in nodes), *(pod_of_driver(each) for each in nodes))

    def put(self, *objects: Any) -> None:
        self.there |= {ref_of(each): each for each in objects}

    def drop(self, kind: str, name: str, namespace: str = "hpp") -> None:
        del self.there[Ref(kind, namespace, name)]

    def get(self, kind: str, name: str, namespace: str = "hpp") -> Any:
        return self.there.get(Ref(kind, namespace, name))

    def all(self, kind: str) -> list[str]:
        return sorted(ref.name for ref in self.there if ref.kind == kind)

    def look(self) -> Plan:
        """Decide, without doing anything."""
        return decide.decide(
            Seen(
                provisioner=self.provisioner,
                settings=SETTINGS,
                current=self.there,
                facts=Facts(),
            )
        )

    def go_on(self) -> Plan:
        """Decide and do it, and have the pods of DaemonSets run."""
        plan = self.look()
        for step in plan.steps:
            match step:
                case Create(obj):
                    self.put(obj)
                case Update(wanted):
                    self.put(wanted)
                case Remove(seen):
                    del self.there[ref_of(seen)]
        for each in self.of("DaemonSet"):
            count = len(self.all("Node"))
            each["status"] = {
                "desiredNumberScheduled": count,
                "numberReady": count,
                "updatedNumberScheduled": count,
            }
        return plan

    def of(self, kind: str) -> Iterable[Any]:
        return [each for ref, each in self.there.items() if ref.kind == kind]

    def bind(self) -> None:
        for each in self.of("PersistentVolumeClaim"):
            each["status"] = {"phase": "Bound"}

    def mount(self) -> None:
        for each in self.of("Deployment"):
            each["status"] = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas"), 1)

    def run(self) -> None:
        """Until the pools are ready."""
        for _ in range(3):
            self.go_on()
            self.bind()
            self.mount()

    def delete(self) -> None:
        self.provisioner["metadata"]["deletionTimestamp"] = "x"


def test_every_node_of_the_driver_gets_a_claim_and_somebody_to_mount_it() -> None:
    cluster = Cluster(provisioner(), "node1", "node2")
    cluster.go_on()

    assert cluster.all("PersistentVolumeClaim") == ["hpp-pool-fast-node1", "hpp-pool-fast-node2"]
    assert cluster.all("Deployment") == ["hpp-pool-fast-node1", "hpp-pool-fast-node2"]
    claim, made = cluster.get("PersistentVolumeClaim", POOL), cluster.get("Deployment", POOL)
    assert claim["spec"] == TEMPLATE
    assert "ownerReferences" not in claim["metadata"]  # it outlives the installation
    assert made["metadata"]["ownerReferences"][0]["name"] == "hpp"
    pod = made["spec"]["template"]["spec"]
    assert "'host-node1'" in str(pod["affinity"])
    assert pod["volumes"][0]["hostPath"]["path"] == "/var/fast"
    assert pod["volumes"][1]["persistentVolumeClaim"] == {"claimName": POOL}
    assert (
        made["spec"]["selector"] != cluster.get("Deployment", POOL[:-1] + "2")["spec"]["selector"]
    )


def test_a_device_is_handed_over_as_one() -> None:
    cluster = Cluster(provisioner({**TEMPLATE, "volumeMode": "Block"}), "node1")
    cluster.go_on()
    container = cluster.get("Deployment", POOL)["spec"]["template"]["spec"]["containers"][0]

    assert container["volumeDevices"] == [{"name": "data", "devicePath": "/dev/data"}]
    assert "--source=/dev/data" in container["args"]


def test_the_pool_says_how_far_it_has_come() -> None:
    cluster = Cluster(provisioner(), "node1", "node2")
    cluster.go_on()
    unbound = cluster.look().status
    cluster.bind()
    cluster.get("Deployment", POOL)["status"] = {
        "replicas": 1, "readyReplicas": 1, "updatedReplicas": 1,
    }  # fmt: skip
    half = cluster.look().status
    cluster.mount()
    done = cluster.look()

    assert unbound is not None
    assert (unbound.degraded.reason, unbound.on_claims[0].phase) == (
        "StoragePoolNotReady",
        "Preparing",
    )
    assert POOL in unbound.degraded.message
    assert half is not None
    assert not half.available.holds
    (state,) = half.on_claims
    assert (state.phase, state.desired, state.current) == ("Mounting", 2, 1)
    assert done.status is not None
    assert done.status.available.holds
    assert done.steps == ()
    (state,) = done.status.on_claims
    assert (state.phase, state.desired, state.current) == ("Ready", 2, 2)
    assert state.claims[0] == (POOL, {"phase": "Bound"})


def test_a_shared_pool_has_one_claim_and_a_class() -> None:
    cluster = Cluster(provisioner(SHARED), "node1", "node2")
    cluster.run()
    made = cluster.get("StorageClass", "hpp-overlay", "")

    assert cluster.all("PersistentVolumeClaim") == ["hpp-pool-fast-shared"]
    assert len(cluster.all("Deployment")) == 2
    assert made["parameters"] == {"storagePool": "fast", "overlayCSI": "true"}
    assert made["volumeBindingMode"] == "Immediate"
    made["reclaimPolicy"] = "Retain"  # its administrator's
    assert cluster.look().steps == ()


def test_a_larger_template_makes_claims_larger_and_a_smaller_one_does_not() -> None:
    cluster = Cluster(provisioner(), "node1")
    cluster.run()
    template = cluster.provisioner["spec"]["storagePools"][0]["pvcTemplate"] = {**TEMPLATE}
    template["resources"] = {"requests": {"storage": "5Gi"}}
    assert cluster.look().steps == ()
    template["resources"] = {"requests": {"storage": "20Gi"}}
    cluster.go_on()

    claim = cluster.get("PersistentVolumeClaim", POOL)
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"


def test_no_node_loses_its_pool_while_the_drivers_pods_come_and_go() -> None:
    cluster = Cluster(provisioner(), "node1")
    cluster.run()
    cluster.get("Pod", "driver-node1")["metadata"]["deletionTimestamp"] = "x"
    for each in cluster.of("DaemonSet"):
        each["status"]["numberReady"] = 0

    assert cluster.look().steps == ()


def take_down(cluster: Cluster) -> list[str]:
    """Play along until nothing is left to do; return what was to be seen after each step."""
    seen = []
    for _ in range(8):
        plan = cluster.go_on()
        if not plan.steps:
            break
        found = cluster.get("Deployment", POOL)
        seen.append(f"replicas={found['spec']['replicas']}" if found else "gone")
        for job in cluster.of("Job"):
            seen.append("job")
            assert job["spec"]["template"]["spec"]["nodeName"] == "node1"
            assert job["spec"]["template"]["spec"]["containers"][0]["args"][-1] == "--unmount"
            job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    return seen


def test_a_node_that_leaves_the_driver_is_cleaned_up() -> None:
    cluster = Cluster(provisioner(), "node1", "node2")
    cluster.run()
    cluster.drop("Pod", "driver-node1")
    for each in cluster.of("DaemonSet"):
        each["status"] = dict.fromkeys(
            ("desiredNumberScheduled", "numberReady", "updatedNumberScheduled"), 1
        )

    assert cluster.look().steps
    first = cluster.look().steps[0]
    assert isinstance(first, Update)
    assert first.wanted["spec"]["replicas"] == 0
    assert take_down(cluster)[:3] == ["replicas=0", "replicas=0", "job"]
    assert cluster.all("Deployment") == ["hpp-pool-fast-node2"]
    assert cluster.all("Job") == []
    assert POOL in cluster.all("PersistentVolumeClaim")


def test_a_node_that_is_gone_has_nothing_to_clean_up() -> None:
    cluster = Cluster(provisioner(), "node1", "node2")
    cluster.run()
    cluster.drop("Pod", "driver-node1")
    cluster.drop("Node", "node1", "")
    cluster.go_on()

    assert cluster.all("Deployment") == ["hpp-pool-fast-node2"]
    assert cluster.all("Job") == []


@pytest.mark.parametrize(("removed", "other"), [("fast", "fas"), ("fast", "fast2")])
def test_a_pool_that_is_wanted_no_longer_goes_and_others_of_similar_names_stay(
    removed: str, other: str
) -> None:
    cluster = Cluster(provisioner(), "node1")
    kept = {"name": other, "path": "/var/other", "pvcTemplate": TEMPLATE}
    cluster.provisioner["spec"]["storagePools"].append(kept)
    cluster.run()
    cluster.provisioner["spec"]["storagePools"] = [kept]
    take_down(cluster)

    assert cluster.all("Deployment") == [f"hpp-pool-{other}-node1"]
    assert f"hpp-pool-{removed}-node1" in cluster.all("PersistentVolumeClaim")


def about(step: Any) -> Any:
    match step:
        case Create(obj) | Update(obj) | Remove(obj):
            return obj


def test_deletion_takes_the_driver_then_mounts_then_the_rest_and_leaves_claims() -> None:
    cluster = Cluster(provisioner(), "node1")
    cluster.run()
    cluster.delete()
    seen = []
    for _ in range(10):
        plan = cluster.go_on()
        if plan.finalizer is False:
            break
        seen += [f"{type(each).__name__} {about(each)['kind']}" for each in plan.steps]
        for job in cluster.of("Job"):
            job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}

    order = list(dict.fromkeys(seen))
    assert order[:5] == [
        "Remove DaemonSet",
        "Update Deployment",
        "Create Job",
        "Remove Deployment",
        "Remove Job",
    ]
    assert plan.finalizer is False
    assert cluster.all("PersistentVolumeClaim") == [POOL]
    assert cluster.all("ClusterRole") == cluster.all("CSIDriver") == []


def test_a_node_that_does_not_answer_holds_up_no_deletion() -> None:
    cluster = Cluster(provisioner(), "node1")
    cluster.run()
    cluster.delete()
    events = []
    for _ in range(10):
        plan = cluster.go_on()
        events += [each.reason for each in plan.events]
        if plan.finalizer is False:
            break
        for job in cluster.of("Job"):
            assert job["spec"]["activeDeadlineSeconds"]
            job["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}

    assert plan.finalizer is False
    assert events == ["CleanupFailed"]


def pod_of_mounter(**metadata: Any) -> Any:
    named = {"name": "mounter", "namespace": "hpp", "labels": {"name": POOL}, **metadata}
    return {"kind": "Pod", "metadata": named}


GOING = {"deletionTimestamp": "2030-01-01T00:00:00Z"}
SILENT = {"conditions": [{"type": "Ready", "status": "Unknown"}]}


@pytest.mark.parametrize(
    ("pod", "status", "waits"),
    [
        pytest.param({**pod_of_mounter(), "status": {"phase": "Running"}}, {}, True, id="runs"),
        pytest.param(pod_of_mounter(**GOING), {}, True, id="goes"),
        pytest.param({**pod_of_mounter(), "status": {"phase": "Failed"}}, {}, False, id="evicted"),
        pytest.param(pod_of_mounter(), SILENT, True, id="silent-for-a-moment"),
        pytest.param(pod_of_mounter(**GOING), SILENT, False, id="on-a-silent-node"),
    ],
)
def test_a_mount_is_taken_away_once_no_pod_brings_it_back(
    pod: Any, status: Any, waits: bool
) -> None:
    cluster = Cluster(provisioner(), "node1")
    cluster.run()
    cluster.put({**cluster.get("Node", "node1", ""), "status": status}, pod)
    cluster.delete()
    for _ in range(4):
        cluster.go_on()

    assert cluster.all("Job") == ([] if waits else [JOB])


def test_a_device_cannot_be_shared() -> None:
    problems = validation.problems(provisioner({**SHARED, "volumeMode": "Block"}))

    assert "share" in problems[0]


@pytest.mark.parametrize("pool", ["p", "p" * 50])
def test_names_fit_and_differ(pool: str) -> None:
    nodes = [f"{'n' * 200}{index}" for index in range(3)]
    found = {claimed.named("hpp-pool", pool, each) for each in nodes}

    assert len(found) == 3
    assert all(len(each) <= 63 for each in found)
