"""The disk of a virtual appliance is found, checked and imported, whatever way it comes."""

from __future__ import annotations

import gzip
import hashlib
import threading
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.formats import ovf
from cdi.images.sources.file import FileSource
from cdi.images.sources.stream import StreamSource
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result
from support import appliances, compressed, disks, tars

MIB = 1 << 20


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    disk = disks.raw_disk(tmp_path_factory.mktemp("ova") / "disk.raw", 8 * MIB, 2 * MIB)
    for layout in ("qcow2", "vdi"):
        disks.convert(disk, layout)
    return disk


def imported(data: bytes, folder: Path, *, stream: bool = False, **wishes: object) -> Result:
    """Import bytes from a file, or from a stream, into `folder/disk.img`."""
    path = folder / "source"
    path.write_bytes(data)
    wanted = {"target": folder / "disk.img", "scratch": folder / "scratch"} | wishes
    with path.open("rb") as file:
        order = TransferRequest(
            source=lambda halt: (
                StreamSource(file.fileno(), "a stream", halt) if stream else FileSource(path)
            ),
            **wanted,
        )
        return transfer.run(order, Meter(), threading.Event())


def beside(raw: Path, layout: str) -> bytes:
    return (raw if layout == "raw" else raw.with_suffix(f".{layout}")).read_bytes()


@pytest.mark.parametrize("stream", [False, True], ids=["at-random", "stream"])
@pytest.mark.parametrize("packing", ["", "gzip -1", "zstd -q"])
@pytest.mark.parametrize("manifest", ["none", "first", "last"])
def test_the_disk_is_imported(
    stream: bool, packing: str, manifest: str, raw: Path, tmp_path: Path
) -> None:
    files = {"vm-disk1.qcow2": beside(raw, "qcow2")}
    sums = None if manifest == "none" else appliances.manifest(files)
    data = appliances.appliance(files, sums, last=manifest == "last")

    result = imported(compressed.run(packing, data) if packing else data, tmp_path, stream=stream)

    assert result.format == "qcow2"
    assert disks.differs(tmp_path / "disk.img", raw) == ""


@pytest.mark.parametrize("packing", ["", "gzip -1"])
def test_a_disk_that_is_converted_is_copied_out_first(
    packing: str, raw: Path, tmp_path: Path
) -> None:
    data = appliances.appliance({"d.vdi": beside(raw, "vdi")})
    result = imported(compressed.run(packing, data) if packing else data, tmp_path)

    assert result.format == "vdi"
    assert disks.differs(tmp_path / "disk.img", raw) == ""
    assert not (tmp_path / "scratch").exists()


def test_a_disk_inside_may_be_compressed(raw: Path, tmp_path: Path) -> None:
    packed = gzip.compress(beside(raw, "raw"), 1)
    result = imported(appliances.appliance({"disk.gz": packed}), tmp_path)

    assert (result.format, result.compression) == ("raw", "gz")
    assert disks.differs(tmp_path / "disk.img", raw) == ""


def test_without_a_manifest_only_the_disk_is_fetched(raw: Path, tmp_path: Path) -> None:
    other = tars.member("huge.iso", b"i" * 6 * MIB)
    data = appliances.appliance({"disk.qcow2": beside(raw, "qcow2")})[:-1024] + other + tars.END

    assert imported(data, tmp_path).fetched < 4 * MIB


@pytest.mark.parametrize("stream", [False, True], ids=["at-random", "stream"])
@pytest.mark.parametrize("last", [False, True], ids=["first", "last"])
@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_a_wrong_digest_in_the_manifest_leaves_no_disk(
    stream: bool, last: bool, algorithm: str, raw: Path, tmp_path: Path
) -> None:
    sums = appliances.manifest({"d.raw": b"something else"}, algorithm)
    data = appliances.appliance({"d.raw": beside(raw, "raw")}, sums, last=last)

    with pytest.raises(errors.ChecksumMismatch, match=algorithm):
        imported(data, tmp_path, stream=stream)
    assert not (tmp_path / "disk.img").exists()


def test_a_description_that_was_changed_is_noticed(raw: Path, tmp_path: Path) -> None:
    files = {"d.raw": beside(raw, "raw")}
    sums = appliances.manifest({"vm.ovf": b"another one"} | files)

    with pytest.raises(errors.ChecksumMismatch):
        imported(appliances.appliance(files, sums), tmp_path)


def test_the_checksum_of_the_whole_is_verified_too(raw: Path, tmp_path: Path) -> None:
    files = {"d.raw": beside(raw, "raw")}
    data = appliances.appliance(files, appliances.manifest(files), last=True)
    want = ("sha256", hashlib.sha256(data).hexdigest())

    assert imported(data, tmp_path, checksum=want).digest == want
    with pytest.raises(errors.ChecksumMismatch):
        imported(data, tmp_path, checksum=("sha256", "0" * 64))


def test_of_several_disks_one_has_to_be_named(raw: Path, tmp_path: Path) -> None:
    data = appliances.appliance({"system.raw": b"s" * 4096, "data.raw": beside(raw, "raw")})

    with pytest.raises(
        errors.InvalidRequest, match=r'2 disks: "system.raw", "data.raw"; say which'
    ):
        imported(data, tmp_path)
    with pytest.raises(errors.InvalidRequest, match=r"no disk 'other.raw', only"):
        imported(data, tmp_path, disk="other.raw")
    imported(data, tmp_path, disk="data.raw")
    assert disks.differs(tmp_path / "disk.img", raw) == ""


WAYS = pytest.mark.parametrize("stream", [False, True], ids=["at-random", "stream"])
PACKINGS = pytest.mark.parametrize("packing", ["", "gzip -1", "xz -0"])


@WAYS
@PACKINGS
@pytest.mark.parametrize("order", ["disk-first", "manifest-first", "folder-first", "subfolder"])
def test_an_appliance_is_known_by_any_of_its_entries(
    stream: bool, packing: str, order: str, raw: Path, tmp_path: Path
) -> None:
    files = {"d.qcow2": beside(raw, "qcow2")}
    parts = {
        "ovf": tars.member("vm.ovf", appliances.description("d.qcow2")),
        "mf": tars.member("vm.mf", appliances.manifest(files)),
        "disk": tars.member("d.qcow2", files["d.qcow2"]),
        "top": tars.folder("./"),
    }
    data = {
        "disk-first": tars.archive(parts["disk"], parts["ovf"], parts["mf"]),
        "manifest-first": tars.archive(parts["mf"], parts["disk"], parts["ovf"]),
        "folder-first": tars.archive(parts["top"], parts["ovf"], parts["disk"]),
        "subfolder": tars.archive(
            tars.member("vm/vm.ovf", appliances.description("disks/d.qcow2")),
            tars.member("d.qcow2", b"another one"),
            tars.member("vm/disks/d.qcow2", files["d.qcow2"]),
            tars.member("vm/vm.mf", appliances.manifest({"disks/d.qcow2": files["d.qcow2"]})),
        ),
    }[order]
    imported(compressed.run(packing, data) if packing else data, tmp_path, stream=stream)

    assert disks.differs(tmp_path / "disk.img", raw) == ""


@WAYS
@PACKINGS
@pytest.mark.parametrize("name", ["disk.raw", "a/b/System.IMG", "disk.qcow2", "disk", "d.raw.gz"])
def test_the_only_disk_of_a_tar_is_that_disk(
    stream: bool, packing: str, name: str, raw: Path, tmp_path: Path
) -> None:
    content = beside(raw, "qcow2" if name in ("disk.qcow2", "disk") else "raw")
    if name.endswith(".gz"):
        content = gzip.compress(content, 1)
    side = [tars.member("README.md", b"# text" * 99), tars.member("._disk.raw", b"mac" * 99)]
    data = tars.archive(side[0], tars.member(name, content), side[1])
    imported(compressed.run(packing, data) if packing else data, tmp_path, stream=stream)

    assert disks.differs(tmp_path / "disk.img", raw) == ""


DOCKER_SAVE = tars.archive(
    tars.member("blobs/sha256/0a1b", tars.archive(tars.member("etc/passwd", b"root"))),
    tars.member("manifest.json", b"[]"),
    tars.member("oci-layout", b"{}"),
)


@WAYS
@PACKINGS
@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        pytest.param(
            tars.archive(tars.member("etc/hosts", b"x"), tars.member("bin/sh", b"\x7fELF" * 99)),
            errors.NotADisk, "contentType: archive", id="files",
        ),
        pytest.param(DOCKER_SAVE, errors.NotADisk, "docker://", id="container-image"),
        pytest.param(
            tars.archive(tars.member("a.raw", b"a" * 4096), tars.member("b.img", b"b" * 4096)),
            errors.InvalidRequest, '2 disks: "a.raw", "b.img"; say which', id="two-disks",
        ),
        pytest.param(
            tars.archive(
                tars.member("a.raw", b"a" * 4096), tars.member("b.raw", b"b" * 4096),
                tars.member("vm.ovf", appliances.description("a.raw", "b.raw")),
            ),
            errors.InvalidRequest, "2 disks", id="two-described-behind-them",
        ),
    ],
)  # fmt: skip
def test_no_archive_becomes_a_raw_disk(
    stream: bool, packing: str, data: bytes, error: type[errors.TransferError], words: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    with pytest.raises(error, match=words):
        imported(compressed.run(packing, data) if packing else data, tmp_path, stream=stream)
    assert not (tmp_path / "disk.img").exists()


@WAYS
def test_one_of_several_disks_in_a_tar_is_named(stream: bool, raw: Path, tmp_path: Path) -> None:
    data = tars.archive(
        tars.member("x/a.raw", b"a" * 4096), tars.member("x/b.raw", beside(raw, "raw"))
    )
    imported(data, tmp_path, stream=stream, disk="b.raw")

    assert disks.differs(tmp_path / "disk.img", raw) == ""


def test_a_disk_taken_as_it_is_is_not_looked_into(tmp_path: Path) -> None:
    data = appliances.appliance({"d.raw": b"d" * 4096})

    imported(data, tmp_path, as_is=True)
    assert (tmp_path / "disk.img").read_bytes() == data


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        pytest.param(appliances.appliance({}), errors.NotADisk, "without any disk", id="empty"),
        pytest.param(
            tars.archive(tars.member("vm.ovf", appliances.description("gone.vmdk"))),
            errors.CorruptImage, "gone.vmdk", id="disk-missing",
        ),
        pytest.param(
            tars.archive(tars.member("vm.ovf", b"<Envelope>")),
            errors.CorruptImage, "no XML", id="no-xml",
        ),
        *(
            pytest.param(
                tars.archive(tars.member("vm.ovf", b"<?xml version='1.0' encoding='%s'?>" % name)),
                errors.CorruptImage, "no XML", id=f"encoding-{name.decode()}",
            )
            for name in (b"unheard-of", b"utf-7", b"big5", b"idna")
        ),
        pytest.param(
            tars.archive(tars.member("vm.ovf", b" " * (ovf.LONGEST + 1))),
            errors.UnsafeImage, "absurd", id="huge-description",
        ),
        pytest.param(
            tars.archive(tars.member("vm.ovf", appliances.description("../../etc/passwd"))),
            errors.UnsafeImage, "outside of the appliance", id="file-elsewhere",
        ),
        pytest.param(
            tars.archive(tars.member("vm.ovf", appliances.description("http://host/disk"))),
            errors.UnsafeImage, "outside of the appliance", id="file-on-a-server",
        ),
        pytest.param(
            tars.archive(tars.member("vm.ovf", appliances.description(
                disks='<Disk ovf:diskId="x" ovf:fileRef="nothing"/>'))),
            errors.CorruptImage, "not listed", id="reference-to-nothing",
        ),
        pytest.param(
            tars.archive(tars.member("vm.ovf", appliances.description("d", prolog=(
                '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>')))),
            errors.UnsafeImage, "document type", id="entities",
        ),
        pytest.param(
            tars.archive(tars.member("vm.ovf", b"<a>" * 100 + b"</a>" * 100)),
            errors.UnsafeImage, "absurdly", id="deep",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [False, True], ids=["at-random", "stream"])
def test_a_broken_or_hostile_appliance_is_refused(
    stream: bool, data: bytes, error: type[errors.TransferError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        imported(data, tmp_path, stream=stream)
    assert not (tmp_path / "disk.img").exists()
