"""
An installation of ours, handed back to another operator while transfers are under way.

CDI_TEST_KUBECONFIG names the cluster and CDI_TEST_IMAGE the image of CDI that its nodes have; see
test_operator, whose rules hold here, too. The other operator and its controllers are played by
`support.returning`: they go by what the API says, and know nothing that is only ours. Our workers,
our webhooks and our upload proxy are real, and go on until their successors are there.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import another, httpd, returning
from support.cluster import Cluster as Users
from support.cluster import Namespace
from support.operated import LONG, NAMESPACE, NEW, Cluster
from support.senders import Sender

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not (os.environ.get("CDI_TEST_KUBECONFIG") and os.environ.get("CDI_TEST_IMAGE")),
        reason="needs a cluster that runs pods: CDI_TEST_KUBECONFIG and CDI_TEST_IMAGE",
    ),
    pytest.mark.xdist_group("operator"),
]

Object = dict[str, Any]
HOST = os.environ.get("CDI_TEST_HOST", "127.0.0.1")
SPACE, ELSEWHERE = "handed-back", "handed-back-source"
MIB = 1 << 20
DISK = random.Random(11).randbytes(8 * MIB)
WAYS = {"direct": "false", "populated": "true"}
IMPORTS = [f"import-{way}" for way in WAYS]
UPLOADS = [f"upload-{way}" for way in WAYS]
CLONE = "clone-direct"
ALL = [*IMPORTS, *UPLOADS, CLONE]
CRON = {
    "apiVersion": "cdi.kubevirt.io/v1beta1",
    "kind": "DataImportCron",
    "metadata": {"name": "cron", "namespace": SPACE},
    "spec": {
        "schedule": "0 0 1 1 *",
        "managedDataSource": "image",
        "retentionPolicy": "None",
        "template": {
            "spec": {
                "source": {"registry": {"url": "docker://registry.invalid/image"}},
                "storage": {"resources": {"requests": {"storage": "64Mi"}}},
            }
        },
    },
}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Installed by kustomize: no other test does so."""
    found = Cluster(os.environ["CDI_TEST_KUBECONFIG"], os.environ["CDI_TEST_IMAGE"])
    if "cdis.cdi.kubevirt.io" in found.kubectl("get", "crd", "-o", "name"):
        pytest.skip("this cluster has CDI already; the test would take it away")
    kustomized(found, tmp_path)
    for name in (SPACE, ELSEWHERE):
        found.kubectl("create", "namespace", name)
    yield found
    if "cdis.cdi.kubevirt.io" in found.kubectl("get", "crd", "-o", "name"):
        found.apply(found.manifests("operator"))
        found.remove()
    for name in (SPACE, ELSEWHERE):
        found.kubectl("delete", "namespace", name, "--ignore-not-found", f"--timeout={LONG}s")
    found.kubectl("delete", "-f", "-", "--ignore-not-found", stdin=found.manifests("operator"))


def kustomized(cluster: Cluster, folder: Path) -> None:
    command = [sys.executable, "-m", "cdi", "manifests", "--image", cluster.image]
    wrapped = ["--format", "kustomize", "--version", NEW, "-o", str(folder)]
    subprocess.run([*command, *wrapped], check=True)
    cluster.kubectl("apply", "-k", str(folder / "operator"))
    cluster.kubectl("apply", "-k", str(folder / "cdi"))
    cluster.wait("cdi/cdi", "condition=Available")


@dataclass
class Gated:
    """A disk that is not given out before the gate is opened."""

    blob: httpd.Blob
    gate: threading.Event

    def __call__(self, request: httpd.Request) -> httpd.Reply:
        self.gate.wait(LONG)
        return self.blob(request)


def volume(name: str, source: Object, namespace: str = SPACE) -> str:
    way = WAYS.get(name.rpartition("-")[2], "false")
    return json.dumps(
        {
            "apiVersion": "cdi.kubevirt.io/v1beta1",
            "kind": "DataVolume",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "annotations": {"cdi.kubevirt.io/storage.usePopulator": way},
            },
            "spec": {
                "source": source,
                "pvc": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "64Mi"}},
                },
            },
        }
    )


def phase_is(cluster: Cluster, name: str, phase: str, namespace: str = SPACE) -> None:
    cluster.wait(f"datavolume/{name}", f"jsonpath={{.status.phase}}={phase}", "-n", namespace)


def begin(cluster: Cluster, server: httpd.Server, gate: threading.Event) -> None:
    """Everything is on its way, and the clone has both of its pods."""
    plain = server.put("/plain.img", httpd.Blob(DISK))
    gated = server.put("/disk.img", Gated(httpd.Blob(DISK), gate))
    cluster.apply(volume("source", {"http": {"url": plain}}, ELSEWHERE))
    cluster.apply(json.dumps(CRON))
    for name in IMPORTS:
        cluster.apply(volume(name, {"http": {"url": gated}}))
    for name in UPLOADS:
        cluster.apply(volume(name, {"upload": {}}))
    phase_is(cluster, "source", "Succeeded", ELSEWHERE)
    for name in IMPORTS:
        phase_is(cluster, name, "ImportInProgress")
    for name in UPLOADS:
        phase_is(cluster, name, "UploadReady")
    clone = {"pvc": {"namespace": ELSEWHERE, "name": "source"}}
    cluster.apply(volume(CLONE, clone))
    cluster.wait(f"pvc/{CLONE}", "create", "-n", SPACE)
    uid = cluster.get("pvc", CLONE, "-n", SPACE)["metadata"]["uid"]
    cluster.wait(f"pod/{uid}-source-pod", "create", "-n", ELSEWHERE)


def stop_ours(cluster: Cluster) -> None:
    """Another operator's Deployment takes the place of ours, whose controllers go."""
    container = [{"name": "cdi-operator", "image": another.IMAGE, "command": None}]
    patch = {"spec": {"replicas": 0, "template": {"spec": {"containers": container}}}}
    name = ("deployment", "cdi-operator", "-n", NAMESPACE)
    cluster.kubectl("patch", *name, "-p", json.dumps(patch))
    pods = ("pod", "-n", NAMESPACE, f"--timeout={LONG}s", "--for=delete", "-l")
    cluster.kubectl("wait", *pods, "cdi.kubevirt.io=cdi-operator")
    cluster.kubectl("scale", "deployment", "cdi-deployment", "-n", NAMESPACE, "--replicas=0")
    cluster.kubectl("wait", *pods, "cdi.kubevirt.io=cdi-deployment")


def understood(cluster: Cluster) -> None:
    """What the other operator looks at before it changes anything."""
    cdi = cluster.get("cdi", "cdi")
    assert cdi["metadata"]["finalizers"] == ["operator.cdi.kubevirt.io"]
    assert cdi["status"]["observedVersion"] == NEW
    assert cdi["status"]["phase"] == "Deployed"
    assert set(cluster.conditions()) == {"Available", "Progressing", "Degraded"}
    for each in cluster.get("crd", "-l", returning.CREATED)["items"]:
        stored = [x["name"] for x in each["spec"]["versions"] if x["storage"]]
        assert stored == each["status"]["storedVersions"] == ["v1beta1"], each["metadata"]["name"]
    kinds = "datavolumes,dataimportcrons,datasources,persistentvolumeclaims,pods,services"
    for each in cluster.get(kinds, "-A")["items"]:
        assert not returning.strangers(each), each["metadata"]["name"]


def upgrade(cluster: Cluster) -> None:
    """What the other operator does: everything as it wants it, and no more than that."""
    cdi = cluster.get("cdi", "cdi")
    bundle = cluster.get("configmap", "cdi-apiserver-signer-bundle", "-n", NAMESPACE)
    authority = bundle["data"]["ca-bundle.crt"]
    wanted = another.installation(cdi, NAMESPACE, monitoring=False, authority=authority)
    left = {name for _, _, name, _ in another.LEFTOVERS}
    wanted = [each for each in wanted if each["metadata"]["name"] not in left]
    names = {(each["kind"], each["metadata"]["name"]) for each in wanted}
    for each in returning.managed(cluster, NAMESPACE, cdi):
        assert not each["metadata"].get("finalizers") or each["kind"] == "APIService"
        assert (each["kind"], each["metadata"]["name"]) in names
    for each in wanted:
        if each["metadata"]["name"] == "cdi-deployment" and each["kind"] == "Deployment":
            each["spec"]["replicas"] = 0  # they are played here
        returning.apply(cluster, each)
    for each in cluster.get("deployments", "-n", NAMESPACE)["items"]:
        (container,) = each["spec"]["template"]["spec"]["containers"]
        assert container["image"] == another.IMAGE
        assert "command" not in container, each["metadata"]["name"]


def uids(cluster: Cluster) -> dict[tuple[str, str], str]:
    found = [
        each
        for each in cluster.get("datavolumes,persistentvolumeclaims", "-n", SPACE)["items"]
        if each["metadata"]["name"] in ALL
    ]
    return {(x["kind"], x["metadata"]["name"]): x["metadata"]["uid"] for x in found}


def digest_of(cluster: Cluster, claim: str) -> str:
    """Of the first bytes of a disk, as many as were sent."""
    script = f"head -c {len(DISK)} /data/disk.img | sha256sum > /dev/termination-log"
    container = {
        "name": "reader",
        "image": cluster.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-ec", script],
        "volumeMounts": [{"name": "disk", "mountPath": "/data"}],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"reads-{claim}", "namespace": SPACE},
        "spec": {
            "restartPolicy": "Never",
            "containers": [container],
            "volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": claim}}],
        },
    }
    cluster.apply(json.dumps(pod))
    name = f"pod/reads-{claim}"
    cluster.wait(name, "jsonpath={.status.phase}=Succeeded", "-n", SPACE)
    path = "jsonpath={.status.containerStatuses[0].state.terminated.message}"
    return cluster.kubectl("get", name, "-n", SPACE, "-o", path).split()[0]


def remove(cluster: Cluster) -> None:
    """As the other operator removes an installation: it knows its own finalizer."""
    cluster.kubectl("delete", "cdi", "cdi", "--wait=false")
    cluster.kubectl("delete", "deployment", "cdi-deployment", "-n", NAMESPACE)
    nobody = json.dumps({"metadata": {"finalizers": None}})
    cluster.kubectl("patch", "cdi", "cdi", "--type=merge", "-p", nobody)
    cluster.wait("cdi/cdi", "delete")
    for kind in ("datavolumes", "dataimportcrons", "objecttransfers", "volumeimportsources"):
        cluster.wait(f"crd/{kind}.cdi.kubevirt.io", "delete")


def test_the_other_operator_knows_what_it_finds_and_finishes_it(cluster: Cluster) -> None:
    gate = threading.Event()
    space = Namespace(Users(Path(cluster.kubeconfig), HOST), SPACE)
    played = returning.Controllers(cluster, SPACE)
    half = len(DISK) // 2
    with httpd.Server(host=HOST, bind=HOST) as server:
        begin(cluster, server, gate)
        uploads = {name: Sender.to(space, name).begin(DISK[:half], len(DISK)) for name in UPLOADS}
        stop_ours(cluster)
        before = uids(cluster)
        understood(cluster)
        upgrade(cluster)
        gate.set()
        for name in IMPORTS:
            assert played.finish_import(name) == returning.FILLED
    for name, connection in uploads.items():
        assert connection is not None
        connection.sendall(DISK[half:])
        assert b" 200 " in connection.recv(1 << 16)
        connection.close()
        assert played.finish_upload(name) == returning.FILLED
    assert played.finish_copy(CLONE) == returning.FILLED
    assert uids(cluster) == before
    for name in ALL:
        phase_is(cluster, name, "Succeeded")
        assert digest_of(cluster, name) == hashlib.sha256(DISK).hexdigest(), name
    understood(cluster)
    remove(cluster)
    for name in (SPACE, ELSEWHERE):
        cluster.kubectl("delete", "namespace", name, f"--timeout={LONG}s")
