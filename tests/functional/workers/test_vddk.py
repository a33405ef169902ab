"""
Imports from vSphere: a real importer, real pyvmomi against a vCenter of ours, and a real nbdkit
whose plugin stands in for VMware's.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import WorkOrder
from cdi.images import errors
from cdi.images.sources.vddk import prepare
from cdi.workers.sources import vddk as sources
from support import authority, disks, loopdev, vddk, vsphere, worker

pytestmark = vddk.needed

MIB = 1 << 20
SIZE = vddk.SIZE
FILE = vddk.FILE


@dataclass
class Site:
    """A vCenter with one machine, the library that reads its disks, and an importer's mounts."""

    server: vsphere.Server
    library: vddk.Library
    mounts: worker.Mounts
    thumbprint: str

    @property
    def machine(self) -> vsphere.Machine:
        return self.server.machines[0]

    def order(self, **more: Any) -> WorkOrder:
        given = {
            "source": "vddk",
            "uuid": "instance-1",
            "backing_file": FILE,
            "thumbprint": self.thumbprint,
            "access_key_id": vsphere.USER,
            "secret_key": vsphere.PASSWORD,
        }
        return worker.order(self.server.url, "32Mi", **(given | more))

    @property
    def env(self) -> dict[str, str]:
        arguments = self.mounts.folder / "vddk-args"
        return {"CDI_VDDK_DIR": str(self.library.folder), "CDI_VDDK_ARGS_DIR": str(arguments)}

    def opened(self, **more: Any) -> None:
        """Open the source as an importer does, in this process."""
        settings, halt = WorkerSettings.from_env(self.env), threading.Event()
        with sources.prepare(self.order(**more), settings, halt) as found:
            found.open(halt).close()

    def run(self, **more: Any) -> worker.Ended:
        return worker.run(self.order(**more), self.mounts, **self.env)


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> authority.Authority:
    return authority.Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def opened(trust: authority.Authority, folder: Path, block: Path | None = None) -> Iterator[Site]:
    library = vddk.library_with_disk(folder / "opt")
    server, thumbprint = vddk.server_for(trust)
    with server:
        yield Site(server, library, worker.Mounts(folder, block), thumbprint)


@pytest.fixture
def site(trust: authority.Authority, tmp_path: Path) -> Iterator[Site]:
    with opened(trust, tmp_path) as found:
        yield found


def grown(disk: Path, size: int = 32 * MIB) -> bytes:
    return disk.read_bytes().ljust(size, b"\0")


def test_a_whole_disk_arrives_and_the_library_is_named(site: Site) -> None:
    ended = site.run()
    assert ended.status == 0, ended.log
    source = site.library.disk(FILE)
    assert site.mounts.disk.read_bytes() == grown(source)
    facts = ended.termination.vddk_info
    assert facts is not None
    assert (facts.version, facts.host) == ("8.0.2", "esx1.example")
    assert ended.termination.bytes_fetched < 1.5 * disks.nonzero_bytes(source)
    assert site.server.calls[-1] == "Logout"


@pytest.mark.parametrize("name", ["bios_uuid", "arguments"])
def test_other_ways_to_the_same_disk(site: Site, name: str) -> None:
    arguments = site.mounts.folder / "vddk-args"
    arguments.mkdir()
    (arguments / "vddk-config-file").write_text("VixDiskLib.nfcAio.Session.BufSizeIn64KB=16\n")
    ended = site.run(uuid="bios-1" if name == "bios_uuid" else "instance-1")
    assert ended.status == 0, ended.log
    assert site.mounts.disk.read_bytes() == grown(site.library.disk(FILE))


def test_authorities_are_enough_without_a_thumbprint(
    site: Site, trust: authority.Authority
) -> None:
    shutil.copy(trust.ca, site.mounts.certs)
    ended = site.run(thumbprint="", cert_dir="/certs")
    assert ended.status == 0, ended.log


# Several stages.


def staged(site: Site) -> list[bytes]:
    return vddk.staged(site.library, site.machine)


def test_three_stages_make_the_disk_of_each_snapshot(site: Site) -> None:
    stages = [("one", ""), ("snapshot-2", "one"), ("three", vddk.CHANGES[1])]
    site.server.forget_sessions_at = "QueryChangedDiskAreas"
    for content, (current, previous) in zip(staged(site), stages, strict=True):
        ended = site.run(current_checkpoint=current, previous_checkpoint=previous)
        assert ended.status == 0, ended.log
        assert site.mounts.disk.read_bytes()[:SIZE] == content
    assert site.mounts.disk.stat().st_size == 32 * MIB
    assert site.server.calls.count("Login") == 4


@loopdev.needs_root
def test_three_stages_fill_a_device(trust: authority.Authority, tmp_path: Path) -> None:
    backing = tmp_path / "device"
    backing.write_bytes(b"\xaa" * (32 * MIB))
    with loopdev.device(backing) as device, opened(trust, tmp_path, device) as site:
        for number, content in enumerate(staged(site)):
            names = ["", "one", "two", "three"]
            ended = site.run(
                current_checkpoint=names[number + 1], previous_checkpoint=names[number]
            )
            assert ended.status == 0, ended.log
            assert device.read_bytes()[:SIZE] == content


def test_more_areas_than_one_answer_holds(site: Site) -> None:
    wanted = staged(site)
    machine, many = site.machine, [(at * 4096, 2048) for at in range(SIZE // 4096)]
    machine.changes["snapshot-2", vddk.CHANGES[0]] = many
    mixed = bytearray(wanted[0])
    for start, length in many:
        mixed[start : start + length] = wanted[1][start : start + length]
    assert site.run(current_checkpoint="one").status == 0
    ended = site.run(current_checkpoint="two", previous_checkpoint="one")
    assert ended.status == 0, ended.log
    assert site.mounts.disk.read_bytes()[:SIZE] == bytes(mixed)
    assert site.server.calls.count("QueryChangedDiskAreas") == -(-len(many) // vsphere.MOST_AREAS)


# What goes wrong.


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        pytest.param({"secret_key": "wrong"}, "AccessDenied", "refuses the login", id="password"),
        pytest.param({"uuid": "other"}, "SourceNotFound", "no virtual machine", id="machine"),
        pytest.param(
            {"backing_file": "[store] vm/other.vmdk"}, "SourceNotFound", "has no disk", id="disk"
        ),
        pytest.param(
            {"thumbprint": "AA:" * 19 + "AA"}, "CertificateInvalid", "thumbprint", id="thumbprint"
        ),
        pytest.param({"thumbprint": ""}, "CertificateInvalid", "not trusted", id="no-trust"),
        pytest.param({"thumbprint": "AB:CD"}, "InvalidRequest", "SHA-1", id="no-thumbprint"),
        pytest.param({"previous_checkpoint": "one"}, "InvalidRequest", "current", id="no-current"),
        pytest.param(
            {"current_checkpoint": "gone"}, "SourceNotFound", "no snapshot", id="snapshot"
        ),
        pytest.param({"secret_key": ""}, "InvalidRequest", "Secret", id="no-secret"),
    ],
)
def test_what_cannot_work_ends_with_a_reason(
    site: Site, changes: dict[str, str], reason: str, words: str
) -> None:
    with pytest.raises(errors.TransferError, match=words) as seen:
        site.opened(**changes)
    assert (seen.value.reason, seen.value.kind) == (reason, errors.Kind.PERMANENT)
    assert vsphere.PASSWORD not in str(seen.value)


@pytest.mark.parametrize("architecture", ["aarch64", "s390x"])
def test_the_library_exists_for_one_architecture(site: Site, architecture: str) -> None:
    request = sources.request_for(site.order(), WorkerSettings.from_env(site.env))
    with (
        pytest.raises(errors.InvalidRequest, match=f"VDDK does not exist for {architecture}"),
        prepare.open_disk(request, threading.Event(), architecture),
    ):
        pass


def test_another_password_than_the_library_wants(site: Site) -> None:
    (site.library.distribution / "password").write_text("another\n")
    ended = site.run()
    told = ended.termination
    assert (ended.status, told.reason, told.permanent) == (1, "AccessDenied", True)
    assert told.message.startswith("Unable to connect to vddk data source: ")
    assert "incorrect user name" in told.message
    assert vsphere.PASSWORD not in ended.log
    assert not site.mounts.disk.exists()


def test_a_disk_that_the_library_does_not_find(site: Site) -> None:
    site.library.disk(FILE).unlink()
    with pytest.raises(errors.NotFound, match="A file was not found"):
        site.opened()


@pytest.mark.parametrize("missing", ["loaded", ""])
def test_a_missing_library_is_named(site: Site, missing: str) -> None:
    if missing:
        (site.library.distribution / missing).unlink()
    else:
        shutil.rmtree(site.library.distribution)
    with pytest.raises(errors.InvalidRequest, match=r"VDDK library|libvixDiskLib"):
        site.opened()


def test_a_delta_needs_the_disk_it_belongs_to(site: Site) -> None:
    staged(site)
    told = site.run(current_checkpoint="two", previous_checkpoint="one").termination
    assert told.reason == "InvalidRequest"
    assert "import the whole disk first" in told.message


# Under way.


@pytest.fixture
def reads(site: Site) -> Iterator[vddk.Reads]:
    with contextlib.closing(vddk.Reads(site.library)) as found:
        yield found


def killed_when_dry(process: subprocess.Popen[str], reads: vddk.Reads, site: Site) -> None:
    reads.until_dry()
    child = nbdkit_of(process)
    process.kill()
    worker.ended(process, site.mounts)
    gone(child)


def gone(pid: int) -> None:
    """Wait for the end of a process that is not our child."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        assert select.select([descriptor], [], [], 10)[0], "nbdkit outlived its importer"
        os.close(descriptor)


def test_a_killed_import_goes_on_where_it_was(site: Site, reads: vddk.Reads) -> None:
    contents = staged(site)
    for number, stage in enumerate(["one", "two"]):
        order = {"current_checkpoint": stage, "previous_checkpoint": ["", "one"][number]}
        whole = vddk.allocated(site.library.disk(vddk.FILES[number]))
        if number:
            whole = sum(length for _, length in site.machine.changes["snapshot-2", vddk.CHANGES[0]])
            whole -= 3 * MIB  # of which nothing has to be read
        reads.served = 0
        for share in (4, 3):
            reads.limit(whole // share)
            process = worker.start(site.order(**order), site.mounts, **site.env)
            killed_when_dry(process, reads, site)
        reads.limit(None)
        ended = site.run(**order)
        assert ended.status == 0, ended.log
        assert site.mounts.disk.read_bytes()[:SIZE] == contents[number]
        assert reads.drain() <= 1.05 * whole + 2 * vddk.HEAD


def test_a_disk_without_a_snapshot_starts_anew(site: Site, reads: vddk.Reads) -> None:
    reads.limit(3 * MIB)
    process = begun(site, current_checkpoint="")
    killed_when_dry(process, reads, site)
    site.library.disk(FILE).write_bytes(b"\x55" * SIZE)  # the machine is running
    reads.limit(None)
    ended = site.run()
    assert ended.status == 0, ended.log
    assert site.mounts.disk.read_bytes() == grown(site.library.disk(FILE))


def test_told_to_stop_it_leaves_and_ends_nbdkit(site: Site, reads: vddk.Reads) -> None:
    reads.limit(MIB)
    process = begun(site, current_checkpoint="")
    reads.until_dry()
    child = nbdkit_of(process)
    process.terminate()
    ended = worker.ended(process, site.mounts)
    gone(child)
    assert ended.termination.reason == "Cancelled"
    assert site.server.calls[-1] == "Logout"


def test_a_server_that_dies_is_told_as_a_passing_failure(site: Site, reads: vddk.Reads) -> None:
    reads.limit(MIB)
    process = begun(site, current_checkpoint="")
    reads.until_dry()
    os.kill(nbdkit_of(process), signal.SIGKILL)
    told = worker.ended(process, site.mounts).termination
    assert (told.reason, told.permanent) == ("SourceUnavailable", False)
    assert "nbdkit ended" in told.message


def descendants_of(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from descendants_of(child)


def begun(site: Site, current_checkpoint: str = "one") -> subprocess.Popen[str]:
    order = site.order(current_checkpoint=current_checkpoint)
    return worker.start(order, site.mounts, **site.env)


def nbdkit_of(process: subprocess.Popen[str]) -> int:
    while process.poll() is None:
        for child in descendants_of(process.pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                command = Path(f"/proc/{child}/cmdline").read_bytes()
                if command.startswith(b"/usr/bin/nbdkit") and b"server=" in command:
                    return child
        time.sleep(0)
    raise AssertionError("no nbdkit was seen")


def test_the_password_is_nowhere_to_be_read(site: Site, reads: vddk.Reads) -> None:
    staged(site)
    reads.limit(MIB)
    process = begun(site)
    reads.until_dry()
    child = nbdkit_of(process)
    seen = [Path(f"/proc/{child}/{name}").read_bytes() for name in ("cmdline", "environ")]
    process.terminate()
    log = worker.ended(process, site.mounts).log
    reads.limit(None)
    ended = site.run(current_checkpoint="one")
    assert ended.status == 0, ended.log
    command = seen[0].decode().split("\0")
    secret = vsphere.PASSWORD
    assert "password=-3" in command
    assert not any(secret in text.decode() for text in seen)
    assert secret not in log + ended.log
    expected = {
        "--filter=retry", "--filter=cacheextents", "server=127.0.0.1", "vm=moref=vm-7",
        "snapshot=snapshot-1", "transports=file:nbdssl:nbd", f"file={FILE}", "--verbose",
        f"libdir={site.library.distribution}", f"thumbprint={site.thumbprint}",
    }  # fmt: skip
    assert expected <= set(command)
