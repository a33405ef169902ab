"""oVirt disks: a DataVolume in one stage, and one that follows a disk in use stage by stage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cdi.api.phases import DataVolume as Phase
from support import authority, disks, ovirt, stages
from support.cluster import Cluster, Namespace
from support.manifests import RETRY_NEVER, data_volume

pytestmark = pytest.mark.e2e

SIZE = 24 << 20
MODES = ["Filesystem", "Block"]
PHASES = "{.status.phase}"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disks.text_disk(tmp_path_factory.mktemp("disks") / "disk.raw", SIZE, SIZE // 3)


@pytest.fixture
def made(tmp_path: Path) -> authority.Authority:
    return authority.Authority(tmp_path / "authority")


@pytest.fixture
def engine(cluster: Cluster, made: authority.Authority, tmp_path: Path) -> Iterator[ovirt.Engine]:
    certificate, context = made.issue(cluster.host), made.server_context(cluster.host)
    with (
        ovirt.Host(tmp_path, certificate) as host,
        ovirt.Engine(host, context, cluster.host, cluster.bind) as engine,
    ):
        yield engine


@pytest.fixture(autouse=True)
def access(space: Namespace, made: authority.Authority) -> None:
    space.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "engine"},
            "stringData": {"accessKeyId": ovirt.USER, "secretKey": ovirt.PASSWORD},
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "authority"},
            "data": {"ca.pem": made.ca.read_text()},
        },
    )


def volume(engine: ovirt.Engine, mode: str, **spec: Any) -> dict[str, Any]:
    source = {
        "url": engine.url,
        "diskId": "disk-1",
        "secretRef": "engine",
        "certConfigMap": "authority",
    }
    wanted = data_volume("disk", {"imageio": source}, volumeMode=mode)
    wanted["spec"].update(spec)
    return wanted


def assert_holds(space: Namespace, raw: Path) -> None:
    disk = space.claim_disk("disk")
    if disk is not None:
        with disk.open("rb") as found:
            assert found.read(raw.stat().st_size) == raw.read_bytes()


@pytest.mark.parametrize("mode", MODES)
def test_a_disk_is_imported(mode, space, engine, raw):
    engine.disks["disk-1"] = ovirt.Disk(raw)
    space.apply(volume(engine, mode))
    status = space.wait_phase("disk", Phase.SUCCEEDED)["status"]
    assert status["progress"] == "100.0%"
    assert_holds(space, raw)
    assert engine.ended() == ["transfer-0 finalize"]


@pytest.mark.parametrize("mode", MODES)
def test_a_disk_in_use_is_followed_in_stages(mode, space, engine, raw, tmp_path):
    engine.disks["disk-1"], end = stages.chain(raw, tmp_path / "chain")
    with space.watch("dv", PHASES) as watch:
        space.apply(volume(engine, mode, checkpoints=stages.STAGES[:1], finalCheckpoint=False))
        space.wait_phase("disk", Phase.PAUSED)
        assert_holds(space, raw)
        space.apply(volume(engine, mode, checkpoints=stages.STAGES, finalCheckpoint=True))
        space.wait_phase("disk", Phase.SUCCEEDED)
        phases = watch.until(lambda lines: Phase.SUCCEEDED in lines)
    assert_holds(space, end)
    assert [each.target for each in engine.transfers.values()] == ["s1", "s2", "disk-1"]
    assert engine.ended() == [f"transfer-{number} finalize" for number in range(3)]
    assert phases.count(Phase.PAUSED) >= 1
    assert Phase.FAILED not in phases


def test_a_wrong_password_fails_for_good(space, engine, raw):
    engine.disks["disk-1"], engine.password = ovirt.Disk(raw), "another"
    wanted = volume(engine, "Filesystem")
    wanted["metadata"]["annotations"] |= RETRY_NEVER
    space.apply(wanted)
    space.wait_phase("disk", Phase.FAILED)
    running = space.conditions("disk")["Running"]
    assert running["reason"] == "Error"
    assert "; reason=AccessDenied" in running["message"]
    assert running["message"].startswith("Unable to connect to imageio data source: ")
