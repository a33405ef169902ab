"""The importer and container images: fetched by itself, and pulled by the node."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.sources import registry as images
from cdi.workers.imageserver import content
from support import httpd, imageserver, registry, worker

MIB = 1 << 20
DISK = b"\xeb\x63\x90" + random.Random(8).randbytes(2 * MIB - 5) + b"\x55\xaa"
ENV = ["PATH=/bin", "INSTANCETYPE_KUBEVIRT_IO_DEFAULT_PREFERENCE=fedora"]
LABELS = {"instancetype.kubevirt.io/default-preference": "fedora"}
IMAGE = registry.disk_image(DISK, "fedora 41.img", env=ENV)

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or imageserver.BUSYBOX is None, reason="changing the root takes root"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[registry.Registry]:
    with registry.Registry(tmp_path_factory.mktemp("registry")) as running:
        running.push("test/disk", "latest", IMAGE)
        yield running


@pytest.fixture
def mounts(tmp_path: Path) -> worker.Mounts:
    return worker.Mounts(tmp_path)


def order(url: str, **more):
    return worker.order(url, **({"source": "registry", "insecure_tls": True} | more))


def imported(mounts: worker.Mounts) -> bytes:
    return mounts.disk.read_bytes()[: len(DISK)]


def test_a_disk_comes_out_of_an_image_with_its_labels(server, mounts):
    ended = worker.run(order(server.url("test/disk")), mounts)
    assert (ended.status, ended.termination.message) == (0, "Import Complete")
    assert ended.termination.labels == LABELS
    assert ended.termination.sha256 == IMAGE.layers[0].digest.removeprefix("sha256:")
    assert imported(mounts) == DISK
    assert mounts.disk.stat().st_size == 32 * MIB


@pytest.mark.parametrize("given", ["keys", "keys-of-files", "file", "nothing"])
def test_credentials_are_keys_or_a_file_of_the_secret(mounts, tmp_path, given):
    keys = {"access_key_id": registry.USER, "secret_key": registry.PASSWORD}
    with registry.Registry(tmp_path / "guarded", guarded=True) as guarded:
        url = guarded.push("test/disk", "latest", IMAGE)
        if given == "file":
            auth = base64.b64encode(f"{registry.USER}:{registry.PASSWORD}".encode()).decode()
            config = {"auths": {guarded.host: {"auth": auth}}}
            (mounts.registry / ".dockerconfigjson").write_text(json.dumps(config))
        if given == "keys-of-files":
            keys = {name: f"{value}\n" for name, value in keys.items()}
        ended = worker.run(order(url, **(keys if given.startswith("keys") else {})), mounts)
    assert (ended.status == 0) == (given != "nothing")
    assert registry.PASSWORD not in ended.log
    if given == "nothing":
        assert (ended.termination.reason, ended.termination.permanent) == ("ImagePullFailed", True)
        assert "401" in ended.termination.message


INDEX_ERROR = (
    "Unable to process data: Unable to transfer source data to scratch space: Failed to read "
    "registry image: Error retrieving image: choosing image instance: no image found in image "
    'index for architecture "absent", variant "", OS "linux"'
)


def test_what_cannot_be_pulled_is_told_in_the_words_that_clients_know(server, mounts):
    ended = worker.run(order(server.url("test/disk", "absent")), mounts)
    assert ended.termination.message.startswith("Unable to process data: failed to pull image: ")
    assert (ended.termination.reason, ended.termination.permanent) == ("ImagePullFailed", True)

    server.push("test/index", "latest", registry.Index({("linux", "amd64", ""): IMAGE}))
    ended = worker.run(order(server.url("test/index"), architecture="absent"), mounts)
    assert ended.termination.message == INDEX_ERROR
    assert (ended.termination.reason, ended.termination.permanent) == ("Error", True)


def test_a_checksum_beside_that_of_the_image_is_refused(server, mounts):
    ended = worker.run(order(server.url("test/disk"), checksum="md5:" + "0" * 32), mounts)
    assert (ended.termination.reason, ended.termination.permanent) == ("InvalidRequest", True)


# Node pull.


def pulled(port: int, **more):
    return worker.order(
        f"http://localhost:{port}/disk.img",
        pull_method="node",
        ready_file="/shared/ready",
        done_file="/shared/done",
        # Nobody listens there: loopback is never asked for through a proxy.
        http_proxy="http://127.0.0.1:9",
        **more,
    )


@pytest.fixture
def root(tmp_path) -> imageserver.Root:
    return imageserver.Root(tmp_path / "root")


@pytest.fixture
def beside(tmp_path, root) -> worker.Mounts:
    """The places of an importer whose pod has this root beside it."""
    found = worker.Mounts(tmp_path)
    found.shared.rmdir()
    found.shared.symlink_to(root.shared)
    return found


NAMES = ["my disk%20#?.img", '.ünï"code\\']


@needs_root
@pytest.mark.root
@pytest.mark.parametrize("name", NAMES)
def test_the_script_hands_out_the_disk_in_its_root(root, beside, name):
    (root.disk / name).write_bytes(DISK)
    port = imageserver.free_port()
    lines = dict(line.split("=", 1) for line in ENV if not line.startswith("PATH="))
    with imageserver.ended(root.serve(port, ODD='a "\\ \n \x01 ü', **lines)) as server:
        checksum = f"sha256:{hashlib.sha256(DISK).hexdigest()}"
        ended = worker.run(pulled(port, checksum=checksum), beside)
        assert (ended.status, imported(beside)) == (0, DISK), ended.log
        assert ended.termination.labels == LABELS
        assert "environment cannot be read" not in ended.log
        assert server.wait(10) == 0
    assert not list(root.shared.glob("ready*"))
    assert not (root.shared / "done").exists()


def two(root):
    (root.disk / "a").write_bytes(b"a")
    (root.disk / "b").write_bytes(b"b")


REFUSED = {
    "nothing": (lambda root: None, "0 files in /disk"),
    "two": (two, "2 files in /disk"),
    "bootc": (lambda root: (root.path / "ostree").mkdir(), "bootc image detected"),
    "pipe": (lambda root: os.mkfifo(root.disk / "a"), "not a regular file"),
}


@needs_root
@pytest.mark.root
@pytest.mark.parametrize(("spoil", "said"), REFUSED.values(), ids=REFUSED)
def test_the_script_refuses_what_is_no_disk(root, spoil, said):
    spoil(root)
    with imageserver.ended(root.serve(imageserver.free_port())) as server:
        assert server.wait(10) == 1
    assert said in (root.shared / "ready.refused").read_text()
    assert not (root.shared / "ready").exists()


def test_what_a_server_refuses_the_importer_says(mounts):
    (mounts.shared / "ready.refused").write_text("bootc image detected")
    ended = worker.run(pulled(1), mounts)
    assert ended.termination.message == "Unable to process data: bootc image detected"
    assert (ended.termination.reason, ended.termination.permanent) == ("UnsupportedFormat", True)
    assert (mounts.shared / "done").exists()


@needs_root
@pytest.mark.root
def test_a_disk_that_is_refused_ends_the_script_too(root, beside):
    (root.disk / "page").write_bytes(b"<!DOCTYPE html><html>Log in</html>")
    port = imageserver.free_port()
    with imageserver.ended(root.serve(port)) as server:
        ended = worker.run(pulled(port), beside)
        assert server.wait(10) == 0
    assert (ended.termination.reason, ended.termination.permanent) == ("NotADisk", True)


def test_an_importer_that_waits_for_the_node_can_be_stopped(mounts):
    waiting = worker.start(pulled(imageserver.free_port()), mounts)
    while not mounts.port_file.exists():  # it serves metrics once it has begun to wait
        assert waiting.poll() is None
    waiting.terminate()
    ended = worker.ended(waiting, mounts)
    assert (ended.status, ended.termination.reason) == (143, "Cancelled")
    assert not (mounts.shared / "done").exists()


@pytest.mark.parametrize("compression", ["gzip", ""])
def test_a_worker_stands_in_for_the_image(server, mounts, compression):
    layers = [registry.layer(registry.file("disk/a b", DISK), compression=compression)]
    server.push("test/beside", "latest", registry.Image(layers, env=ENV))
    port = imageserver.free_port()
    image = f"{server.host}/test/beside:latest"
    with imageserver.ended(imageserver.stand_in(image, mounts, port)) as beside:
        ended = worker.run(pulled(port), mounts)
        assert (ended.status, imported(mounts)) == (0, DISK), ended.log
        assert ended.termination.labels == LABELS
        assert beside.wait(10) == 0
    assert list(mounts.shared.iterdir()) == []


def test_a_worker_that_cannot_pull_the_image_says_so(server, mounts):
    port = imageserver.free_port()
    image = f"{server.host}/test/disk:absent"
    with imageserver.ended(imageserver.stand_in(image, mounts, port)) as beside:
        ended = worker.run(pulled(port), mounts)
        assert beside.wait(10) == 1
    assert "failed to pull image: " in ended.termination.message
    assert (ended.termination.reason, ended.termination.permanent) == ("ImagePullFailed", True)


def test_a_worker_never_hands_out_all_of_a_layer_that_is_not_the_promised_one():
    layer = registry.layer(registry.file("disk/a", DISK), compression="")
    spoilt = layer.data[:MIB] + b"\xff" + layer.data[MIB + 1 :]
    got: list[bytes] = []
    with registry.fake() as fake:
        url = fake.push("a/b", "latest", registry.Image([layer]))
        fake.put(f"/v2/a/b/blobs/{layer.digest}", httpd.Blob(spoilt))
        wanted = images.Wanted(url, HttpOptions(insecure=True))
        found = images.open_image(wanted, threading.Event())
        with pytest.raises(errors.ChecksumMismatch):
            got.extend(content(found, threading.Event()))
    assert sum(map(len, got)) < len(DISK)
