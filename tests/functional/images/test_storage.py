"""Whole imports to real file systems and devices: sparse, allocated, full, broken, slow."""

from __future__ import annotations

import gzip
import os
import random
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.http.retry import Policy
from cdi.images.sources.http import HttpSource
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result
from support import cgroup, disks, filesystems, httpd, loopdev, worker

pytestmark = [pytest.mark.root, loopdev.needs_root]

MIB = 1 << 20
SIZE = 24 * MIB
LIMIT = 144 * MIB  # of memory; a worker itself takes some 90
NOISE = random.Random(7).randbytes(SIZE)


@pytest.fixture
def server():
    with httpd.Server() as found:
        yield found


@pytest.fixture(scope="module")
def disk() -> bytes:
    """A disk of 24 MiB, a third of it data: at the start, in the middle, and a bit at the end."""
    made = bytearray(SIZE)
    made[: 4 * MIB] = NOISE[: 4 * MIB]
    made[12 * MIB + 512 : 16 * MIB] = NOISE[12 * MIB + 512 : 16 * MIB]
    made[-1024:] = NOISE[-1024:]
    return bytes(made)


def run(url: str, place: Path, **order: object) -> Result:
    options = HttpOptions(retries=Policy(tries=1, opening_tries=1))
    wanted = TransferRequest(
        source=lambda halt: HttpSource(url, options, cancel=halt), target=place, **order
    )
    return transfer.run(wanted, Meter(), threading.Event())


def allocated(path: Path) -> int:
    os.sync()  # some file systems count only what they have written
    return path.stat().st_blocks * 512


# File systems


@pytest.mark.parametrize("kind", filesystems.KINDS)
def test_a_file_is_sparse_or_allocated_as_asked_for(kind, disk, server, tmp_path):
    url = server.put("/disk", httpd.Blob(disk))
    with filesystems.mounted(kind, tmp_path) as place:
        run(url, place / "sparse", size=SIZE + MIB)
        assert allocated(place / "sparse") <= 9 * MIB
        (place / "sparse").unlink()
        run(url, place / "full", size=SIZE + MIB, preallocate=True)
        assert allocated(place / "full") >= SIZE + MIB
        assert (place / "full").read_bytes() == disk + bytes(MIB)


@pytest.mark.parametrize("kind", ["ext2", "ext4"])
def test_a_stream_of_unknown_length_is_allocated_too(kind, disk, server, tmp_path):
    url = server.put("/disk.gz", httpd.Blob(gzip.compress(disk, 1), ranges=False))
    with filesystems.mounted(kind, tmp_path) as place:
        run(url, place / "full", preallocate=True)
        assert allocated(place / "full") >= SIZE
        assert (place / "full").read_bytes() == disk


@pytest.mark.parametrize("preallocate", [False, True], ids=["sparse", "allocated"])
@pytest.mark.parametrize("kind", ["ext2", "ext4", "tmpfs"])
def test_a_full_volume_is_named_and_the_next_run_continues(
    kind, preallocate, disk, server, tmp_path
):
    url = server.put("/disk", httpd.Blob(NOISE))
    with filesystems.mounted(kind, tmp_path, 40) as place:
        filler = place / "filler"
        filler.write_bytes(bytes(24 * MIB))
        with pytest.raises(errors.NoSpace, match=r"no space left .* for .*/disk.img; make room"):
            run(url, place / "disk.img", preallocate=preallocate)
        assert not (place / "disk.img").exists()
        filler.unlink()
        done = run(url, place / "disk.img", preallocate=preallocate)
        assert (place / "disk.img").read_bytes() == NOISE
        assert done.resumed is not preallocate, "what cannot be had is not even begun"
        assert sorted(each.name for each in place.glob("disk*")) == ["disk.img"]


# Devices


@pytest.mark.parametrize("preallocate", [False, True], ids=["thin", "allocated"])
@pytest.mark.parametrize(
    ("sector", "more"),
    [
        pytest.param(512, 0, id="512"),
        pytest.param(512, 512, id="512-odd-size"),
        pytest.param(512, 3 * 4096 + 1536, id="512-odder-size"),
        pytest.param(4096, 0, id="4096"),
        pytest.param(4096, 4096, id="4096-odd-size"),
    ],
)
def test_a_device_of_any_geometry_holds_the_disk_and_zeros(
    sector, more, preallocate, disk, server, tmp_path
):
    url = server.put("/disk", httpd.Blob(disk))
    backing = tmp_path / "backing"
    backing.write_bytes(NOISE + NOISE[:MIB] + NOISE[:more])
    with loopdev.device(backing, "--sector-size", str(sector)) as device:
        run(url, device, journal=tmp_path / "journal", preallocate=preallocate)
        assert device.read_bytes() == disk + bytes(MIB + more)
    assert (allocated(backing) >= SIZE + MIB + more) is preallocate


@pytest.mark.parametrize("kind", ["raw", "gz", "qcow2"])
def test_thin_storage_gives_every_block_of_a_preallocated_device(kind, disk, server, tmp_path):
    (tmp_path / "disk.raw").write_bytes(disk)
    body = {
        "raw": lambda: disk,
        "gz": lambda: gzip.compress(disk, 1),
        "qcow2": lambda: disks.convert(tmp_path / "disk.raw", "qcow2").read_bytes(),
    }[kind]()
    url = server.put("/disk", httpd.Blob(body, ranges=kind != "gz"))
    backing = tmp_path / "backing"
    backing.touch()
    os.truncate(backing, SIZE + 2 * MIB)
    with loopdev.device(backing) as device:
        run(url, device, journal=tmp_path / "journal", preallocate=True)
        assert device.read_bytes() == disk + bytes(2 * MIB)
    assert allocated(backing) >= SIZE + 2 * MIB


def test_a_device_that_cannot_zero_is_written(disk, server, tmp_path):
    url = server.put("/disk", httpd.Blob(disk))
    with filesystems.spoilt(tmp_path, SIZE + MIB, "nozero", "zeromode=none") as device:
        device.write_bytes(NOISE + NOISE[:MIB])
        run(url, device, journal=tmp_path / "journal")
        assert device.read_bytes() == disk + bytes(MIB)


@pytest.mark.parametrize("kind", ["raw", "gz"])
def test_what_an_interrupted_run_has_filled_stays(kind, server, tmp_path):
    """The second run must not take for untouched what the first one wrote."""
    parts = [NOISE[at : at + MIB] + bytes(MIB) for at in range(0, SIZE, 2 * MIB)]
    disk = b"".join(parts)
    body = disk if kind == "raw" else b"".join(gzip.compress(part, 1) for part in parts)

    def cut_late(request: httpd.Request, reply: httpd.Reply) -> httpd.Reply:
        # The very end is looked at before anything is written.
        late = request.span and len(body) * 3 // 4 < request.span[0] < len(body) - MIB
        return replace(reply, before_headers="reset") if late else reply

    url = server.put("/disk", httpd.Blob(body, twist=cut_late))
    backing = tmp_path / "backing"
    backing.write_bytes(NOISE)
    with loopdev.device(backing) as device:
        order = {"journal": tmp_path / "journal", "preallocate": True, "connections": 1}
        with pytest.raises(errors.SourceError):
            run(url, device, **order)
        server.put("/disk", httpd.Blob(body))
        assert run(url, device, **order).resumed
        assert device.read_bytes() == disk


def test_a_device_that_breaks_says_so_and_the_next_run_continues(disk, server, tmp_path):
    url = server.put("/disk", httpd.Blob(NOISE))
    broken = tmp_path / "broken"
    settings = ("error=EIO", "error-pwrite-rate=100%", f"error-file={broken}")
    with filesystems.spoilt(tmp_path, SIZE, "error", *settings) as device:
        broken.touch()
        with pytest.raises(errors.TargetFailed, match=rf"{device}: .*Input/output error"):
            run(url, device, journal=tmp_path / "journal")
        broken.unlink()
        run(url, device, journal=tmp_path / "journal")
        assert device.read_bytes() == NOISE


# Memory


@pytest.mark.parametrize("cache", ["", "TRYNONE"])
def test_a_slow_device_needs_no_memory(cache, server, tmp_path):
    """At 10 MB/s into the device, in a memory cgroup that the dirty pages would fill."""
    body = NOISE * 4
    url = server.put("/disk", httpd.Blob(body))
    slow = ("rate=80M", "burstiness=0.1")
    with (
        filesystems.spoilt(tmp_path, len(body), "rate", *slow) as device,
        cgroup.limited(LIMIT) as prefix,
    ):
        mounts = worker.Mounts(tmp_path, block=device)
        process = worker.start(worker.order(url), mounts, prefix=prefix, CACHE_MODE=cache)
        server.wait_served(len(body))
        status = Path(f"/proc/{process.pid}/status").read_text()
        ended = worker.ended(process, mounts)
        assert ended.status == 0, ended.log
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
        assert int(peak) <= 150 * 1024
        assert device.read_bytes() == body
