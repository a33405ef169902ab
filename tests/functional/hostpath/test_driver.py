"""Every call of the CSI driver, over its socket, with a client that is not ours."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import csi, loopdev
from support.csi import ALONE, BLOCK, MOUNT, Client, Refused
from support.csidriver import NODE, Driver

KEY = "topology.hostpath.csi/node"
MIB = 1 << 20
TOO_MUCH = 1 << 60

pytestmark = loopdev.needs_root


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    with Driver(tmp_path_factory.mktemp("driver"), "local", "other") as running:
        yield running


@pytest.fixture
def client(driver: Driver) -> Iterator[Client]:
    yield driver.client
    for name in driver.client.volumes():
        driver.client.call("Controller/DeleteVolume", volume_id=name)
    for entry in driver.client.call("Controller/ListSnapshots").get("entries", []):
        driver.client.call(
            "Controller/DeleteSnapshot", snapshot_id=entry["snapshot"]["snapshot_id"]
        )


def test_it_says_who_it_is_and_what_it_can_do(client: Client) -> None:
    info = client.call("Identity/GetPluginInfo")
    plugin = client.call("Identity/GetPluginCapabilities")["capabilities"]
    controller = client.call("Controller/ControllerGetCapabilities")["capabilities"]
    node = client.call("Node/NodeGetCapabilities")["capabilities"]

    assert info["name"] == "kubevirt.io.hostpath-provisioner"
    assert client.call("Identity/Probe") == {"ready": True}
    assert plugin == [
        {"service": {"type": "CONTROLLER_SERVICE"}},
        {"service": {"type": "VOLUME_ACCESSIBILITY_CONSTRAINTS"}},
        {"volume_expansion": {"type": "ONLINE"}},
    ]
    assert {each["rpc"]["type"] for each in controller} == {
        "CREATE_DELETE_VOLUME", "LIST_VOLUMES", "GET_CAPACITY", "CREATE_DELETE_SNAPSHOT",
        "LIST_SNAPSHOTS", "CLONE_VOLUME", "EXPAND_VOLUME", "VOLUME_CONDITION", "GET_VOLUME",
        "SINGLE_NODE_MULTI_WRITER", "GET_SNAPSHOT",
    }  # fmt: skip
    assert {each["rpc"]["type"] for each in node} == {
        "GET_VOLUME_STATS", "EXPAND_VOLUME", "VOLUME_CONDITION", "SINGLE_NODE_MULTI_WRITER",
    }  # fmt: skip
    assert client.call("Node/NodeGetInfo") == {
        "node_id": NODE,
        "accessible_topology": {"segments": {KEY: NODE}},
    }


def made(**request: object) -> dict[str, object]:
    return {"name": "pvc-x", "volume_capabilities": [MOUNT], **request}


REFUSED = [
    # No name, no capability, nonsense in both.
    ("Controller/CreateVolume", made(name=""), "INVALID_ARGUMENT"),
    ("Controller/CreateVolume", made(name="../x"), "INVALID_ARGUMENT"),
    ("Controller/CreateVolume", made(name="a/b"), "INVALID_ARGUMENT"),
    ("Controller/CreateVolume", made(name=".records"), "INVALID_ARGUMENT"),
    ("Controller/CreateVolume", made(name="snapshots"), "INVALID_ARGUMENT"),
    ("Controller/CreateVolume", made(name="a\nb"), "INVALID_ARGUMENT"),
    ("Controller/CreateVolume", made(name="x" * 300), "INVALID_ARGUMENT"),
    ("Controller/CreateVolume", made(volume_capabilities=[]), "INVALID_ARGUMENT"),
    ("Controller/CreateVolume", made(volume_capabilities=[{}]), "INVALID_ARGUMENT"),
    ("Controller/CreateVolume", made(volume_capabilities=[MOUNT, BLOCK]), "INVALID_ARGUMENT"),
    ("Controller/CreateVolume", made(parameters={"storagePool": "no"}), "INVALID_ARGUMENT"),
    ("Controller/CreateVolume", made(parameters={"storagePool": "../.."}), "INVALID_ARGUMENT"),
    (
        "Controller/CreateVolume",
        made(accessibility_requirements={"requisite": [{"segments": {KEY: "node-b"}}]}),
        "INVALID_ARGUMENT",
    ),
    ("Controller/CreateVolume", made(capacity_range={"required_bytes": -1}), "INVALID_ARGUMENT"),
    (
        "Controller/CreateVolume",
        made(capacity_range={"required_bytes": 2, "limit_bytes": 1}),
        "INVALID_ARGUMENT",
    ),
    ("Controller/CreateVolume", made(capacity_range={"required_bytes": TOO_MUCH}), "OUT_OF_RANGE"),
    (
        "Controller/CreateVolume",
        made(volume_capabilities=[BLOCK], capacity_range={"limit_bytes": 100}),
        "OUT_OF_RANGE",
    ),
    ("Controller/CreateVolume", made(volume_content_source={}), "INVALID_ARGUMENT"),
    (
        "Controller/CreateVolume",
        made(volume_content_source={"snapshot": {"snapshot_id": ""}}),
        "INVALID_ARGUMENT",
    ),
    (
        "Controller/CreateVolume",
        made(volume_content_source={"snapshot": {"snapshot_id": "no"}}),
        "NOT_FOUND",
    ),
    (
        "Controller/CreateVolume",
        made(volume_content_source={"volume": {"volume_id": "../legacy"}}),
        "NOT_FOUND",
    ),
    ("Controller/DeleteVolume", {}, "INVALID_ARGUMENT"),
    ("Controller/ControllerPublishVolume", {"volume_id": "x"}, "UNIMPLEMENTED"),
    ("Controller/ValidateVolumeCapabilities", {"volume_capabilities": [MOUNT]}, "INVALID_ARGUMENT"),
    ("Controller/ValidateVolumeCapabilities", {"volume_id": "no"}, "INVALID_ARGUMENT"),
    (
        "Controller/ValidateVolumeCapabilities",
        {"volume_id": "no", "volume_capabilities": [MOUNT]},
        "NOT_FOUND",
    ),
    ("Controller/ListVolumes", {"max_entries": -1}, "INVALID_ARGUMENT"),
    ("Controller/ListVolumes", {"starting_token": "foreign"}, "ABORTED"),
    ("Controller/ListSnapshots", {"starting_token": "foreign"}, "ABORTED"),
    ("Controller/GetCapacity", {"parameters": {"storagePool": "no"}}, "INVALID_ARGUMENT"),
    ("Controller/ControllerGetVolume", {}, "INVALID_ARGUMENT"),
    ("Controller/ControllerGetVolume", {"volume_id": ".."}, "NOT_FOUND"),
    ("Controller/ControllerGetVolume", {"volume_id": ".records"}, "NOT_FOUND"),
    ("Controller/ControllerExpandVolume", {}, "INVALID_ARGUMENT"),
    ("Controller/ControllerExpandVolume", {"volume_id": "no"}, "INVALID_ARGUMENT"),
    (
        "Controller/ControllerExpandVolume",
        {"volume_id": "no", "capacity_range": {"required_bytes": 1}},
        "NOT_FOUND",
    ),
    ("Controller/CreateSnapshot", {"name": "s"}, "INVALID_ARGUMENT"),
    ("Controller/CreateSnapshot", {"source_volume_id": "no"}, "INVALID_ARGUMENT"),
    ("Controller/CreateSnapshot", {"name": "s", "source_volume_id": "no"}, "NOT_FOUND"),
    ("Controller/CreateSnapshot", {"name": "s", "source_volume_id": "../x"}, "NOT_FOUND"),
    ("Controller/DeleteSnapshot", {}, "INVALID_ARGUMENT"),
    ("Controller/GetSnapshot", {}, "INVALID_ARGUMENT"),
    ("Controller/GetSnapshot", {"snapshot_id": "../x"}, "NOT_FOUND"),
    ("Node/NodePublishVolume", {}, "INVALID_ARGUMENT"),
    (
        "Node/NodePublishVolume",
        {"target_path": "/nowhere/x", "volume_capability": MOUNT},
        "INVALID_ARGUMENT",
    ),
    ("Node/NodePublishVolume", {"volume_id": "x", "volume_capability": MOUNT}, "INVALID_ARGUMENT"),
    ("Node/NodePublishVolume", {"volume_id": "x", "target_path": "/nowhere/x"}, "INVALID_ARGUMENT"),
    (
        "Node/NodePublishVolume",
        {"volume_id": "no", "target_path": "/nowhere/x", "volume_capability": MOUNT},
        "NOT_FOUND",
    ),
    (
        "Node/NodePublishVolume",
        {"volume_id": "../x", "target_path": "/nowhere/x", "volume_capability": MOUNT},
        "NOT_FOUND",
    ),
    (
        "Node/NodePublishVolume",
        {"volume_id": "no", "target_path": "nowhere", "volume_capability": MOUNT},
        "INVALID_ARGUMENT",
    ),
    ("Node/NodeUnpublishVolume", {"target_path": "/nowhere/x"}, "INVALID_ARGUMENT"),
    ("Node/NodeUnpublishVolume", {"volume_id": "x"}, "INVALID_ARGUMENT"),
    ("Node/NodeGetVolumeStats", {"volume_id": "x"}, "INVALID_ARGUMENT"),
    ("Node/NodeGetVolumeStats", {"volume_path": "/x"}, "INVALID_ARGUMENT"),
    ("Node/NodeGetVolumeStats", {"volume_id": "no", "volume_path": "/tmp"}, "NOT_FOUND"),
    ("Node/NodeExpandVolume", {"volume_id": "no", "volume_path": "/tmp"}, "NOT_FOUND"),
    ("Node/NodeExpandVolume", {"volume_id": "x"}, "INVALID_ARGUMENT"),
]


@pytest.mark.parametrize(("method", "request_", "code"), REFUSED)
def test_what_cannot_be_is_refused_with_the_right_code(
    driver: Driver, client: Client, method: str, request_: dict[str, object], code: str
) -> None:
    with pytest.raises(Refused) as refused:
        client.call(method, **request_)

    assert refused.value.code == code
    assert client.volumes() == []
    assert driver.left("legacy") == []


def test_a_volume_is_made_once_and_described(client: Client, driver: Driver) -> None:
    first, again = client.create("pvc-1"), client.create("pvc-1")

    assert first == again
    assert first["volume_id"] == "pvc-1"
    assert first["volume_context"] == {"storagePool": "local"}
    assert first["accessible_topology"] == [{"segments": {KEY: NODE}}]
    assert int(first["capacity_bytes"]) >= MIB
    directory = driver.roots["local"] / "pvc-1"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o777


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"size": 2 * MIB}, "ALREADY_EXISTS"),
        ({"capability": BLOCK}, "ALREADY_EXISTS"),
        ({"parameters": {"storagePool": "other"}}, "ALREADY_EXISTS"),
        ({"volume_content_source": {"volume": {"volume_id": "pvc-2"}}}, "ALREADY_EXISTS"),
    ],
)
def test_a_name_is_of_one_volume(client: Client, change: dict[str, object], code: str) -> None:
    client.create("pvc-1")
    client.create("pvc-2")

    with pytest.raises(Refused) as refused:
        client.create("pvc-1", **change)
    assert refused.value.code == code


def test_a_volume_is_removed_with_all_that_is_in_it(client: Client, driver: Driver) -> None:
    client.create("pvc-1")
    (driver.roots["local"] / "pvc-1" / "folder").mkdir()
    (driver.roots["local"] / "pvc-1" / "folder" / "file").write_text("x")
    for _ in range(2):
        client.call("Controller/DeleteVolume", volume_id="pvc-1")

    assert driver.left() == []


@pytest.mark.parametrize("volume", ["../legacy", "/etc", "..", ".records", "snapshots", "x" * 300])
def test_what_is_no_volume_is_not_removed(client: Client, driver: Driver, volume: str) -> None:
    client.create("pvc-1")
    (driver.roots["local"] / "snapshots").mkdir(exist_ok=True)
    client.call("Controller/DeleteVolume", volume_id=volume)

    assert client.volumes() == ["pvc-1"]
    (driver.roots["local"] / "snapshots").rmdir()
    assert (driver.roots["local"] / ".records").exists()


def test_lists_come_in_pages_and_none_is_lost(client: Client) -> None:
    names = [f"pvc-{number}" for number in range(5)]
    for name in names:
        client.create(name)
    found, token = [], ""
    while True:
        page = client.call("Controller/ListVolumes", max_entries=2, starting_token=token)
        found += [each["volume"]["volume_id"] for each in page["entries"]]
        if not (token := page.get("next_token", "")):
            break
        client.call("Controller/DeleteVolume", volume_id=found[-1])  # no obstacle for the next

    assert found == names
    assert page["entries"][0]["status"]["published_node_ids"] == [NODE]


def test_a_condition_says_what_is_wrong(client: Client, driver: Driver) -> None:
    client.create("pvc-1", capability=BLOCK)
    well = client.call("Controller/ControllerGetVolume", volume_id="pvc-1")
    (driver.roots["local"] / "pvc-1" / "disk.img").unlink()
    ill = client.call("Controller/ControllerGetVolume", volume_id="pvc-1")

    assert not well["status"]["volume_condition"].get("abnormal")
    assert ill["status"]["volume_condition"]["abnormal"]
    assert "disk.img" in ill["status"]["volume_condition"]["message"]


def test_capacity_is_what_the_file_system_has(client: Client, driver: Driver) -> None:
    there = os.statvfs(driver.roots["local"])
    answer = client.call("Controller/GetCapacity", parameters={"storagePool": "local"})
    elsewhere = client.call("Controller/GetCapacity", accessible_topology={"segments": {KEY: "b"}})

    assert abs(int(answer["available_capacity"]) - there.f_bavail * there.f_frsize) < 1 << 30
    assert int(answer["maximum_volume_size"]) <= there.f_blocks * there.f_frsize
    assert elsewhere == {}


def test_a_directory_is_given_to_a_pod_and_taken_back(client: Client, tmp_path: Path) -> None:
    client.create("pvc-1")
    target = tmp_path / "target"
    for _ in range(2):
        client.publish("pvc-1", target)
    (target / "file").write_text("kept")
    stats = client.call("Node/NodeGetVolumeStats", volume_id="pvc-1", volume_path=str(target))
    for _ in range(2):
        client.unpublish("pvc-1", target)
    gone = not target.exists()
    client.publish("pvc-1", target, readonly=True)

    assert {each["unit"] for each in stats["usage"]} == {"BYTES", "INODES"}
    assert not stats["volume_condition"].get("abnormal")
    assert gone
    assert (target / "file").read_text() == "kept"
    with pytest.raises(OSError, match="Read-only"):
        (target / "file").write_text("changed")
    client.unpublish("pvc-1", target)


def test_a_volume_in_use_is_not_removed(client: Client, tmp_path: Path) -> None:
    client.create("pvc-1")
    client.publish("pvc-1", tmp_path / "target")
    with pytest.raises(Refused) as refused:
        client.call("Controller/DeleteVolume", volume_id="pvc-1")
    client.unpublish("pvc-1", tmp_path / "target")

    assert refused.value.code == "FAILED_PRECONDITION"


def test_a_target_with_files_is_never_emptied(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "precious").touch()
    client.create("pvc-1")

    with pytest.raises(Refused):
        client.unpublish("pvc-1", target)
    assert (target / "precious").exists()


def test_one_pod_alone_means_one(client: Client, tmp_path: Path) -> None:
    client.create("pvc-1", capability=ALONE)
    client.publish("pvc-1", tmp_path / "first", ALONE)
    with pytest.raises(Refused) as refused:
        client.publish("pvc-1", tmp_path / "second", ALONE)
    client.unpublish("pvc-1", tmp_path / "first")

    assert refused.value.code == "FAILED_PRECONDITION"


def test_a_device_is_given_to_a_pod_grows_and_is_taken_back(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "device"
    client.create("pvc-1", size=MIB, capability=BLOCK)
    client.publish("pvc-1", target, BLOCK)
    target.write_bytes(b"data")
    client.call(
        "Controller/ControllerExpandVolume",
        volume_id="pvc-1",
        capacity_range={"required_bytes": 3 * MIB},
    )
    with target.open("rb") as device:
        size = device.seek(0, os.SEEK_END)
    is_device = target.is_block_device()
    client.unpublish("pvc-1", target)

    assert is_device
    assert size == 3 * MIB
    assert not target.exists()


def test_an_inline_volume_lives_as_long_as_its_pod(
    client: Client, driver: Driver, tmp_path: Path
) -> None:
    target = tmp_path / "inline"
    context = {"csi.storage.k8s.io/ephemeral": "true", "storagePool": "other"}
    client.publish("csi-1", target, volume_context=context)
    (target / "file").touch()
    there = driver.left("other")
    client.unpublish("csi-1", target)

    assert there == [".records/csi-1.json", "csi-1"]
    assert driver.left("other") == []


def test_the_prefix_of_a_name_makes_nothing_ephemeral(client: Client, tmp_path: Path) -> None:
    client.create("csi-precious")
    client.publish("csi-precious", tmp_path / "target")
    client.unpublish("csi-precious", tmp_path / "target")

    assert client.volumes() == ["csi-precious"]


def test_snapshots_keep_what_there_was(client: Client, driver: Driver) -> None:
    root = driver.roots["local"]
    client.create("pvc-1")
    (root / "pvc-1" / "file").write_text("before")
    request = {"name": "snap", "source_volume_id": "pvc-1"}
    first = client.call("Controller/CreateSnapshot", **request)["snapshot"]
    (root / "pvc-1" / "file").write_text("after")
    again = client.call("Controller/CreateSnapshot", **request)["snapshot"]
    listed = client.call("Controller/ListSnapshots", source_volume_id="pvc-1")["entries"]
    client.call("Controller/DeleteVolume", volume_id="pvc-1")
    source = {"snapshot": {"snapshot_id": "snap"}}
    restored = client.create("pvc-2", volume_content_source=source)
    elsewhere = client.create(
        "pvc-3", volume_content_source=source, parameters={"storagePool": "other"}
    )

    assert first == again == listed[0]["snapshot"]
    assert first["ready_to_use"]
    assert int(first["size_bytes"]) == MIB
    assert restored["content_source"] == source == elsewhere["content_source"]
    assert (root / "pvc-2" / "file").read_text() == "before"
    assert (driver.roots["other"] / "pvc-3" / "file").read_text() == "before"
    for _ in range(2):
        client.call("Controller/DeleteSnapshot", snapshot_id="snap")
    assert client.call("Controller/ListSnapshots", snapshot_id="snap") == {}


def test_snapshots_of_the_driver_before_can_be_listed_restored_and_removed(
    client: Client, driver: Driver
) -> None:
    former = driver.roots["local"] / "snapshots"
    for name in ("old", "broken"):
        (former / name / "data" / "folder").mkdir(parents=True)
    (former / "old" / "pvc-1").mkdir()
    (former / "old" / "data" / "folder" / "file").write_text("kept")
    source = {"snapshot": {"snapshot_id": "old"}}
    listed = client.call("Controller/ListSnapshots")["entries"]
    again = client.call("Controller/CreateSnapshot", name="old", source_volume_id="pvc-1")
    client.create("pvc-2", volume_content_source=source)
    client.create("pvc-3", volume_content_source=source, parameters={"storagePool": "other"})
    for _ in range(2):
        client.call("Controller/DeleteSnapshot", snapshot_id="old")

    (only,) = listed
    assert only["snapshot"] == again["snapshot"]
    assert only["snapshot"]["source_volume_id"] == "pvc-1"
    assert only["snapshot"]["ready_to_use"]
    for pool, volume in (("local", "pvc-2"), ("other", "pvc-3")):
        assert (driver.roots[pool] / volume / "folder" / "file").read_text() == "kept"
    assert [each.name for each in former.iterdir()] == ["broken"]
    assert client.volumes() == ["pvc-2", "pvc-3"]
    shutil.rmtree(former)


def test_a_snapshots_name_is_of_one_volume(client: Client) -> None:
    client.create("pvc-1")
    client.create("pvc-2")
    client.call("Controller/CreateSnapshot", name="snap", source_volume_id="pvc-1")

    with pytest.raises(Refused) as refused:
        client.call("Controller/CreateSnapshot", name="snap", source_volume_id="pvc-2")
    assert refused.value.code == "ALREADY_EXISTS"
    with pytest.raises(Refused) as refused:
        client.call(
            "Controller/CreateSnapshot",
            name="new",
            source_volume_id="pvc-1",
            parameters={"storagePool": "other"},
        )
    assert refused.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("capability", [MOUNT, BLOCK], ids=["directory", "device"])
def test_a_clone_holds_what_its_source_does(
    client: Client, driver: Driver, capability: dict[str, object]
) -> None:
    root = driver.roots["local"]
    client.create("pvc-1", capability=capability)
    with (root / "pvc-1" / "disk.img").open("r+b" if capability is BLOCK else "wb") as disk:
        disk.write(b"content")
    source = {"volume": {"volume_id": "pvc-1"}}
    clone = client.create(
        "pvc-2", size=2 * MIB, capability=capability, volume_content_source=source
    )
    codes = []
    for change in ({"size": 1}, {"capability": BLOCK if capability is MOUNT else MOUNT}):
        wish = {"capability": capability, "size": MIB, **change}
        with pytest.raises(Refused) as refused:
            client.create("pvc-3", volume_content_source=source, **wish)
        codes.append(refused.value.code)

    assert clone["content_source"] == source
    assert (root / "pvc-2" / "disk.img").read_bytes()[:7] == b"content"
    assert codes == ["OUT_OF_RANGE", "INVALID_ARGUMENT"]


def test_concurrent_calls_for_the_same_agree(client: Client, driver: Driver) -> None:
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda _: client.create("pvc-1"), range(32)))
        list(
            threads.map(
                lambda _: client.call("Controller/DeleteVolume", volume_id="pvc-1"), range(32)
            )
        )

    assert all(each == found[0] for each in found)
    assert driver.left() == []


def test_concurrent_calls_for_others_do_not_disturb(client: Client, driver: Driver) -> None:
    names = [f"pvc-{number:03}" for number in range(200)]
    with ThreadPoolExecutor(32) as threads:
        list(threads.map(client.create, names))
        there = client.volumes()
        list(
            threads.map(lambda each: client.call("Controller/DeleteVolume", volume_id=each), names)
        )

    assert there == names
    assert driver.left() == []
    assert driver.resident() < 100 * MIB


def test_a_pool_that_is_gone_is_said_to_be(client: Client, driver: Driver) -> None:
    root = driver.roots["other"]
    client.create("pvc-1", parameters={"storagePool": "other"})
    aside = root.with_name("aside")
    root.rename(aside)
    try:
        codes = []
        for method, request in (
            ("Controller/CreateVolume", made(parameters={"storagePool": "other"})),
            ("Controller/DeleteVolume", {"volume_id": "pvc-1"}),
            ("Controller/ControllerGetVolume", {"volume_id": "pvc-1"}),
            ("Controller/GetCapacity", {"parameters": {"storagePool": "other"}}),
        ):
            with pytest.raises(Refused, match=str(root)) as refused:
                client.call(method, **request)
            codes.append(refused.value.code)
        made_anew = root.exists()
    finally:
        aside.rename(root)

    assert set(codes) == {"UNAVAILABLE"}
    assert not made_anew
    assert client.volumes() == ["pvc-1"]


def test_bytes_that_are_no_message_do_no_harm(driver: Driver) -> None:
    import grpc

    with grpc.insecure_channel(f"unix:{driver.socket}") as channel:
        call = channel.unary_unary("/csi.v1.Controller/CreateVolume")
        with pytest.raises(grpc.RpcError):
            call(b"\x0a\xff\xff\xff\xff\xff", timeout=csi.DEADLINE)

    assert driver.client.call("Identity/Probe") == {"ready": True}
