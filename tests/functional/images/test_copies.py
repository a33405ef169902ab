"""Formats that are made from a temporary copy: nothing is lost on the way, or fetched twice."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.sources.http import HttpSource
from cdi.images.sources.stream import StreamSource
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from support import appliances, disks, httpd, importing, qcow2_images, qcow_images

MIB = 1 << 20
CONVERTED = ["vdi", "vhd", "vhdx", "qed", "qcow"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    disk = disks.raw_disk(tmp_path_factory.mktemp("copies") / "disk.raw", 24 * MIB, 18 * MIB)
    for layout in CONVERTED:
        disks.convert(disk, layout)
    return disk


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as found:
        yield found


def content_of(raw: Path, kind: str) -> bytes:
    if kind == "ova":
        return appliances.appliance({"d.vdi": raw.with_suffix(".vdi").read_bytes()})
    return raw.with_suffix(f".{kind}").read_bytes()


@pytest.mark.parametrize("kind", [*CONVERTED, "ova"])
def test_standard_input_is_copied_from_its_first_byte_on(
    kind: str, raw: Path, tmp_path: Path
) -> None:
    output = tmp_path / "disk.img"
    done = subprocess.run(
        [sys.executable, "-m", "cdi", "import", "-", "-o", str(output)],
        input=content_of(raw, kind),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert disks.differs(output, raw) == ""
    assert [each.name for each in tmp_path.iterdir()] == ["disk.img"]


def test_what_cannot_be_read_in_one_pass_is_refused_from_a_pipe(tmp_path: Path) -> None:
    data = bytes(range(1, 129)) * 512
    clusters = dict.fromkeys(range(640), qcow2_images.Plain(data))
    image = qcow2_images.Image(clusters, virtual_size=640 << 16, cluster_bits=16)
    late = tmp_path / "late.qcow2"
    # Its header does not tell that the other tables are late, or it would be copied at once.
    late.write_bytes(image.build(["l1", *(each for each in image.items()[::-1] if each != "l1")]))
    with late.open("rb") as file:
        request = TransferRequest(
            source=lambda halt: StreamSource(file.fileno(), "standard input", halt),
            target=tmp_path / "disk.img",
            scratch=tmp_path / "scratch",
            preallocate=True,  # which leaves no room behind the disk
        )
        with pytest.raises(errors.UnsupportedFormat, match=r"only once.*save it to a file"):
            transfer.run(request, Meter(), threading.Event())
    assert not (tmp_path / "disk.img").exists()
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no-ranges"])
@pytest.mark.parametrize("kind", [*CONVERTED, "ova"])
def test_next_to_nothing_is_fetched_twice(
    kind: str, ranges: bool, raw: Path, server: httpd.Server, tmp_path: Path
) -> None:
    body = content_of(raw, kind)
    url = server.put("/disk", httpd.Blob(body, ranges=ranges))
    seen = importing.run(url, tmp_path / "disk.img")

    assert seen.status == 0, seen.errors
    assert disks.differs(tmp_path / "disk.img", raw) == ""
    # What the first answer had under way; and VHDX's tables, which are looked at beforehand.
    assert server.served <= len(body) + (256 << 10)


@pytest.mark.parametrize("kind", [*CONVERTED, "ova"])
def test_a_link_that_works_once_is_enough(
    kind: str, raw: Path, server: httpd.Server, tmp_path: Path
) -> None:
    blob = httpd.Blob(content_of(raw, kind), ranges=False, twist=httpd.after(1, httpd.status(403)))
    seen = importing.run(server.put("/disk", blob), tmp_path / "disk.img")

    assert seen.status == 0, seen.errors
    assert disks.differs(tmp_path / "disk.img", raw) == ""


def test_a_first_qcow_with_compressed_clusters_arrives(raw: Path, tmp_path: Path) -> None:
    image = tmp_path / "disk.qcow"
    image.write_bytes(qcow_images.compressed(raw.read_bytes()))
    seen = importing.run(str(image), tmp_path / "disk.img")

    assert seen.status == 0, seen.errors
    assert disks.differs(tmp_path / "disk.img", raw) == ""


class Dribble(StreamSource):
    """A pipe whose writer is slow at first: `few` bytes, and later the rest."""

    few = 1

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        pieces = super().stream(start, end)
        first = next(pieces)
        yield first[: self.few]
        yield first[self.few :]
        yield from pieces


@pytest.mark.parametrize("few", [1, 5])
@pytest.mark.parametrize("kind", ["gz", "xz", "zst", "bz2"])
def test_a_compression_is_told_however_little_comes_at_first(
    kind: str, few: int, raw: Path, tmp_path: Path
) -> None:
    packed = disks.compress(raw, kind)
    with packed.open("rb") as file:

        def opened(halt: threading.Event) -> Dribble:
            source = Dribble(file.fileno(), "standard input", halt)
            source.few = few
            return source

        request = TransferRequest(opened, tmp_path / "disk.img")
        made = transfer.run(request, Meter(), threading.Event())

    assert made.compression == kind
    assert disks.differs(tmp_path / "disk.img", raw) == ""


class WhileConverting(threading.Event):
    """Set as soon as a transfer converts its copy."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter = meter

    def is_set(self) -> bool:
        return self._meter.stage == "converting"


@pytest.mark.parametrize("kind", CONVERTED)
def test_a_complete_copy_outlives_a_stop(
    kind: str, raw: Path, server: httpd.Server, tmp_path: Path
) -> None:
    url = server.put("/disk", httpd.Blob(content_of(raw, kind)))
    request = TransferRequest(
        source=lambda halt: HttpSource(url, cancel=halt),
        target=tmp_path / "disk.img",
        scratch=tmp_path / "scratch",
    )
    meter = Meter()
    with pytest.raises(errors.Cancelled):
        transfer.run(request, meter, WhileConverting(meter))
    served = server.served
    made = transfer.run(request, Meter(), threading.Event())

    assert made.resumed
    assert server.served - served <= 128 << 10
    assert disks.differs(tmp_path / "disk.img", raw) == ""
    assert [each.name for each in tmp_path.iterdir()] == ["disk.img"]


def test_a_copy_of_what_the_source_no_longer_has_is_not_used(
    raw: Path, server: httpd.Server, tmp_path: Path
) -> None:
    blob = httpd.Blob(content_of(raw, "vdi"))
    url = server.put("/disk", blob)
    request = TransferRequest(
        source=lambda halt: HttpSource(url, cancel=halt),
        target=tmp_path / "disk.img",
        scratch=tmp_path / "scratch",
    )
    meter = Meter()
    with pytest.raises(errors.Cancelled):
        transfer.run(request, meter, WhileConverting(meter))
    other = disks.raw_disk(tmp_path / "other.raw", 4 * MIB, MIB)
    blob.body, blob.etag = disks.convert(other, "vdi").read_bytes(), '"v2"'
    transfer.run(request, Meter(), threading.Event())

    assert disks.differs(tmp_path / "disk.img", other) == ""
