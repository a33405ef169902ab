"""The verbs of stock kubectl on our own kinds, and the official Python client beside it."""

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

from support.cluster import Cluster, Refused
from support.manifests import BLANK, RETAIN, WAITING_CLASS, data_volume

pytestmark = pytest.mark.e2e


@pytest.fixture
def api(cluster: Cluster) -> Iterator[dynamic.DynamicClient]:
    with kubernetes.config.new_client_from_config(str(cluster.kubeconfig)) as client:
        yield dynamic.DynamicClient(client)


def test_a_tour_of_kubectl(cluster, space):
    kubectl = space.kubectl
    for name in ("datavolumes", "storageprofiles", "cdiconfigs", "datasources"):
        assert name in cluster.kubectl("api-resources", "--api-group=cdi.kubevirt.io", "-oname")
    assert "http" in cluster.kubectl("explain", "datavolume.spec.source")
    side = ["apply", "--server-side", "-f-"]
    manifest = json.dumps(data_volume("disk", BLANK, annotations={RETAIN: "true"}))
    assert kubectl(*side, stdin=manifest) == "datavolume.cdi.kubevirt.io/disk serverside-applied\n"
    space.wait_phase("disk", "Succeeded")
    table = kubectl("get", "dv")
    assert table.split("\n")[0].split() == ["NAME", "PHASE", "PROGRESS", "RESTARTS", "AGE"]
    assert table.split("\n")[1].split()[:4] == ["disk", "Succeeded", "100.0%", "0"]
    assert "disk" in kubectl("get", "dv", "-A", "-owide")
    assert "ImportSucceeded" in kubectl("describe", "dv", "disk")
    assert "ImportSucceeded" in kubectl("events", "--for", "datavolume/disk")
    kubectl("label", "dv", "disk", "tier=gold")
    assert kubectl("get", "dv", "-l", "tier=gold", "-oname").endswith("/disk\n")
    kubectl("annotate", "dv", "disk", "note=x")
    kubectl("patch", "dv", "disk", "--type=merge", "-p", '{"metadata":{"labels":{"tier":null}}}')
    assert kubectl("get", "dv", "-l", "tier=gold", "-oname") == ""
    live = kubectl("get", "dv", "disk", "-ojson")
    kubectl("replace", "-f-", stdin=live)
    assert kubectl("auth", "can-i", "create", "datavolumes") == "yes\n"
    assert kubectl("logs", "importer-disk")
    kubectl("delete", "dv", "disk")
    space.gone("pvc/disk")


def test_a_tour_of_kubectl_on_plain_objects(space, tmp_path):
    kubectl = space.kubectl
    kubectl("create", "configmap", "c", "--from-literal=a=1")
    kubectl("create", "secret", "generic", "s", "--from-literal=user=me")
    kubectl("create", "serviceaccount", "robot")
    for number in range(3):
        kubectl("create", "configmap", f"more-{number}", "--from-literal=a=1")
    pages = kubectl("get", "cm", "--chunk-size=2", "-oname").split()
    assert {f"configmap/more-{number}" for number in range(3)} <= set(pages)
    assert "1" in kubectl("get", "cm", "c", "-ojsonpath={.data.a}")
    assert kubectl("get", "secret", "s", "-oyaml").count("user: bWU=") == 1
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nsed -i \'s/a: "1"/a: "2"/\' "$1"\n')
    script.chmod(0o755)
    kubectl("edit", "cm", "c", environment={"KUBE_EDITOR": str(script)})
    assert kubectl("get", "cm", "c", "-ojsonpath={.data.a}") == "2"
    pieces = '[{"op":"replace","path":"/data/a","value":"3"}]'
    kubectl("patch", "cm", "c", "--type=json", "-p", pieces)
    kubectl("patch", "cm", "c", "--type=strategic", "-p", '{"data":{"b":"4"}}')
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    wanted["data"] = {"a": "5"}
    with pytest.raises(Refused, match=r'\+  a: "5"'):
        kubectl("diff", "--server-side", "--force-conflicts", "-f-", stdin=json.dumps(wanted))
    with pytest.raises(Refused, match="conflict"):
        kubectl("apply", "--server-side", "-f-", stdin=json.dumps(wanted))
    with space.watch("cm", "{.metadata.name}={.data.a}") as watch:
        kubectl("apply", "--server-side", "--force-conflicts", "-f-", stdin=json.dumps(wanted))
        watch.until(lambda lines: "c=5" in lines)
    kubectl("wait", "cm/c", "--for=jsonpath={.data.a}=5", "--timeout=10s")
    kubectl("delete", "cm", "--all")
    assert kubectl("get", "cm", "-oname").strip() in ("", "configmap/kube-root-ca.crt")


def test_the_installation_is_there(cluster):
    get = cluster.kubectl
    config = json.loads(get("get", "cdiconfig", "config", "-ojson"))
    assert "HonorWaitForFirstConsumer" in config["spec"]["featureGates"]
    classes = get("get", "storageclass", "-ojsonpath={.items[*].metadata.name}").split()
    profiles = get("get", "storageprofile", "-ojsonpath={.items[*].metadata.name}").split()
    assert set(classes) == set(profiles)
    get("wait", "node", "--all", "--for=condition=Ready", "--timeout=30s")


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
    space.wait("dv/disk", "jsonpath={.status.phase}=PendingPopulation")
    said = cluster.cdi("explain", "dv", "disk", "-n", space.name).stdout
    assert "a pod that uses claim disk" in said
    unknown = cluster.cdi("explain", "dv", "nobody", "-n", space.name)
    assert (unknown.returncode, "not found" in unknown.stderr) == (1, True)
