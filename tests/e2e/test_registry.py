"""DataVolumes from container images: pulled by the importer, and by the node."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.api.phases import DataVolume as Phase
from support import disks, registry
from support.manifests import data_volume

pytestmark = pytest.mark.e2e

ENV = ["INSTANCETYPE_KUBEVIRT_IO_DEFAULT_PREFERENCE=fedora", "KUBEVIRT_IO_MADE-FOR=tests"]
PREFERENCE = "instancetype.kubevirt.io/default-preference"


@pytest.fixture(scope="module")
def server(cluster, tmp_path_factory) -> Iterator[registry.Registry]:
    with registry.Registry(tmp_path_factory.mktemp("registry"), address=cluster.host) as running:
        yield running


@pytest.fixture(scope="module")
def nodes_own(tmp_path_factory) -> Iterator[registry.Registry]:
    """A registry on the node itself: there container runtimes speak to it in clear."""
    with registry.Registry(tmp_path_factory.mktemp("nodes-own")) as running:
        yield running


@pytest.fixture(scope="module")
def urls(server, nodes_own, images) -> dict[str, str]:
    """Where an image is, by who pulls it."""
    packed = registry.disk_image(images.qcow2.read_bytes(), "fedora.qcow2", env=ENV)
    pulled = {"pod": server, "node": nodes_own}
    return {method: each.push("test/fedora", "latest", packed) for method, each in pulled.items()}


@pytest.fixture(scope="module")
def insecure(cluster, server):
    """The registry is one that need not be verified."""
    cluster.trust(server.host)


def from_(url: str, method: str, **more) -> dict:
    return {"registry": {"url": url, "pullMethod": method, **more}}


def assert_same(space, name: str, raw: Path) -> None:
    disk = space.claim_disk(name)
    assert disk is None or disks.differs(disk, raw) == ""


@pytest.mark.parametrize("method", ["pod", "node"])
@pytest.mark.parametrize("by", ["storage", "pvc"])
def test_a_disk_comes_out_of_an_image(space, urls, images, insecure, method, by):
    space.apply(data_volume("disk", from_(urls[method], method), by=by))
    space.wait_phase("disk", Phase.SUCCEEDED)
    assert_same(space, "disk", images.raw)
    assert space.get("pvc", "disk")["metadata"]["labels"][PREFERENCE] == "fedora"
    space.gone("pod/importer-disk")


@pytest.mark.parametrize("method", ["pod", "node"])
def test_a_missing_image_is_told_as_such(space, server, nodes_own, insecure, method):
    asked = {"pod": server, "node": nodes_own}[method]
    missing = asked.url("test/fedora", "absent")
    space.apply(data_volume("disk", from_(missing, method), by="pvc"))
    # A kubelet tries again for ever, so that the phase depends on who pulls; the reason does not.
    reason = 'jsonpath={.status.conditions[?(@.type=="Running")].reason}=ImagePullFailed'
    space.wait("dv/disk", reason)
    running = space.conditions("disk")["Running"]
    assert running["status"] == "False"
    assert "failed to pull image" in running["message"]


def test_an_image_for_no_such_machine_is_told_as_such(space, server, insecure):
    image = registry.Index({("linux", "amd64", ""): registry.disk_image(b"\0" * 512)})
    url = server.push("test/index", "latest", image)
    absent = {"platform": {"architecture": "absent"}}
    space.apply(data_volume("disk", from_(url, "pod", **absent), by="pvc"))
    space.wait_phase("disk", Phase.FAILED)
    message = space.conditions("disk")["Running"]["message"]
    assert message.endswith(
        'no image found in image index for architecture "absent", variant "", OS "linux"'
    )


def test_many_node_pulls_do_not_wait_for_each_other(space, urls, images):
    names = [f"disk-{number}" for number in range(4)]
    space.apply(*(data_volume(name, from_(urls["node"], "node")) for name in names))
    for name in names:
        space.wait_phase(name, Phase.SUCCEEDED)
        assert_same(space, name, images.raw)


def test_a_secret_of_container_tools_opens_a_registry(space, cluster, tmp_path, images):
    folder, host = tmp_path / "guarded", cluster.host
    with registry.Registry(folder, guarded=True, address=host) as guarded:
        url = guarded.push("a/b", "latest", registry.disk_image(images.qcow2.read_bytes()))
        cluster.trust(guarded.host)
        space.kubectl(
            *("create", "secret", "docker-registry", "login", f"--docker-server={guarded.host}"),
            *(f"--docker-username={registry.USER}", f"--docker-password={registry.PASSWORD}"),
        )
        space.apply(data_volume("disk", from_(url, "pod", secretRef="login")))
        space.wait_phase("disk", Phase.SUCCEEDED)
    assert_same(space, "disk", images.raw)
