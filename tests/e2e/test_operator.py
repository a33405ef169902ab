"""
An installation on a cluster that runs pods: made, changed, upgraded, removed, made again.

CDI_TEST_KUBECONFIG names the cluster and CDI_TEST_IMAGE the image of CDI that its nodes have.
Without them there is nothing to test: the API of one machine runs our workers only. The tests
own the cluster's CDI; they refuse to run where there is one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from support import httpd
from support.operated import LONG, NAMESPACE, NEW, OLD, Cluster

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not (os.environ.get("CDI_TEST_KUBECONFIG") and os.environ.get("CDI_TEST_IMAGE")),
        reason="needs a cluster that runs pods: CDI_TEST_KUBECONFIG and CDI_TEST_IMAGE",
    ),
    pytest.mark.xdist_group("operator"),
]

KIB = 1024


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    found = Cluster(os.environ["CDI_TEST_KUBECONFIG"], os.environ["CDI_TEST_IMAGE"])
    if "cdis.cdi.kubevirt.io" in found.kubectl("get", "crd", "-o", "name"):
        pytest.skip("this cluster has CDI already; the tests would take it away")
    found.install(OLD)
    yield found
    found.remove()
    found.kubectl("delete", "-f", "-", "--ignore-not-found", stdin=found.manifests("operator"))


def volume(name: str, **source: object) -> str:
    return json.dumps(
        {
            "apiVersion": "cdi.kubevirt.io/v1beta1",
            "kind": "DataVolume",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {
                "source": source,
                "storage": {
                    "accessModes": ["ReadWriteOnce"],
                    "resources": {"requests": {"storage": "64Mi"}},
                },
            },
        }
    )


def succeeded(cluster: Cluster, name: str) -> None:
    cluster.wait(f"datavolume/{name}", "jsonpath={.status.phase}=Succeeded", "-n", "default")


def test_an_older_version_is_upgraded_and_keeps_its_volumes(cluster: Cluster) -> None:
    cluster.apply(volume("kept", blank={}))
    succeeded(cluster, "kept")
    before = cluster.get("datavolume", "kept", "-n", "default")
    cluster.install(NEW)
    after = cluster.get("datavolume", "kept", "-n", "default")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["spec"] == before["spec"]
    assert cluster.get("cdi", "cdi")["status"]["phase"] == "Deployed"
    cluster.kubectl("delete", "datavolume", "kept", "-n", "default")


def test_manifests_that_are_applied_again_change_nothing(cluster: Cluster) -> None:
    for part in ("operator", "cr"):
        said = cluster.kubectl("apply", "-f", "-", stdin=cluster.manifests(part))
        assert {line.rpartition(" ")[2] for line in said.splitlines()} == {"unchanged"}, said


def test_three_conditions_say_that_it_is_available(cluster: Cluster) -> None:
    assert cluster.conditions() == {
        "Available": "True",
        "Progressing": "False",
        "Degraded": "False",
    }


def test_an_import_succeeds_with_the_controllers_of_the_cluster(cluster: Cluster) -> None:
    host = os.environ.get("CDI_TEST_HOST", "127.0.0.1")
    with httpd.Server(host=host, bind=host) as server:
        url = server.put("/disk.img", httpd.Blob(b"\x07" * (512 * KIB)))
        cluster.apply(volume("http", http={"url": url}))
        succeeded(cluster, "http")
    cluster.kubectl("delete", "datavolume", "http", "-n", "default")


def test_webhooks_refuse_what_is_invalid(cluster: Cluster) -> None:
    said = cluster.kubectl(
        "apply", "-f", "-", stdin=volume("bad", http={"url": "ftp://x/y"}), check=False
    )
    assert "Invalid source URL" in said


DRIFT = [
    ("deployment/cdi-deployment", '{"spec":{"replicas":3}}', "{.spec.replicas}"),
    (
        "service/cdi-api",
        '{"spec":{"selector":{"cdi.kubevirt.io":"x"}}}',
        r"{.spec.selector.cdi\.kubevirt\.io}",
    ),
    ("clusterrole/cdi-uploadproxy", '{"rules":[]}', "{.rules[0].verbs[0]}"),
    ("serviceaccount/cdi-sa", '{"metadata":{"labels":{"app":"x"}}}', "{.metadata.labels.app}"),
]


@pytest.mark.parametrize(("what", "patch", "path"), DRIFT)
def test_drift_is_reverted(cluster: Cluster, what: str, patch: str, path: str) -> None:
    read = ("get", what, "-n", NAMESPACE, "-o", f"jsonpath={path}")
    before = cluster.kubectl(*read)
    cluster.kubectl("patch", what, "-n", NAMESPACE, "--type=merge", "-p", patch)
    cluster.wait(what, f"jsonpath={path}={before}", "-n", NAMESPACE)
    assert cluster.kubectl(*read) == before
    cluster.wait("cdi/cdi", "condition=Degraded=False")


def test_a_deployment_that_is_deleted_comes_back(cluster: Cluster) -> None:
    cluster.kubectl("delete", "deployment", "cdi-uploadproxy", "-n", NAMESPACE)
    cluster.wait("deployment/cdi-uploadproxy", "create", "-n", NAMESPACE)
    cluster.wait("deployment/cdi-uploadproxy", "condition=Available", "-n", NAMESPACE)


def test_replicas_follow_the_cdi_object(cluster: Cluster) -> None:
    two = '{"spec":{"infra":{"apiServerReplicas":2}}}'
    cluster.kubectl("patch", "cdi", "cdi", "--type=merge", "-p", two)
    name = ("deployment/cdi-apiserver", "-n", NAMESPACE)
    cluster.wait(name[0], "jsonpath={.status.readyReplicas}=2", *name[1:])
    cluster.wait("poddisruptionbudget/cdi-apiserver", "create", "-n", NAMESPACE)
    one = '{"spec":{"infra":{"apiServerReplicas":null}}}'
    cluster.kubectl("patch", "cdi", "cdi", "--type=merge", "-p", one)
    cluster.wait(name[0], "jsonpath={.status.replicas}=1", *name[1:])
    cluster.wait("poddisruptionbudget/cdi-apiserver", "delete", "-n", NAMESPACE)


def test_a_second_cdi_object_is_an_error_and_goes_without_a_trace(cluster: Cluster) -> None:
    second = cluster.manifests("cr").replace("name: cdi\n", "name: second\n")
    cluster.apply(second)
    cluster.wait("cdi/second", "jsonpath={.status.phase}=Error")
    cluster.kubectl("delete", "cdi", "second", "--timeout=30s")
    assert cluster.conditions()["Available"] == "True"


def test_a_bundle_that_is_emptied_is_filled_again(cluster: Cluster) -> None:
    bundle = ("configmap/cdi-apiserver-signer-bundle", "-n", NAMESPACE)
    empty = '{"data":{"ca-bundle.crt":null}}'
    cluster.kubectl("patch", *bundle, "--type=merge", "-p", empty)
    cluster.wait(bundle[0], r"jsonpath={.data.ca-bundle\.crt}", *bundle[1:])


def patched(cluster: Cluster, **spec: object) -> None:
    """Change the spec of the CDI object; None takes a field away."""
    text = json.dumps({"spec": spec})
    cluster.kubectl("patch", "cdi", "cdi", "--type=merge", "-p", text)


def read(cluster: Cluster, what: str, path: str) -> str:
    return cluster.kubectl("get", what, "-n", NAMESPACE, "-o", f"jsonpath={path}")


def until(cluster: Cluster, what: str, path: str, value: str) -> None:
    cluster.wait(what, f"jsonpath={path}={value}", "-n", NAMESPACE)


GENERATION = "{.metadata.generation}"
DEPLOYMENTS = ("cdi-deployment", "cdi-apiserver", "cdi-uploadproxy")


def test_the_cdi_object_says_what_cdiconfig_says(cluster: Cluster) -> None:
    size = "{.spec.podResourceRequirements.limits.cpu}"
    path = "{.status.defaultPodResourceRequirements.limits.cpu}"
    wanted = {"podResourceRequirements": {"limits": {"cpu": "501m"}}}
    patched(cluster, config=wanted)
    until(cluster, "cdiconfig/config", path, "501m")
    edited = '{"spec":{"podResourceRequirements":{"limits":{"cpu":"9"}}}}'
    cluster.kubectl("patch", "cdiconfig", "config", "--type=merge", "-p", edited)
    until(cluster, "cdiconfig/config", size, "501m")
    patched(cluster, config={"podResourceRequirements": None})
    until(cluster, "cdiconfig/config", path, "750m")


def test_another_lifetime_renews_all_certificates(cluster: Cluster) -> None:
    config = r"{.metadata.annotations.operator\.cdi\.kubevirt\.io/certConfig}"
    signers = ("cdi-apiserver-signer", "cdi-uploadproxy-signer", "cdi-uploadserver-signer")
    before = {each: read(cluster, f"secret/{each}", r"{.data.tls\.crt}") for each in signers}
    hours = {"duration": "20h", "renewBefore": "10h"}
    patched(cluster, certConfig={"ca": hours, "server": hours, "client": hours})
    for each in signers:
        said = '{"lifetime":"20h0m0s","refresh":"10h0m0s"}'
        until(cluster, f"secret/{each}", config, said)
        assert read(cluster, f"secret/{each}", r"{.data.tls\.crt}") != before[each]
    patched(cluster, certConfig=None)
    for each in signers:
        said = '{"lifetime":"48h0m0s","refresh":"24h0m0s"}'
        until(cluster, f"secret/{each}", config, said)
    # Whoever asks us trusts the new ones.
    assert "Invalid source URL" in cluster.kubectl(
        "apply", "-f", "-", stdin=volume("bad", http={"url": "ftp://x/y"}), check=False
    )


def test_all_deployments_have_the_priority_that_is_asked_for(cluster: Cluster) -> None:
    path = "{.spec.template.spec.priorityClassName}"
    before = [read(cluster, f"deployment/{each}", path) for each in DEPLOYMENTS]
    patched(cluster, priorityClass="system-cluster-critical")
    for each in DEPLOYMENTS:
        until(cluster, f"deployment/{each}", path, "system-cluster-critical")
    seen = {each: read(cluster, f"deployment/{each}", GENERATION) for each in DEPLOYMENTS}
    patched(cluster, priorityClass=None)
    for each in DEPLOYMENTS:
        until(cluster, f"deployment/{each}", GENERATION, str(int(seen[each]) + 1))
    cluster.wait("cdi/cdi", "condition=Degraded=False")
    assert [read(cluster, f"deployment/{each}", path) for each in DEPLOYMENTS] == before


def test_patches_and_flags_show_up_and_vanish(cluster: Cluster) -> None:
    name = "deployment/cdi-uploadproxy"
    first = "{.spec.template.spec.containers[0].args[0]}"
    mark = r"{.metadata.annotations.cdi\.kubevirt\.io/customizer-identifier}"
    before = read(cluster, name, first)
    patch = {
        "resourceType": "Deployment",
        "resourceName": "cdi-uploadproxy",
        "type": "merge",
        "patch": '{"metadata":{"annotations":{"example/note":"here"}}}',
    }
    patched(cluster, customizeComponents={"patches": [patch], "flags": {"uploadProxy": {"v": "3"}}})
    until(cluster, name, first, "-v")
    assert read(cluster, name, r"{.metadata.annotations.example/note}") == "here"
    assert len(read(cluster, name, mark)) == 40
    patched_with = int(read(cluster, name, GENERATION))
    patched(cluster, customizeComponents=None)
    until(cluster, name, GENERATION, str(patched_with + 1))
    assert read(cluster, name, first) == before
    cluster.wait("cdi/cdi", "condition=Degraded=False")


def test_it_is_not_removed_while_there_is_work_if_so_asked(cluster: Cluster) -> None:
    patched(cluster, uninstallStrategy="BlockUninstallIfWorkloadsExist")
    cluster.apply(volume("work", blank={}))
    said = cluster.kubectl("delete", "cdi", "cdi", "--wait=false", check=False)
    assert "there are still" in said
    assert not cluster.get("cdi", "cdi")["metadata"].get("deletionTimestamp")
    cluster.kubectl("delete", "datavolume", "work", "-n", "default")
    patched(cluster, uninstallStrategy=None)


def test_it_can_be_removed_and_made_again_three_times(cluster: Cluster) -> None:
    """Also while there are objects that its controllers hold: they go before those."""
    held = '{"metadata":{"finalizers":["cdi.kubevirt.io/dataVolumeFinalizer"]}}'
    for turn in range(3):
        if turn:
            cluster.kubectl("patch", "dv", "again", "-n", "default", "--type=merge", "-p", held)
        cluster.remove()
        cluster.kubectl(
            "wait", "crd/datavolumes.cdi.kubevirt.io", "--for=delete", f"--timeout={LONG}s"
        )
        cluster.install()
        cluster.apply(volume("again", blank={}))
        succeeded(cluster, "again")
