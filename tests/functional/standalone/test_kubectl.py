"""Stock kubectl, the yardstick: every verb that people use, against a real server."""

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest
import yaml

from support import apiserver
from support.apiserver import Running, config_map


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with apiserver.running(tmp_path_factory.mktemp("state")) as running:
        running.create(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            apiserver.widget_definition(),
        )
        yield running


@pytest.fixture
def space(server: Running) -> str:
    """The name of a fresh namespace."""
    made = server.create("/api/v1/namespaces", {"metadata": {"generateName": "kc-"}})
    return str(made["metadata"]["name"])


Kubectl = Callable[..., str]


@pytest.fixture
def kubectl(server: Running, space: str) -> Kubectl:
    """Run kubectl in the fresh namespace; it must succeed. Returns its output."""

    def run(*arguments: str, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
        done = server.kubectl("-n", space, *arguments, stdin=stdin, env=env)
        assert done.returncode == 0, f"{arguments}: {done.stderr}{done.stdout}"
        return done.stdout

    return run


@pytest.fixture
def refused(server: Running, space: str) -> Kubectl:
    """Run kubectl; it must fail. Returns what it says."""

    def run(*arguments: str, stdin: str | None = None) -> str:
        done = server.kubectl("-n", space, *arguments, stdin=stdin)
        assert done.returncode != 0, done.stdout
        return done.stderr

    return run


def manifest(**data: str) -> str:
    made = config_map("c", **data)
    made["metadata"]["labels"] = {"app": "demo"}
    return yaml.safe_dump(made)


def widget(name: str = "w", **spec: object) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "example.com/v1",
            "kind": "Widget",
            "metadata": {"name": name},
            "spec": {"size": 1, **spec},
        }
    )


def test_apply_creates_configures_and_prunes_fields(kubectl):
    assert kubectl("apply", "-f-", stdin=manifest(a="1", b="2")) == "configmap/c created\n"
    assert kubectl("apply", "-f-", stdin=manifest(a="1", b="2")) == "configmap/c unchanged\n"
    assert kubectl("apply", "-f-", stdin=manifest(a="2")) == "configmap/c configured\n"
    assert json.loads(kubectl("get", "cm", "c", "-ojsonpath={.data}")) == {"a": "2"}


def test_apply_works_for_custom_resources(kubectl, refused):
    kubectl("apply", "-f-", stdin=widget(size=2))
    assert kubectl("apply", "-f-", stdin=widget(size=3)).endswith("configured\n")
    assert kubectl("get", "wd", "w", "-ojsonpath={.spec}") == '{"color":"red","size":3}'
    message = refused("apply", "-f-", stdin=widget(size=0))
    assert 'The Widget "w" is invalid: spec.size: Invalid value: 0' in message
    assert 'unknown field "spec.bogus"' in refused("apply", "-f-", stdin=widget(bogus=1))


def test_server_side_apply_reports_conflicts(kubectl, refused):
    side = ("apply", "--server-side", "-f-")
    assert kubectl(*side, stdin=manifest(a="1")).endswith("serverside-applied\n")
    shown = yaml.safe_load(kubectl("get", "cm", "c", "-oyaml", "--show-managed-fields"))
    (entry,) = shown["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("kubectl", "Apply")
    assert entry["fieldsV1"]["f:data"] == {"f:a": {}}
    other = (*side, "--field-manager=other")
    message = refused(*other, stdin=manifest(a="2"))
    assert 'conflict with "kubectl": .data.a' in message
    kubectl(*other, "--force-conflicts", stdin=manifest(a="2"))
    assert kubectl("get", "cm", "c", "-ojsonpath={.data.a}") == "2"


def test_client_side_apply_can_move_to_server_side(kubectl):
    kubectl("apply", "-f-", stdin=manifest(a="1", b="2"))
    kubectl("apply", "--server-side", "-f-", stdin=manifest(a="2"))
    assert kubectl("get", "cm", "c", "-ojsonpath={.data}") == '{"a":"2"}'


def test_create_from_a_file_and_dry_run(kubectl, refused):
    kubectl("create", "--dry-run=server", "-f-", stdin=manifest())
    kubectl("create", "-f-", stdin=manifest())
    assert "AlreadyExists" in refused("create", "-f-", stdin=manifest())


def test_create_commands_speak_protobuf(kubectl, space):
    kubectl("create", "configmap", "c", "--from-literal=a=1")
    kubectl("create", "secret", "generic", "s", "--from-literal=password=x")
    kubectl("create", "serviceaccount", "robot")
    kubectl("create", "namespace", f"{space}-more")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods")
    kubectl("create", "rolebinding", "r", "--role=reader", f"--serviceaccount={space}:robot")
    kubectl("create", "quota", "q", "--hard=pods=2")
    assert kubectl("get", "secret", "s", "-ojsonpath={.data.password}{.type}") == "eA==Opaque"
    assert kubectl("get", "cm", "c", "-ojsonpath={.data.a}") == "1"
    assert kubectl("create", "token", "robot").count(".") == 2
    assert kubectl("get", "ns", f"{space}-more", "-oname") == f"namespace/{space}-more\n"


def test_get_in_all_forms(kubectl, space):
    kubectl("apply", "-f-", stdin=widget(size=4))
    kubectl("apply", "-f-", stdin=manifest(a="1"))
    header, row = kubectl("get", "widgets").splitlines()
    assert (header.split(), row.split()) == (["NAME", "SIZE"], ["w", "4"])
    assert kubectl("get", "cm", "c", "-owide", "--no-headers").split()[:2] == ["c", "1"]
    assert kubectl("get", "cm", "-lapp=demo", "-oname") == "configmap/c\n"
    assert kubectl("get", "cm", "-lapp!=demo", "-oname") == "configmap/kube-root-ca.crt\n"
    assert kubectl("get", "cm", "--field-selector=metadata.name=c", "-oname") == "configmap/c\n"
    assert json.loads(kubectl("get", "cm", "c", "-ojson"))["data"] == {"a": "1"}
    assert yaml.safe_load(kubectl("get", "cm", "c", "-oyaml"))["data"] == {"a": "1"}
    everywhere = kubectl("get", "cm", "-A", "--chunk-size=1").splitlines()
    assert everywhere[0].split() == ["NAMESPACE", "NAME", "DATA", "AGE"]
    assert any(line.split()[:2] == [space, "c"] for line in everywhere)
    assert "widget.example.com/w" in kubectl("get", "all", "-oname")
    assert "demo" in kubectl("get", "cm", "--show-labels")
    assert kubectl("get", "wd/w", "cm/c", "-oname").split() == [
        "widget.example.com/w",
        "configmap/c",
    ]
    assert kubectl("get", "cm", "c", "-ocustom-columns=N:.metadata.name", "--no-headers") == "c\n"
    assert kubectl("get", "cm", "--sort-by=.metadata.name", "-oname").startswith("configmap/c\n")


def test_get_watches(server, kubectl, space):
    kubectl("apply", "-f-", stdin=widget())
    command = [apiserver.kubectl(), "-n", space, "get", "wd", "-w", "--no-headers"]
    env = {"KUBECONFIG": str(server.kubeconfig), "HOME": str(server.kubeconfig.parent)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as watching:
        assert watching.stdout.readline().split() == ["w", "1"]
        kubectl("patch", "wd", "w", "--type=merge", '-p={"spec":{"size":5}}')
        assert watching.stdout.readline().split() == ["w", "5"]
        kubectl("apply", "-f-", stdin=widget("later", size=9))
        assert watching.stdout.readline().split() == ["later", "9"]
        watching.kill()


def test_missing_things_are_named(refused):
    assert refused("get", "cm", "none") == (
        'Error from server (NotFound): configmaps "none" not found\n'
    )
    assert "the server doesn't have a resource type" in refused("get", "nonsense")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        pytest.param("cm/c", ["Name:         c", "Data", "Events:"], id="configmap"),
        pytest.param("wd/w", ["Kind:         Widget", "Size:", "Events:"], id="custom"),
        pytest.param("sa/default", ["Name:                default"], id="serviceaccount"),
        pytest.param("ns/default", ["Status:       Active"], id="namespace"),
    ],
)
def test_describe(kubectl, kind, expected):
    kubectl("apply", "-f-", stdin=manifest())
    kubectl("apply", "-f-", stdin=widget())
    shown = kubectl("describe", kind)
    for text in expected:
        assert text in shown


def test_describe_and_events_show_events(server, kubectl, space):
    kubectl("apply", "-f-", stdin=widget())
    uid = kubectl("get", "wd", "w", "-ojsonpath={.metadata.uid}")
    event = {
        "metadata": {"name": "w.1", "namespace": space},
        "involvedObject": {
            "apiVersion": "example.com/v1",
            "kind": "Widget",
            "name": "w",
            "namespace": space,
            "uid": uid,
        },
        "type": "Warning",
        "reason": "Squeaks",
        "message": "needs oil",
        "count": 3,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "source": {"component": "test"},
    }
    server.create(f"/api/v1/namespaces/{space}/events", event)
    assert "needs oil" in kubectl("describe", "wd/w")
    assert "Squeaks" in kubectl("events", "--for=widget/w")
    assert "Squeaks" in kubectl("get", "events", "--field-selector=type=Warning")


def test_edit(kubectl, tmp_path):
    kubectl("apply", "-f-", stdin=manifest(a="old"))
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/a: old/a: new/' \"$1\"\n")
    editor.chmod(0o755)
    kubectl("edit", "cm", "c", env={"EDITOR": str(editor), "KUBE_EDITOR": ""})
    assert kubectl("get", "cm", "c", "-ojsonpath={.data.a}") == "new"


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        pytest.param("strategic", '{"data":{"a":"2"}}', id="strategic"),
        pytest.param("merge", '{"data":{"a":"2"}}', id="merge"),
        pytest.param("json", '[{"op":"replace","path":"/data/a","value":"2"}]', id="json"),
    ],
)
def test_patch(kubectl, kind, patch):
    kubectl("apply", "-f-", stdin=manifest(a="1"))
    kubectl("patch", "cm", "c", f"--type={kind}", "-p", patch)
    assert kubectl("get", "cm", "c", "-ojsonpath={.data.a}") == "2"


def test_strategic_patches_merge_lists_by_key(kubectl):
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "one", "image": "a"}, {"name": "two", "image": "b"}]},
    }
    kubectl("apply", "-f-", stdin=yaml.safe_dump(pod))
    kubectl("patch", "pod", "p", '-p={"spec":{"containers":[{"name":"two","image":"c"}]}}')
    images = kubectl("get", "pod", "p", "-ojsonpath={.spec.containers[*].image}")
    assert images == "a c"
    kubectl("set", "image", "pod/p", "one=z")
    assert "z c" in kubectl("get", "pod", "p", "-ojsonpath={.spec.containers[*].image}")


def test_status_is_patched_through_its_subresource(kubectl):
    kubectl("apply", "-f-", stdin=widget())
    status = '{"status":{"phase":"Ready"}}'
    kubectl("patch", "wd", "w", "--subresource=status", "--type=merge", "-p", status)
    assert kubectl("get", "wd", "w", "-ojsonpath={.status.phase}") == "Ready"
    assert kubectl("get", "wd", "w", "--subresource=status", "-oname")
    kubectl("wait", "wd/w", "--for=jsonpath={.status.phase}=Ready", "--timeout=60s")


def test_label_annotate_and_replace(kubectl):
    kubectl("apply", "-f-", stdin=manifest(a="1"))
    kubectl("label", "cm", "c", "tier=x")
    kubectl("label", "cm", "c", "tier-", "app=other", "--overwrite")
    kubectl("annotate", "cm", "c", "note=hello")
    assert kubectl("get", "cm", "c", "-ojsonpath={.metadata.labels}") == '{"app":"other"}'
    kubectl("replace", "-f-", stdin=manifest(b="2"))
    assert kubectl("get", "cm", "c", "-ojsonpath={.data}") == '{"b":"2"}'
    kubectl("replace", "--force", "-f-", stdin=manifest(b="3"))
    assert kubectl("get", "cm", "c", "-ojsonpath={.data}") == '{"b":"3"}'


def test_delete_by_file_name_selector_and_all(kubectl):
    for name in ("w1", "w2", "w3", "w4"):
        kubectl("apply", "-f-", stdin=widget(name))
    kubectl("label", "wd", "w2", "gone=yes")
    kubectl("delete", "-f-", stdin=widget("w1"))
    kubectl("delete", "wd", "-lgone=yes")
    assert kubectl("get", "wd", "-oname").split() == [
        "widget.example.com/w3",
        "widget.example.com/w4",
    ]
    kubectl("delete", "wd", "--all")
    assert kubectl("get", "wd", "-oname") == ""
    kubectl("delete", "wd", "w1", "--ignore-not-found")


def test_delete_waits_for_finalizers(server, kubectl, refused, space):
    kubectl("apply", "-f-", stdin=widget())
    hold = '{"metadata":{"finalizers":["example.com/hold"]}}'
    kubectl("patch", "wd", "w", "--type=merge", "-p", hold)
    assert "timed out" in refused("delete", "wd", "w", "--timeout=1s")
    kubectl("patch", "wd", "w", "--type=merge", '-p={"metadata":{"finalizers":null}}')
    kubectl("wait", "wd/w", "--for=delete", "--timeout=60s")


@pytest.mark.parametrize(
    ("cascade", "stays"),
    [
        pytest.param("foreground", False, id="foreground"),
        pytest.param("orphan", True, id="orphan"),
    ],
)
def test_delete_cascades(kubectl, cascade, stays):
    kubectl("apply", "-f-", stdin=manifest())
    uid = kubectl("get", "cm", "c", "-ojsonpath={.metadata.uid}")
    child = config_map("child")
    child["metadata"]["ownerReferences"] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "c",
            "uid": uid,
            "blockOwnerDeletion": True,
        }
    ]
    kubectl("apply", "-f-", stdin=yaml.safe_dump(child))
    kubectl("delete", "cm", "c", f"--cascade={cascade}")
    left = kubectl("get", "cm", "child", "--ignore-not-found", "-oname")
    assert left == ("configmap/child\n" if stays else "")


def test_delete_a_namespace_and_wait(server, kubectl, space):
    kubectl("apply", "-f-", stdin=widget())
    kubectl("delete", "ns", space)
    assert server.request("GET", f"/api/v1/namespaces/{space}").status == 404


def test_wait_for_a_definition(kubectl):
    kubectl("wait", "crd/widgets.example.com", "--for=condition=Established", "--timeout=60s")


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        pytest.param("widget.spec", "size\t<integer> -required-", id="custom"),
        pytest.param("pod.spec.containers", "image\t<string>", id="builtin"),
        pytest.param("pvc --recursive", "storageClassName", id="recursive"),
    ],
)
def test_explain(kubectl, what, expected):
    assert expected in kubectl("explain", *what.split())


def test_diff(server, kubectl, space):
    kubectl("apply", "-f-", stdin=manifest(a="1"))
    same = server.kubectl("-n", space, "diff", "-f-", stdin=manifest(a="1"))
    assert (same.returncode, same.stdout) == (0, "")
    done = server.kubectl("-n", space, "diff", "-f-", stdin=manifest(a="2"))
    assert done.returncode == 1
    assert '-  a: "1"' in done.stdout
    assert '+  a: "2"' in done.stdout
    side = server.kubectl("-n", space, "diff", "--server-side", "-f-", stdin=widget())
    assert side.returncode == 1, side.stderr


def test_auth(server, kubectl, space):
    assert kubectl("auth", "can-i", "create", "pods") == "yes\n"
    assert "cdi-admin" in kubectl("auth", "whoami")
    account = f"--as=system:serviceaccount:{space}:default"
    denied = server.kubectl("-n", space, "auth", "can-i", "create", "pods", account)
    assert denied.stdout == "no\n"
    assert "*.*" in kubectl("auth", "can-i", "--list")


def test_what_the_server_offers(kubectl):
    resources = kubectl("api-resources", "--verbs=list", "-oname").split()
    assert {"pods", "widgets.example.com", "storageclasses.storage.k8s.io"} <= set(resources)
    short = kubectl("api-resources", "--api-group=example.com", "--no-headers").split()
    assert short == ["widgets", "wd", "example.com/v1", "true", "Widget"]
    versions = kubectl("api-versions").split()
    assert {"v1", "example.com/v1", "apiextensions.k8s.io/v1"} <= set(versions)
    assert "Server Version: v1." in kubectl("version")
    assert "is running at" in kubectl("cluster-info")
    assert kubectl("get", "--raw=/readyz") == "ok"


def test_rarer_commands(kubectl, refused):
    pod = ("run", "p", "--image=busybox", "--restart=Never")
    assert kubectl(*pod) == "pod/p created\n"
    assert "Pending" in kubectl("get", "pods")
    assert "run=p" in kubectl("describe", "pod", "p")
    assert "no node agent" in refused("logs", "p")
    assert refused("exec", "p", "--", "true")
    assert kubectl("expose", "pod", "p", "--port=80", "--name=svc", "-lrun=p")
    assert "svc" in kubectl("get", "svc")
    kubectl("create", "job", "j", "--image=busybox")
    kubectl("create", "deployment", "d", "--image=busybox")
    kubectl("delete", "pod", "p", "--now")
