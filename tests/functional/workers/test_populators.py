"""Disks for the populators of OpenStack and oVirt, by the Secrets that these have."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cdi.api.workorder import WorkOrder
from support import authority, disks, openstack, ovirt, worker

MIB = 1 << 20
DISK = b"\xeb\x63\x90" + random.Random(5).randbytes(3 * MIB - 5) + b"\x55\xaa"


@dataclass
class Mounts:
    """Mounts of an importer, and the Secret among them."""

    places: worker.Mounts
    secret: Path

    def give(self, keys: Mapping[str, str]) -> None:
        for key, value in keys.items():
            (self.secret / key).write_text(value)

    def run(self, order: WorkOrder) -> worker.Ended:
        return worker.run(order, self.places, CDI_POPULATOR_DIR=str(self.secret))


@pytest.fixture
def mounts(tmp_path: Path) -> Mounts:
    secret = tmp_path / "secret"
    secret.mkdir()
    return Mounts(worker.Mounts(tmp_path), secret)


@pytest.fixture
def cloud() -> Iterator[openstack.Cloud]:
    with openstack.Cloud() as running:
        yield running


def of_openstack(cloud: openstack.Cloud, image: str) -> WorkOrder:
    return worker.order(cloud.identity_url, source="openstack", disk_id=image)


WAYS = {
    "password": openstack.SECRET,
    "user-id": {"userID": "user-1", "password": openstack.PASSWORD, "projectID": "p"},
    "token": {"authType": "token", "token": openstack.TOKEN_BEFORE, "projectID": "p"},
    "application": {"authType": "applicationcredential", **openstack.APPLICATION},
}


@pytest.mark.parametrize("way", WAYS)
def test_an_image_becomes_a_disk_however_one_is_known(way: str, cloud, mounts) -> None:
    mounts.give({**WAYS[way], "url": "not looked at"})
    ended = mounts.run(of_openstack(cloud, cloud.add(DISK)))

    assert (ended.status, ended.termination.message) == (0, "Import Complete")
    assert mounts.places.disk.read_bytes()[: len(DISK)] == DISK
    secrets = (openstack.PASSWORD, openstack.TOKEN_BEFORE, "app-secret", "token-1")
    assert not [secret for secret in secrets if secret in ended.log]


@pytest.mark.parametrize("ranges", [True, False])
def test_an_image_that_is_no_raw_disk_is_converted(
    ranges: bool, cloud, mounts, tmp_path: Path
) -> None:
    raw = disks.raw_disk(tmp_path / "disk.raw")
    data = disks.convert(raw, "qcow2").read_bytes()
    mounts.give(openstack.SECRET)
    ended = mounts.run(of_openstack(cloud, cloud.add(data, ranges=ranges)))

    assert ended.status == 0
    assert disks.differs(mounts.places.disk, raw) in ("", "length")


def test_bytes_that_are_not_those_of_the_digest_are_refused(cloud, mounts) -> None:
    wrong = {"os_hash_algo": "sha512", "os_hash_value": "0" * 128}
    mounts.give(openstack.SECRET)
    ended = mounts.run(of_openstack(cloud, cloud.add(DISK, digest=False, more=wrong)))

    assert (ended.termination.reason, ended.termination.permanent) == ("ChecksumError", True)


REFUSED = [
    pytest.param({**openstack.SECRET, "password": "wrong"}, "AccessDenied", True, id="password"),
    pytest.param({**openstack.SECRET, "regionName": "mars"}, "SourceRefused", False, id="region"),
    pytest.param({"username": openstack.USER, "password": openstack.PASSWORD}, "SourceRefused",
                 False, id="no-project"),
    pytest.param({"authType": "magic"}, "InvalidRequest", False, id="unknown-way"),
    pytest.param({"username": openstack.USER}, "InvalidRequest", False, id="no-password"),
    pytest.param({**openstack.SECRET, "insecureSkipVerify": "perhaps"}, "InvalidRequest", False,
                 id="neither-true-nor-false"),
    pytest.param({**openstack.SECRET, "cacert": "Zm9v"}, "InvalidRequest", False, id="no-ca"),
]  # fmt: skip


@pytest.mark.parametrize(("secret", "reason", "mendable"), REFUSED)
def test_what_is_wrong_with_a_secret_is_told(
    secret: dict[str, str], reason: str, mendable: bool, cloud, mounts
) -> None:
    mounts.give(secret)
    said = mounts.run(of_openstack(cloud, cloud.add(DISK))).termination

    assert (said.reason, said.permanent, said.mendable) == (reason, True, mendable)
    assert openstack.PASSWORD not in said.message


@pytest.mark.parametrize(
    "image", [pytest.param("nowhere", id="missing"), pytest.param("queued", id="no-bytes-yet")]
)
def test_an_image_that_is_not_there_yet_is_waited_for(image: str, cloud, mounts) -> None:
    name = cloud.add(DISK, status="queued") if image == "queued" else image
    mounts.give(openstack.SECRET)
    said = mounts.run(of_openstack(cloud, name)).termination

    assert (said.reason, said.mendable) == ("SourceNotFound", True)


def test_the_ca_of_the_secret_is_trusted(mounts, tmp_path: Path) -> None:
    made = authority.Authority(tmp_path / "authority")
    with openstack.Cloud(tls=made.server_context("127.0.0.1")) as cloud:
        image = cloud.add(DISK)
        mounts.give(openstack.SECRET)
        assert mounts.run(of_openstack(cloud, image)).termination.reason == "CertificateInvalid"
        mounts.give({"cacert": made.ca.read_text()})
        assert mounts.run(of_openstack(cloud, image)).status == 0


@pytest.mark.parametrize("trust", ["cacert", "insecureSkipVerify"])
def test_a_disk_of_ovirt_comes_with_the_populators_secret(
    trust: str, mounts, tmp_path: Path
) -> None:
    made = authority.Authority(tmp_path / "authority")
    raw = disks.text_disk(tmp_path / "disk.raw", 8 * MIB, MIB)
    known = made.ca.read_text() if trust == "cacert" else "true"
    with (
        ovirt.Host(tmp_path / "host", made.issue("127.0.0.1")) as host,
        ovirt.Engine(host, made.server_context("127.0.0.1")) as engine,
    ):
        engine.disks["disk-1"] = ovirt.Disk(raw)
        mounts.give({"user": ovirt.USER, "password": ovirt.PASSWORD, trust: known})
        ended = mounts.run(worker.order(engine.url, source="ovirt", disk_id="disk-1"))

    assert (ended.status, ended.termination.message) == (0, "Import Complete")
    assert mounts.places.disk.read_bytes()[: 8 * MIB] == raw.read_bytes()
    assert ovirt.PASSWORD not in ended.log
