"""
Our operator in place of another one, on a cluster that runs pods: nothing is lost, all is finished.

CDI_TEST_KUBECONFIG names the cluster and CDI_TEST_IMAGE the image of CDI that its nodes have; see
test_operator, whose rules hold here, too. What another operator would have left is put there as it
leaves it, with workers in every state; its programs are played by a shell.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest

from support import another, httpd
from support.operated import LONG, NAMESPACE, NEW, Cluster

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
SPACE = "taken-over"
MIB = 1 << 20
SAYS = json.dumps({"scratchSpaceRequired": False, "message": "Import Complete"})
FILLED = "head -c 1048576 /dev/zero > /data/disk.img; "
TELLS = f"echo '{SAYS}' > /dev/termination-log"
# Names of DataVolumes, and what the importer of the other operator does in each.
SCRIPTS = {
    "finished": FILLED + TELLS,
    "running": f"while [ ! -e /data/go ]; do sleep 1; done; rm /data/go; {FILLED}{TELLS}",
}
PREFIX = "cdi.kubevirt.io/storage."


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    found = Cluster(os.environ["CDI_TEST_KUBECONFIG"], os.environ["CDI_TEST_IMAGE"])
    if "cdis.cdi.kubevirt.io" in found.kubectl("get", "crd", "-o", "name"):
        pytest.skip("this cluster has CDI already; the test would take it away")
    yield found
    found.kubectl("delete", "namespace", SPACE, "--ignore-not-found", f"--timeout={LONG}s")
    found.remove()
    found.kubectl("delete", "-f", "-", "--ignore-not-found", stdin=found.manifests("operator"))


def put(cluster: Cluster, *found: Object) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(found)})
    cluster.kubectl("create", "-f", "-", stdin=text)


def occupy(cluster: Cluster, url: str) -> None:
    """The cluster as another operator leaves it."""
    manifest = cluster.manifests("operator")
    first = [each for each in manifest.split("\n---\n") if "kind: Deployment" not in each]
    cluster.apply("\n---\n".join(first))
    cluster.wait("crd/cdis.cdi.kubevirt.io", "condition=Established")
    put(cluster, another.cdi_object())
    cdi = cluster.get("cdi", "cdi")
    made = another.installation(cdi, NAMESPACE, monitoring=False)
    definitions = [each for each in made if each["kind"] == "CustomResourceDefinition"]
    put(cluster, *definitions)
    cluster.wait("crd/datavolumes.cdi.kubevirt.io", "condition=Established")
    cluster.apply(
        json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    )
    for name in ("done", *SCRIPTS, "image-gone"):
        put_volume(cluster, name, url)
    put(cluster, *(each for each in made if each not in definitions))


def put_volume(cluster: Cluster, name: str, url: str) -> None:
    """A DataVolume with its claim and, unless it is done, its importer."""
    done = name == "done"
    phase = "Succeeded" if done else "ImportInProgress"
    put(cluster, volume(name, url))
    status = json.dumps({"status": {"phase": phase, "claimName": name, "progress": "N/A"}})
    patch = ("patch", "datavolume", name, "-n", SPACE, "--type=merge", "-p", status)
    if "not found" in cluster.kubectl(*patch, "--subresource=status", check=False):
        cluster.kubectl(*patch)
    owner = cluster.get("datavolume", name, "-n", SPACE)
    put(cluster, claim(owner, url, "Succeeded" if done else "Pending"))
    cluster.wait(f"pvc/{name}", "jsonpath={.status.phase}=Bound", "-n", SPACE)
    if not done:
        bound = cluster.get("pvc", name, "-n", SPACE)
        put(cluster, importer(bound, url, cluster.image, SCRIPTS.get(name, "")))


def volume(name: str, url: str) -> Object:
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": name, "namespace": SPACE},
        "spec": {
            "source": {"http": {"url": url}},
            "pvc": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "64Mi"}},
            },
        },
    }


def owned_by(owner: Object) -> list[Object]:
    return [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ]


def claim(owner: Object, url: str, phase: str) -> Object:
    name = owner["metadata"]["name"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": name,
            "namespace": SPACE,
            "labels": {
                "app": "containerized-data-importer",
                "app.kubernetes.io/component": "storage",
                "app.kubernetes.io/managed-by": "cdi-controller",
            },
            "annotations": {
                f"{PREFIX}import.source": "http",
                f"{PREFIX}import.endpoint": url,
                f"{PREFIX}import.importPodName": f"importer-{name}",
                f"{PREFIX}contentType": "kubevirt",
                f"{PREFIX}pod.phase": phase,
                f"{PREFIX}pod.restarts": "0",
                f"{PREFIX}preallocation.requested": "false",
            },
            "ownerReferences": owned_by(owner),
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "64Mi"}},
        },
    }


def importer(bound: Object, url: str, image: str, script: str) -> Object:
    """The other operator's importer: with a script played by a shell, without one never."""
    name = bound["metadata"]["name"]
    container: Object = {
        "name": "importer",
        "image": image if script else another.IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-v=1"],
        "env": [
            {"name": "IMPORTER_SOURCE", "value": "http"},
            {"name": "IMPORTER_ENDPOINT", "value": url},
            {"name": "IMPORTER_IMAGE_SIZE", "value": "64Mi"},
            {"name": "OWNER_UID", "value": bound["metadata"]["uid"]},
        ],
        "ports": [{"name": "metrics", "containerPort": 8443, "protocol": "TCP"}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": 107,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "cdi-data-vol", "mountPath": "/data"}],
    }
    if script:
        container |= {"command": ["sh", "-ec"], "args": [script]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"importer-{name}",
            "namespace": SPACE,
            "labels": {
                "app": "containerized-data-importer",
                "cdi.kubevirt.io": "importer",
                "prometheus.cdi.kubevirt.io": "true",
            },
            "annotations": {f"{PREFIX}createdByController": "yes"},
            "ownerReferences": owned_by(bound),
        },
        "spec": {
            "restartPolicy": "OnFailure",
            "enableServiceLinks": False,
            "securityContext": {"fsGroup": 107},
            "containers": [container],
            "volumes": [{"name": "cdi-data-vol", "persistentVolumeClaim": {"claimName": name}}],
        },
    }


def phase_is(cluster: Cluster, name: str, phase: str) -> None:
    cluster.wait(f"datavolume/{name}", f"jsonpath={{.status.phase}}={phase}", "-n", SPACE)


def uids(cluster: Cluster) -> dict[tuple[str, str], str]:
    found = cluster.get("datavolumes,persistentvolumeclaims", "-n", SPACE)["items"]
    return {(x["kind"], x["metadata"]["name"]): x["metadata"]["uid"] for x in found}


def test_everything_is_adopted_and_finished(cluster: Cluster) -> None:
    with httpd.Server(host=HOST, bind=HOST) as server:
        url = server.put("/disk.img", httpd.Blob(b"\x07" * MIB))
        occupy(cluster, url)
        cluster.wait("pod/importer-finished", "jsonpath={.status.phase}=Succeeded", "-n", SPACE)
        cluster.wait("pod/importer-running", "condition=Ready", "-n", SPACE)
        before, cdi = uids(cluster), cluster.get("cdi", "cdi")
        cluster.apply(cluster.manifests("operator"))
        cluster.wait("cdi/cdi", f"jsonpath={{.status.observedVersion}}={NEW}")
        cluster.wait("cdi/cdi", "jsonpath={.status.phase}=Deployed")
        after = cluster.get("cdi", "cdi")
        assert after["metadata"]["uid"] == cdi["metadata"]["uid"]
        assert after["spec"] == cdi["spec"]
        for name in ("done", "finished", "image-gone"):
            phase_is(cluster, name, "Succeeded")
        phase_is(cluster, "running", "ImportInProgress")
        cluster.kubectl("exec", "-n", SPACE, "importer-running", "--", "touch", "/data/go")
        phase_is(cluster, "running", "Succeeded")
        assert uids(cluster) == before
        # Only the one whose image was gone has been fetched: by ours.
        assert {each.target for each in server.requests} == {"/disk.img"}
    for name in (*SCRIPTS, "image-gone"):
        cluster.wait(f"pod/importer-{name}", "delete", "-n", SPACE)
    for _, kind, name, namespaced in another.LEFTOVERS:
        where = ("-n", NAMESPACE) if namespaced else ()
        cluster.wait(f"{kind}/{name}", "delete", *where)
    cluster.wait("cdi/cdi", "condition=Degraded=False")
    assert cluster.conditions() == {
        "Available": "True",
        "Progressing": "False",
        "Degraded": "False",
    }
