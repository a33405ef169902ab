"""The importer of oVirt disks as a node meets it: messages, signals, kills, certificates."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.api.workorder import WorkOrder
from support import authority, disks, ovirt, stages, worker

MIB = 1 << 20
SIZE, DATA = 64 * MIB, 32 * MIB
CONNECTING = "Unable to connect to imageio data source: "


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> authority.Authority:
    return authority.Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disks.text_disk(tmp_path_factory.mktemp("disks") / "disk.raw", SIZE, DATA)


@pytest.fixture(scope="module")
def host(
    tmp_path_factory: pytest.TempPathFactory, made: authority.Authority
) -> Iterator[ovirt.Host]:
    with ovirt.Host(tmp_path_factory.mktemp("host"), made.issue("127.0.0.1")) as host:
        yield host


@pytest.fixture
def engine(host: ovirt.Host, made: authority.Authority, raw: Path) -> Iterator[ovirt.Engine]:
    with ovirt.Engine(host, made.server_context("127.0.0.1")) as engine:
        snapshots = {"s1": ovirt.Image(raw, "raw")}
        engine.disks["disk-1"] = ovirt.Disk(raw, snapshots=snapshots)
        yield engine


@pytest.fixture
def mounts(tmp_path: Path, made: authority.Authority) -> worker.Mounts:
    mounts = worker.Mounts(tmp_path)
    (mounts.certs / "ca.pem").write_bytes(made.ca.read_bytes())
    return mounts


def order(engine: ovirt.Engine, **more: object) -> WorkOrder:
    fields: dict[str, object] = {
        "source": "imageio",
        "disk_id": "disk-1",
        "access_key_id": ovirt.USER,
        "secret_key": ovirt.PASSWORD,
        "cert_dir": "/certs",
    }
    return worker.order(engine.url, "128Mi", **(fields | more))


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def content(disk: Path) -> bytes:
    with disk.open("rb") as file:
        return file.read(SIZE)


@pytest.mark.parametrize("trust", [{}, {"cert_dir": "", "insecure_tls": True}])
def test_a_disk_arrives(trust, engine, raw, mounts):
    ended = worker.run(order(engine, **trust), mounts)
    assert (ended.status, ended.termination.message) == (0, "Import Complete"), ended.log
    assert content(mounts.disk) == raw.read_bytes()
    assert mounts.disk.stat().st_size == 128 * MIB
    assert ended.termination.bytes_fetched == DATA
    assert left_in(mounts.data) == ["disk.img"]
    said = ended.log + mounts.termination.read_text()
    for secret in (ovirt.PASSWORD, ovirt.TOKEN, engine.only().ticket):
        assert secret not in said


FAILURES = [
    pytest.param({"disk_id": "other"}, "SourceNotFound", "has no disk other", id="no-disk"),
    pytest.param({"secret_key": "wrong-one"}, "AccessDenied", "refuses to log", id="password"),
    pytest.param({"cert_dir": ""}, "CertificateInvalid", "not trusted", id="certificate"),
]


@pytest.mark.parametrize(("wrong", "reason", "words"), FAILURES)
def test_a_failure_says_why_for_good(wrong, reason, words, engine, mounts):
    ended = worker.run(order(engine, **wrong), mounts)
    assert (ended.status, ended.termination.permanent) == (1, True)
    assert ended.termination.reason == reason
    assert ended.termination.message.startswith(CONNECTING)
    assert words in ended.termination.message
    assert "wrong-one" not in ended.log + ended.termination.message
    assert engine.transfers == {}


def test_archives_are_refused(engine, mounts):
    ended = worker.run(order(engine, content_type="archive"), mounts)
    assert ended.termination.permanent
    assert engine.requests == []


def test_a_failed_transfer_is_worth_another_start(engine, mounts):
    engine.phases[0] = "finished_failure"
    ended = worker.run(order(engine), mounts)
    assert (ended.status, ended.termination.permanent) == (1, False)
    assert ended.termination.reason == "SourceUnavailable"
    assert ended.termination.message.startswith(CONNECTING)


def test_a_disk_that_is_too_large_ends_its_transfer(engine, mounts):
    ended = worker.run(worker.order(engine.url, "32Mi", **_fields(engine)), mounts)
    assert ended.termination.reason == "TargetTooSmall"
    assert ended.termination.message.startswith("Unable to process data: ")
    assert engine.ended() == ["transfer-0 cancel"]


def _fields(engine: ovirt.Engine) -> dict[str, object]:
    told = vars(order(engine))
    names = ("source", "disk_id", "access_key_id", "secret_key", "cert_dir")
    return {name: told[name] for name in names}


def test_a_signal_cancels_the_transfer(engine, mounts):
    engine.relay.hold_after(8 * MIB)
    process = worker.start(order(engine), mounts)
    assert engine.relay.held.wait(60)
    process.terminate()
    ended = worker.ended(process, mounts)
    assert (ended.status, ended.termination.reason) == (143, "Cancelled")
    assert engine.ended() == ["transfer-0 cancel"]


def test_a_signal_while_a_disk_is_locked_is_heard(engine, mounts):
    engine.locked = 1000
    process = worker.start(order(engine), mounts)
    while "POST /ovirt-engine/api/imagetransfers" not in engine.requests:
        assert process.poll() is None
    process.terminate()
    assert worker.ended(process, mounts).status == 143


def test_kills_cost_little_where_a_snapshot_is_read(engine, raw, mounts):
    wanted = order(engine, current_checkpoint="s1")
    for _ in range(3):
        engine.relay.hold_after(DATA // 5)
        process = worker.start(wanted, mounts)
        assert engine.relay.held.wait(60)
        process.kill()
        worker.ended(process, mounts)
        assert not mounts.disk.exists()
        engine.relay.release()
    ended = worker.run(wanted, mounts)
    assert ended.status == 0, ended.log
    assert content(mounts.disk) == raw.read_bytes()
    assert engine.relay.passed <= 1.05 * DATA
    assert len(engine.transfers) == 4
    assert left_in(mounts.data) == ["disk.img"]


def test_a_stage_that_was_killed_is_completed(engine, raw, mounts, tmp_path):
    delta = tmp_path / "s2"
    (tmp_path / "s1").symlink_to(raw)
    stages.run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", tmp_path / "s1", delta)
    changes = ("-c", "write -P 5 1M 20M", "-c", "write -z 30M 20M", "-c", "write -P 6 50M 64k")
    stages.run("qemu-io", "-f", "qcow2", *changes, delta)
    engine.disks["disk-1"].snapshots["s2"] = ovirt.Image(delta)
    shutil.copy(raw, mounts.disk)
    wanted = order(engine, current_checkpoint="s2", previous_checkpoint="s1")
    engine.relay.hold_after(10 * MIB)
    process = worker.start(wanted, mounts)
    assert engine.relay.held.wait(60)
    process.kill()
    worker.ended(process, mounts)
    engine.relay.release()
    ended = worker.run(wanted, mounts)
    assert ended.status == 0, ended.log
    stages.run("qemu-img", "convert", "-O", "raw", delta, tmp_path / "want")
    assert disks.differs(tmp_path / "want", mounts.disk) == ""
    assert engine.relay.passed <= 1.05 * delta.stat().st_size
    assert left_in(mounts.data) == ["disk.img"]


def killed_halfway(engine: ovirt.Engine, mounts: worker.Mounts) -> None:
    engine.relay.hold_after(DATA // 2)
    process = worker.start(order(engine), mounts)
    assert engine.relay.held.wait(60)
    process.kill()
    worker.ended(process, mounts)
    engine.relay.release()


def test_a_disk_whose_transfer_outlived_a_kill_is_continued(engine, raw, mounts):
    killed_halfway(engine, mounts)
    ended = worker.run(order(engine), mounts)
    assert content(mounts.disk) == raw.read_bytes(), ended.log
    assert engine.relay.passed <= 1.05 * DATA
    assert engine.ended() == ["transfer-0 finalize"]


def test_a_disk_whose_transfer_has_ended_is_begun_anew(engine, raw, mounts):
    killed_halfway(engine, mounts)
    engine.forget(engine.only(), "cancelled_system")
    ended = worker.run(order(engine), mounts)
    assert ended.termination.bytes_fetched == DATA
    assert content(mounts.disk) == raw.read_bytes()
    assert engine.ended() == ["transfer-1 finalize"]
