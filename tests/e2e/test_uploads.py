"""
From `kubectl apply` to a disk that was sent through the proxy, and everything that may go wrong on
the way. CDI_TEST_ROUNDS is how often uploads to one volume are broken off.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import disks, senders, tars
from support.cluster import Machine, Namespace
from support.manifests import WAITING_CLASS, claim, data_volume
from support.senders import Sender

pytestmark = pytest.mark.e2e

ROUNDS = int(os.environ.get("CDI_TEST_ROUNDS", "1"))
UPLOAD = {"upload": {}}
TARGET = {"cdi.kubevirt.io/storage.upload.target": ""}
POPULATOR = "cdi.kubevirt.io/storage.usePopulator"
WAYS = [pytest.param("false", id="direct"), pytest.param("true", id="populator")]
PATIENCE = 120.0  # seconds
# Of each pod its volumes, and whether it takes bytes.
SERVERS = "{.spec.volumes[*].name} {.status.containerStatuses[*].ready}"


def by_way(way: str) -> dict[str, str]:
    return {POPULATOR: way}


def ready(space: Namespace, name: str) -> Sender:
    space.wait_phase(name, "UploadReady")
    return Sender.to(space, name)


def is_same(space: Namespace, name: str, raw: Path) -> None:
    disk = space.claim_disk(name)
    if disk is not None:
        assert disks.differs(raw, disk) == ""


def nothing_left(space: Namespace, *claims: str) -> None:
    """Nothing but the claims themselves stays of uploads that are over."""
    for kind in ("pod", "svc", "volumeuploadsource"):
        space.only(kind)
    space.only("pvc", *claims)
    assert not [name for name in space.names("secret") if name.startswith("cdi-upload")]


@pytest.mark.parametrize("mode", ["Filesystem", "Block"])
@pytest.mark.parametrize("way", WAYS)
def test_a_data_volume_takes_an_upload(space, images, way, mode):
    volume = data_volume("disk", UPLOAD, annotations=by_way(way), by="pvc", volumeMode=mode)
    with space.watch("pvc", "{.metadata.name}") as claims:
        space.apply(volume)
        sender = ready(space, "disk")
        status = space.get("dv", "disk")["status"]
        assert status["progress"] == "N/A"
        said = {each["type"]: each["status"] for each in status["conditions"]}
        assert (said["Running"], said["Ready"]) == ("True", "False")
        answer = sender.send(images.qcow2.read_bytes())
        assert answer.status == 200, answer.body
        space.wait_phase("disk", "Succeeded")
        assert not [name for name in claims.lines if "scratch" in name]
    is_same(space, "disk", images.raw)
    nothing_left(space, "disk")
    reasons = space.kubectl(
        "get", "events", "-ojsonpath={.items[?(@.involvedObject.kind=='DataVolume')].reason}"
    ).split()
    for reason in ("UploadScheduled", "UploadReady", "UploadSucceeded"):
        assert reason in reasons
    assert Sender.to(space, "disk").send(b"again").status in (409, 503)


def test_a_claim_takes_an_upload_without_a_data_volume(space, images):
    space.apply(claim("hand", TARGET))
    ready_now = "jsonpath={.metadata.annotations.cdi\\.kubevirt\\.io/storage\\.pod\\.ready}=true"
    space.wait("pvc/hand", ready_now)
    assert Sender.to(space, "hand").send(images.gz.read_bytes()).status == 200
    is_same(space, "hand", images.raw)
    nothing_left(space, "hand")


def test_a_claim_that_names_an_upload_source_is_filled_before_it_is_bound(space, images):
    source = {
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "VolumeUploadSource",
        "metadata": {"name": "mine"}, "spec": {"contentType": "kubevirt"},
    }  # fmt: skip
    reference = {
        "apiGroup": "cdi.kubevirt.io", "kind": "VolumeUploadSource", "name": "mine",
    }  # fmt: skip
    space.apply(source, claim("hand", {}, dataSourceRef=reference))
    ready_now = "jsonpath={.metadata.annotations.cdi\\.kubevirt\\.io/storage\\.pod\\.ready}=true"
    space.wait("pvc/hand", ready_now)
    assert space.get("pvc", "hand")["status"]["phase"] == "Pending"
    assert Sender.to(space, "hand").send(images.raw.read_bytes()).status == 200
    space.wait("pvc/hand", "jsonpath={.status.phase}=Bound")
    is_same(space, "hand", images.raw)
    space.kubectl("delete", "volumeuploadsource", "mine")
    nothing_left(space, "hand")


@pytest.mark.parametrize("way", WAYS)
def test_an_archive_becomes_files(space, way):
    volume = data_volume("files", UPLOAD, annotations=by_way(way))
    volume["spec"]["contentType"] = "archive"
    space.apply(volume)
    packed = tars.archive(tars.folder("folder"), tars.member("folder/file", b"content" * 9000))
    answer = ready(space, "files").send(packed)
    assert answer.status == 200, answer.body
    space.wait_phase("files", "Succeeded")
    disk = space.claim_disk("files")
    if disk is not None:
        assert (disk.parent / "folder" / "file").read_bytes() == b"content" * 9000


@pytest.mark.parametrize("way", WAYS)
def test_why_an_upload_failed_is_on_the_data_volume_and_the_next_one_is_taken(space, images, way):
    space.apply(data_volume("disk", UPLOAD, size="16Mi", annotations=by_way(way)))
    sender = ready(space, "disk")
    with space.watch("dv", "{.status.conditions[?(@.type=='Running')].message}") as said:
        answer = sender.send(images.qcow2.read_bytes())  # a disk of 24 MiB
        assert answer.status in (400, 413)
        too_small = "DataVolume too small to contain image"
        said.until(lambda lines: any(too_small in line for line in lines))
    space.until_event("dv/disk", "UploadFailed")
    small = bytes(1 << 20) + b"disk" * 1000
    assert sender.send(small).status == 200
    space.wait_phase("disk", "Succeeded")


def test_a_disk_that_needs_scratch_space_is_taken_by_the_server_that_has_it(space, images):
    data = disks.convert(images.raw, "vdi").read_bytes()
    space.apply(data_volume("disk", UPLOAD, annotations=by_way("false")))
    sender = ready(space, "disk")
    with space.watch("pod", SERVERS) as servers:
        answer = sender.send(data)
        assert (answer.status, answer.told["reason"]) == (409, "ScratchSpaceRequired")
        servers.until(lambda lines: any("cdi-scratch-vol" in x and "true" in x for x in lines))
    assert ready(space, "disk").send(data).status == 200
    space.wait_phase("disk", "Succeeded")
    is_same(space, "disk", images.raw)
    nothing_left(space, "disk")
    assert "UploadFailed" not in space.kubectl("get", "events", "-ojsonpath={.items[*].reason}")


def test_an_upload_waits_for_the_consumer_unless_it_is_asked_not_to(space, images):
    at_once = {"cdi.kubevirt.io/storage.bind.immediate.requested": ""}
    space.apply(
        data_volume("waits", UPLOAD, storageClassName=WAITING_CLASS),
        data_volume("goes", UPLOAD, storageClassName=WAITING_CLASS, annotations=at_once),
    )
    assert ready(space, "goes").send(images.gz.read_bytes()).status == 200
    space.wait_phase("goes", "Succeeded")
    phase = space.get("dv", "waits")["status"]["phase"]
    assert phase in ("WaitForFirstConsumer", "PendingPopulation")


@pytest.mark.parametrize("way", WAYS)
def test_a_data_volume_that_waits_for_an_upload_is_deleted(space, way):
    space.apply(data_volume("doomed", UPLOAD, annotations=by_way(way)))
    space.wait_phase("doomed", "UploadReady")
    space.kubectl("delete", "dv", "doomed")
    nothing_left(space)


def test_an_upload_is_cancelled(space):
    space.apply(data_volume("disk", UPLOAD, annotations=by_way("false")))
    sender = ready(space, "disk")
    space.kubectl("annotate", "pvc", "disk", "cdi.kubevirt.io/storage.upload.target-")
    space.wait_phase("disk", "UploadScheduled")
    nothing_left(space, "disk")
    assert sender.send(b"too late").status == 409


def test_ten_uploads_to_ten_volumes_at_once(space, images):
    names = [f"disk-{number}" for number in range(10)]
    space.apply(*(data_volume(name, UPLOAD) for name in names))
    data = images.qcow2.read_bytes()
    all_ready = [ready(space, name) for name in names]
    with ThreadPoolExecutor(len(names)) as pool:
        statuses = list(pool.map(lambda each: each.send(data).status, all_ready))
    assert statuses == [200] * len(names)
    for name in names:
        space.wait_phase(name, "Succeeded")
        is_same(space, name, images.raw)


# Uploads that are broken off.


def servers(machine: Machine) -> list[int]:
    """The upload servers of a machine, by their process ids."""
    return machine.workers(b"cdi.workers.uploadserver")


def delete_pod(space: Namespace, *how: str) -> None:
    (name,) = space.names("pod")
    space.kubectl("delete", "pod", name, "--wait=false", *how)


def kill_server(space: Namespace) -> None:
    """As a kernel short of memory does; of a cluster's, the main process of the container."""
    cluster = space.cluster
    if isinstance(cluster, Machine):
        for pid in servers(cluster):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return
    (name,) = space.names("pod")
    with contextlib.suppress(AssertionError):
        space.kubectl("exec", name, "--", "kill", "-9", "1")


BREAKS: dict[str, Callable[[Namespace, socket.socket], None]] = {
    "reset": lambda _space, line: senders.reset(line),
    "silence": lambda _space, _line: None,
    "server-killed": lambda space, _line: kill_server(space),
    "pod-deleted": lambda space, _line: delete_pod(space, "--grace-period=0", "--force"),
    "pod-drained": lambda space, _line: delete_pod(space),
}


def begun_within(space: Namespace, name: str, data: bytes) -> tuple[socket.socket, float]:
    """Try until an upload is taken, as clients do; return it, and how long that took."""
    begun = time.monotonic()
    while True:
        line = Sender.to(space, name).begin(data[: 2 << 20], len(data))
        taken = time.monotonic() - begun
        if line is not None:
            return line, taken
        assert taken < PATIENCE, "no upload is taken any more"


@pytest.mark.parametrize(
    ("how", "way"), [*((how, "false") for how in BREAKS), ("pod-deleted", "true")]
)
def test_after_an_upload_that_is_broken_off_the_next_one_is_taken(space, images, how, way):
    space.apply(data_volume("disk", UPLOAD, annotations=by_way(way)))
    space.wait_phase("disk", "UploadReady")
    broken_off(space, images.raw.read_bytes(), lambda line: BREAKS[how](space, line))
    assert Sender.to(space, "disk").send(images.qcow2.read_bytes()).status == 200
    space.wait_phase("disk", "Succeeded")
    is_same(space, "disk", images.raw)


def test_the_proxy_of_a_machine_may_be_killed_during_an_upload(machine, images):
    def killed(_line: socket.socket) -> None:
        machine.kill()
        machine.start()

    with machine.namespace() as space:
        space.apply(data_volume("disk", UPLOAD))
        space.wait_phase("disk", "UploadReady")
        broken_off(space, images.raw.read_bytes(), killed)
        assert Sender.to(space, "disk").send(images.qcow2.read_bytes()).status == 200
        space.wait_phase("disk", "Succeeded")
        is_same(space, "disk", images.raw)


def broken_off(space: Namespace, data: bytes, disturb: Callable[[socket.socket], None]) -> None:
    """Break uploads off, ROUNDS of them; the next one is taken, and it is printed how soon."""
    lines = []
    for number in range(ROUNDS + 1):
        line, taken = begun_within(space, "disk", data)
        lines.append(line)
        print(f"{space.name}: upload {number} was taken after {taken:.1f} s")
        if number < ROUNDS:
            disturb(line)
    for line in lines:
        line.close()
