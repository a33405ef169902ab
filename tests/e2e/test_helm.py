"""
The chart tried, installed, upgraded and removed by Helm itself, on a cluster that runs pods.

CDI_TEST_KUBECONFIG names the cluster and CDI_TEST_IMAGE the image of CDI that its nodes have; see
test_operator, whose rules hold here, too. CDI_TEST_NEXT_IMAGE is the one to upgrade to, the same
unless given. The cluster's default class has to make volumes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.operated import LONG, NAMESPACE, NEW, OLD, Cluster

# PyPI's helm-python-sdk: Helm as a library, of a quarter of a GiB; too large for every machine.
sdk = pytest.importorskip(
    "helm_python", reason="needs Helm: .venv/bin/pip install helm-python-sdk (CONTRIBUTING.md)"
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not (os.environ.get("CDI_TEST_KUBECONFIG") and os.environ.get("CDI_TEST_IMAGE")),
        reason="needs a cluster that runs pods: CDI_TEST_KUBECONFIG and CDI_TEST_IMAGE",
    ),
    pytest.mark.xdist_group("operator"),
]

SPACE = "helped"
RELEASE = "cdi"
NONSENSE = (
    {"image": 5},
    {"pullPolicy": "Sometimes"},
    {"nonsense": 1},
    {"cdi": {"spec": {"infra": {"nodeSelctor": {}}}}},
)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    found = Cluster(os.environ["CDI_TEST_KUBECONFIG"], os.environ["CDI_TEST_IMAGE"])
    if "cdis.cdi.kubevirt.io" in found.kubectl("get", "crd", "-o", "name"):
        pytest.skip("this cluster has CDI already; the test would take it away")
    yield found
    found.kubectl("delete", "namespace", SPACE, "--ignore-not-found", f"--timeout={LONG}s")
    if "cdis.cdi.kubevirt.io" in found.kubectl("get", "crd", "-o", "name"):
        found.remove()
    helm(found).uninstall(RELEASE, ignore_not_found=True)
    for what in (("namespace", NAMESPACE), ("crd", "cdis.cdi.kubevirt.io")):
        found.kubectl("delete", *what, "--ignore-not-found", f"--timeout={LONG}s")


def helm(cluster: Cluster) -> sdk.Config:
    return sdk.Config(kubeconfig_path=cluster.kubeconfig, namespace=NAMESPACE)


@pytest.fixture
def chart(tmp_path: Path, cluster: Cluster) -> Path:
    command = [sys.executable, "-m", "cdi", "manifests", "--image", cluster.image]
    wrapped = ["--format", "helm", "--version", OLD, "-o", str(tmp_path / "chart")]
    subprocess.run([*command, *wrapped], check=True)
    return tmp_path / "chart"


def images(cluster: Cluster) -> set[str]:
    found = cluster.get("deployments", "-n", NAMESPACE)["items"]
    return {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in found}


def fill(cluster: Cluster, name: str) -> str:
    """Make a blank DataVolume, and wait until it is filled; return its UID."""
    volume = {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {
            "name": name,
            "annotations": {"cdi.kubevirt.io/storage.bind.immediate.requested": ""},
        },
        "spec": {
            "source": {"blank": {}},
            "pvc": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "64Mi"}},
            },
        },
    }
    cluster.kubectl("create", "-n", SPACE, "-f", "-", stdin=json.dumps(volume))
    cluster.wait(f"dv/{name}", "jsonpath={.status.phase}=Succeeded", "-n", SPACE)
    return str(cluster.get("dv", name, "-n", SPACE)["metadata"]["uid"])


def marked(cluster: Cluster) -> set[str]:
    """What belongs to all of the cluster and is CDI's."""
    kinds = "clusterroles,clusterrolebindings,validatingwebhookconfigurations,apiservices"
    return {
        each
        for each in cluster.kubectl("get", kinds, "-o", "name").splitlines()
        if "cdi" in each.rpartition("/")[2]
    }


def test_a_release_is_tried_installed_upgraded_and_removed(cluster: Cluster, chart: Path) -> None:
    with helm(cluster) as by:
        for values in NONSENSE:
            with pytest.raises(sdk.HelmError):
                by.install(chart, RELEASE, values, create_namespace=True)
        before = marked(cluster)
        assert by.list() == []

        by.install(chart, RELEASE, create_namespace=True)
        cluster.wait("cdi/cdi", "condition=Available")
        assert images(cluster) == {cluster.image}
        cluster.kubectl("create", "namespace", SPACE)
        kept = fill(cluster, "before")

        following = os.environ.get("CDI_TEST_NEXT_IMAGE", cluster.image)
        values = {"image": following, "version": NEW}
        tried = by.upgrade(chart, RELEASE, values, dry_run="server")
        assert following in tried["manifest"]
        assert images(cluster) == {cluster.image}
        by.upgrade(chart, RELEASE, values)
        cluster.wait("cdi/cdi", f"jsonpath={{.status.observedVersion}}={NEW}")
        cluster.wait("cdi/cdi", "condition=Progressing=False")
        assert images(cluster) == {following}
        assert cluster.get("dv", "before", "-n", SPACE)["metadata"]["uid"] == kept
        fill(cluster, "after")

        own = cluster.kubectl("get", "deployments,secrets", "-n", NAMESPACE, "-o", "name")
        made = marked(cluster) - before
        cluster.remove()
        by.uninstall(RELEASE)
        # What the CDI object owned goes a moment after it.
        for each in (*made, *own.splitlines()):
            cluster.wait(each, "delete", "-n", NAMESPACE)
        assert by.list() == []
