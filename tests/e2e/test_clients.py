"""Other clients than kubectl: the official Python one, and the commands of cdi itself."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator

import kubernetes
import pytest
from kubernetes import dynamic

from support.cluster import Cluster
from support.manifests import BLANK, WAITING_CLASS, data_volume

pytestmark = pytest.mark.e2e


@pytest.fixture
def api(cluster: Cluster) -> Iterator[dynamic.DynamicClient]:
    with kubernetes.config.new_client_from_config(str(cluster.kubeconfig)) as client:
        yield dynamic.DynamicClient(client)


def test_the_installation_is_there(cluster):
    get = cluster.kubectl
    config = json.loads(get("get", "cdiconfig", "config", "-ojson"))
    assert "HonorWaitForFirstConsumer" in config["spec"]["featureGates"]
    classes = get("get", "storageclass", "-ojsonpath={.items[*].metadata.name}").split()
    profiles = get("get", "storageprofile", "-ojsonpath={.items[*].metadata.name}").split()
    assert set(classes) == set(profiles)
    get("wait", "node", "--all", "--for=condition=Ready", "--timeout=60s")


def test_the_official_python_client_is_served(api, space):
    volumes = api.resources.get(api_version="cdi.kubevirt.io/v1beta1", kind="DataVolume")
    made = volumes.create(body=data_volume("py", BLANK), namespace=space.name)
    revision = made.metadata.resourceVersion
    phases = []
    for event in volumes.watch(namespace=space.name, resource_version=revision, timeout=60):
        phases.append(event["raw_object"].get("status", {}).get("phase"))
        if phases[-1] == "Succeeded":
            break
    assert phases[-1] == "Succeeded"
    assert [item.metadata.name for item in volumes.get(namespace=space.name).items] == ["py"]
    patch = {"metadata": {"labels": {"by": "patch"}}}
    kind = "application/merge-patch+json"
    volumes.patch(name="py", namespace=space.name, body=patch, content_type=kind)
    wanted = {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": "py", "labels": {"side": "server"}},
    }
    applied = volumes.server_side_apply(
        name="py", namespace=space.name, body=wanted, field_manager="test"
    )
    assert applied.metadata.labels.to_dict() == {"by": "patch", "side": "server"}
    core = kubernetes.client.CoreV1Api(api.client)
    claim = core.read_namespaced_persistent_volume_claim("py", space.name)
    assert claim.status.phase == "Bound"
    volumes.delete(name="py", namespace=space.name)


def test_cdi_status_lists_volumes(cluster, space):
    space.apply(data_volume("one", BLANK), data_volume("two", BLANK))
    for name in ("one", "two"):
        space.wait_phase(name, "Succeeded")
    lines = cluster.cdi("status", "-n", space.name).stdout.splitlines()
    assert lines[0].split() == ["NAMESPACE", "NAME", "PHASE", "PROGRESS", "RATE", "REASON"]
    assert [line.split()[1:4] for line in lines[1:]] == [
        ["one", "Succeeded", "100.0%"],
        ["two", "Succeeded", "100.0%"],
    ]
    everywhere = json.loads(cluster.cdi("status", "-A", "-ojson").stdout)
    assert {"one", "two"} <= {row["name"] for row in everywhere}


def test_cdi_status_follows_what_happens(cluster, space):
    with cluster.following("status", "--watch", "-n", space.name) as watch:
        watch.until(lambda lines: bool(lines) and lines[0].startswith("NAMESPACE"))
        space.apply(data_volume("disk", BLANK))
        rows = watch.until(lambda lines: "Succeeded" in lines[-1])
    assert all(row.split()[1] == "disk" for row in rows[1:])


def test_cdi_status_is_live_on_a_terminal(cluster, space):
    ours, theirs = pty.openpty()
    space.apply(data_volume("disk", BLANK))
    command = [sys.executable, "-m", "cdi", "status", "-n", space.name]
    with subprocess.Popen(command, stdout=theirs, env=cluster.environment()) as process:
        os.close(theirs)
        shown = b""
        # A terminal whose other end has been closed reads as an error.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65536):
                shown += piece
        assert process.wait(60) == 0
    os.close(ours)
    last = shown.decode().splitlines()[-1]
    assert last.split()[1:4] == ["disk", "Succeeded", "100.0%"]


def test_cdi_explain_says_what_a_volume_waits_for(cluster, space):
    space.apply(data_volume("disk", BLANK, storageClassName=WAITING_CLASS))
    space.wait("dv/disk", f"jsonpath={{.status.phase}}={cluster.waiting_phase(WAITING_CLASS)}")
    said = cluster.cdi("explain", "dv", "disk", "-n", space.name).stdout
    assert "a pod that uses claim disk" in said
    unknown = cluster.cdi("explain", "dv", "nobody", "-n", space.name)
    assert (unknown.returncode, "not found" in unknown.stderr) == (1, True)
