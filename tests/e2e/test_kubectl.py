"""A scripted tour of stock kubectl: every verb that people use, on our kinds and on plain ones."""

import json
import subprocess

import pytest

from support import apiserver, httpd
from support.cluster import Refused
from support.manifests import BLANK, RETAIN, data_volume, http

pytestmark = pytest.mark.e2e


def test_a_tour_with_a_volume(cluster, space):
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


def test_a_tour_with_plain_objects(space, tmp_path):
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
    kubectl("wait", "cm/c", "--for=jsonpath={.data.a}=5", "--timeout=60s")
    kubectl("delete", "cm", "--all")
    left = set(kubectl("get", "cm", "-oname").split())
    assert not [each for each in left if not each.endswith("-ca.crt")]  # a cluster makes those anew


def config_map(name="c", **more):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **more}}


def test_what_is_served_is_told(cluster, space):
    kubectl = space.kubectl
    assert "Server Version: v1." in kubectl("version")
    assert {"v1", "cdi.kubevirt.io/v1beta1"} <= set(kubectl("api-versions").split())
    assert kubectl("auth", "can-i", "create", "namespaces").strip() == "yes"
    assert kubectl("get", "namespace", space.name, "-oname") == f"namespace/{space.name}\n"
    assert "preallocation" in kubectl("explain", "dv.spec", "--recursive")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("configmap", "made", "--from-literal=a=1"), id="configmap"),
        pytest.param(("secret", "generic", "made", "--from-literal=a=1"), id="secret"),
        pytest.param(("serviceaccount", "made"), id="serviceaccount"),
        pytest.param(("role", "made", "--verb=get", "--resource=datavolumes"), id="role"),
    ],
)
def test_things_are_created_by_name(space, words):
    space.kubectl("create", *words)
    assert space.kubectl("get", words[0], "made", "-oname").strip().endswith("/made")
    with pytest.raises(Refused, match="already exists"):
        space.kubectl("create", *words)


def test_a_namespace_is_created_and_deleted(cluster):
    with cluster.namespace() as made:
        made.kubectl("create", "configmap", "c")
        cluster.kubectl("delete", "namespace", made.name, "--timeout=60s")
        with pytest.raises(Refused, match="not found"):
            made.kubectl("create", "configmap", "c")
        cluster.kubectl("create", "namespace", made.name)


def test_a_file_is_created_once(space, tmp_path):
    file = tmp_path / "volume.json"
    file.write_text(json.dumps(data_volume("disk", BLANK)))
    assert space.kubectl("create", "-f", str(file)) == "datavolume.cdi.kubevirt.io/disk created\n"
    with pytest.raises(Refused, match="AlreadyExists"):
        space.kubectl("create", "-f", str(file))
    space.kubectl("delete", "-f", str(file))
    assert space.names("dv") == set()


def test_each_field_has_its_manager(space):
    """Client-side apply, server-side apply by two managers, a conflict, and who owns what."""
    kubectl = space.kubectl
    manifest = data_volume("disk", BLANK)
    assert space.apply(manifest) == "datavolume.cdi.kubevirt.io/disk created\n"
    assert space.apply(manifest) == "datavolume.cdi.kubevirt.io/disk unchanged\n"
    manifest["metadata"]["labels"] = {"tier": "gold"}
    assert space.apply(manifest) == "datavolume.cdi.kubevirt.io/disk configured\n"
    other = {key: manifest[key] for key in ("apiVersion", "kind")}
    other["metadata"] = {"name": "disk", "labels": {"tier": "silver"}}
    side = ("apply", "--server-side", "--field-manager=other", "-f-")
    with pytest.raises(Refused, match=r"conflict with .*kubectl-client-side-apply.*: .metadata"):
        kubectl(*side, stdin=json.dumps(other))
    kubectl(*side, "--force-conflicts", stdin=json.dumps(other))
    shown = json.loads(kubectl("get", "dv", "disk", "-ojson", "--show-managed-fields"))
    owners = {
        entry["manager"]
        for entry in shown["metadata"]["managedFields"]
        if "f:tier" in entry["fieldsV1"].get("f:metadata", {}).get("f:labels", {})
    }
    assert owners == {"other"}
    assert shown["metadata"]["labels"] == {"tier": "silver"}


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        pytest.param("merge", '{"metadata":{"labels":{"a":"b"}}}', id="merge"),
        pytest.param(
            "json", '[{"op":"add","path":"/metadata/labels","value":{"a":"b"}}]', id="json"
        ),
        pytest.param("strategic", '{"metadata":{"labels":{"a":"b"}}}', id="strategic"),
    ],
)
def test_three_kinds_of_patches(space, kind, patch):
    space.kubectl("create", "-f-", stdin=json.dumps(config_map()))
    space.kubectl("patch", "cm", "c", f"--type={kind}", "-p", patch)
    assert space.kubectl("get", "cm", "-la=b", "-oname") == "configmap/c\n"


def test_an_editor_changes_a_volume(space, tmp_path):
    script = tmp_path / "editor"
    script.write_text("#!/bin/sh\nsed -i 's/^  name: disk$/&\\n  labels: {by: hand}/' \"$1\"\n")
    script.chmod(0o755)
    space.apply(data_volume("disk", BLANK))
    space.kubectl("edit", "dv", "disk", environment={"KUBE_EDITOR": str(script)})
    assert space.kubectl("get", "dv", "-lby=hand", "-oname").endswith("/disk\n")


def test_a_log_is_followed_to_its_end(space, server, images):
    blob = images.blob("raw")
    blob.twist = httpd.changed(rate=4 << 20)
    retained = {RETAIN: "true"}
    space.apply(data_volume("disk", http(server.put("/disk", blob)), annotations=retained))
    space.wait("dv/disk", "jsonpath={.status.phase}=ImportInProgress")
    command = [apiserver.kubectl(), "-n", space.name, "logs", "-f", "importer-disk"]
    followed = subprocess.run(
        command, capture_output=True, text=True, timeout=90, env=space.cluster.environment()
    )
    assert (followed.returncode, "Import Complete" in followed.stdout) == (0, True)


def test_a_table_is_watched(space):
    command = ("get", "dv", "-w", "--no-headers")
    with space.following(*command) as watch:
        space.apply(data_volume("disk", BLANK))
        lines = watch.until(lambda lines: bool(lines) and "Succeeded" in lines[-1])
    assert {line.split()[0] for line in lines} == {"disk"}


def test_a_finalizer_holds_what_is_deleted(space):
    kubectl = space.kubectl
    kubectl("create", "-f-", stdin=json.dumps(config_map(finalizers=["example.com/hold"])))
    kubectl("delete", "cm", "c", "--wait=false")
    assert kubectl("get", "cm", "c", "-ojsonpath={.metadata.deletionTimestamp}")
    kubectl("patch", "cm", "c", "--type=merge", '-p={"metadata":{"finalizers":null}}')
    space.gone("cm/c")


@pytest.mark.parametrize(
    ("cascade", "stays"),
    [
        pytest.param("foreground", False, id="foreground"),
        pytest.param("background", False, id="background"),
        pytest.param("orphan", True, id="orphan"),
    ],
)
def test_a_volume_takes_its_claim_with_it_or_not(space, cascade, stays):
    space.apply(data_volume("disk", BLANK))
    space.wait_phase("disk", "Succeeded")
    space.kubectl("delete", "dv", "disk", f"--cascade={cascade}")
    space.gone("dv/disk")
    if not stays:
        space.gone("pvc/disk")
        return
    space.kubectl("wait", "pvc/disk", "--for=jsonpath={.metadata.name}=disk", "--timeout=60s")
    assert "ownerReferences" not in space.get("pvc", "disk")["metadata"]
