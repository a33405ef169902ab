"""A pod is lost with the journal of its block volume: what the device itself says is gone on by."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cdi.images import errors, target
from cdi.images.codecs.decoder import Restart
from cdi.images.sources.http import HttpSource
from cdi.images.sources.source import Identity
from cdi.images.transfer import attempt, continuing, forward, mirror, transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result
from cdi.images.writes import Write
from support import disks, httpd, loopdev, worker

pytestmark = loopdev.needs_root

MIB = 1 << 20
SIZE = 12 * MIB
ROOM = SIZE + 2 * MIB
FIRST = b"\xa5" * MIB  # what stood on the storage before
VERSION = Identity("http://host/disk", SIZE, "etag 1")


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return disks.raw_disk(tmp_path / "source.raw", SIZE, SIZE)


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    return stored(tmp_path / "storage", ROOM)


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as found:
        yield found


@pytest.fixture
def url(server: httpd.Server, raw: Path) -> str:
    return server.put("/disk", httpd.Blob(raw.read_bytes()))


def stored(path: Path, size: int) -> Path:
    path.write_bytes(FIRST * (size // MIB))
    return path


def pod(folder: Path, device: Path) -> worker.Mounts:
    """A new pod, with nothing of those before it but the device."""
    folder.mkdir()
    return worker.Mounts(folder, block=device)


def lose_pod(folder: Path, server: httpd.Server, raw: Path, storage: Path) -> None:
    """Import a part of the disk, and end without a trace but on the device."""
    url = server.put("/disk", httpd.Blob(raw.read_bytes(), twist=httpd.changed(rate=6 * MIB)))
    with loopdev.device(storage) as device:
        mounts = pod(folder, device)
        process = worker.start(worker.order(url, claim_uid="claim-1"), mounts)
        server.wait_served(SIZE // 2)
        process.send_signal(signal.SIGTERM)
        assert worker.ended(process, mounts).status == 143
    server.put("/disk", httpd.Blob(raw.read_bytes()))


def go_on(folder: Path, url: str, storage: Path, claim: str = "claim-1") -> worker.Ended:
    """Import in a new pod, where the same storage has another name."""
    (folder.parent / "other").write_bytes(bytes(MIB))
    with (
        loopdev.device(folder.parent / "other"),  # takes the name that the storage had
        loopdev.device(storage) as device,
    ):
        mounts = pod(folder, device)
        ended = worker.run(worker.order(url, claim_uid=claim), mounts)
        assert (ended.status, ended.termination.message) == (0, "Import Complete")
    return ended


def insist_finished(storage: Path, raw: Path) -> None:
    """The disk is there, and nothing behind it."""
    content = storage.read_bytes()
    assert content[:SIZE] == raw.read_bytes()
    assert not content[SIZE:].strip(b"\0")


@pytest.mark.parametrize("size", [ROOM, SIZE], ids=["room-behind-it", "disk-takes-all"])
def test_a_new_pod_goes_on_where_the_lost_one_was(
    size: int, tmp_path: Path, url: str, server: httpd.Server, raw: Path
) -> None:
    storage = stored(tmp_path / "storage", size)
    lose_pod(tmp_path / "one", server, raw, storage)
    ended = go_on(tmp_path / "two", url, storage)
    assert ended.termination.bytes_fetched < SIZE - 2 * MIB
    insist_finished(storage, raw)


def test_another_claim_does_not(
    tmp_path: Path, url: str, server: httpd.Server, storage: Path, raw: Path
) -> None:
    lose_pod(tmp_path / "one", server, raw, storage)
    ended = go_on(tmp_path / "two", url, storage, claim="claim-2")
    assert ended.termination.bytes_fetched >= SIZE
    insist_finished(storage, raw)


def test_another_version_of_the_source_is_fetched_from_its_beginning(
    tmp_path: Path, url: str, server: httpd.Server, storage: Path, raw: Path
) -> None:
    lose_pod(tmp_path / "one", server, raw, storage)
    raw.write_bytes(os.urandom(SIZE))
    server.put("/disk", httpd.Blob(raw.read_bytes(), etag='"v2"'))
    ended = go_on(tmp_path / "two", url, storage)
    assert ended.termination.bytes_fetched >= SIZE
    insist_finished(storage, raw)


def overwritten(storage: Path) -> None:
    """Somebody else wrote a disk of its own; the notes are still there."""
    with storage.open("r+b") as file:
        file.write(os.urandom(SIZE))


def restored(storage: Path) -> None:
    """The storage is what it was before everything."""
    stored(storage, ROOM)


def spoilt(storage: Path) -> None:
    """A bit is another one in each of the two places."""
    for at in (ROOM - MIB + 100, ROOM - MIB // 2 + 100):
        with storage.open("r+b") as file:
            file.seek(at)
            (byte,) = file.read(1)
            file.seek(at)
            file.write(bytes([byte ^ 4]))


@pytest.mark.parametrize("change", [overwritten, restored, spoilt])
def test_a_device_that_is_not_what_it_was_is_filled_from_its_beginning(
    change: object, tmp_path: Path, url: str, server: httpd.Server, storage: Path, raw: Path
) -> None:
    lose_pod(tmp_path / "one", server, raw, storage)
    assert callable(change)
    change(storage)
    ended = go_on(tmp_path / "two", url, storage)
    assert ended.termination.bytes_fetched >= SIZE
    insist_finished(storage, raw)


def test_an_import_that_failed_for_good_leaves_no_notes(
    tmp_path: Path, url: str, storage: Path
) -> None:
    with loopdev.device(storage) as device:
        request = TransferRequest(
            lambda halt: HttpSource(url, cancel=halt), device, tmp_path / "journal",
            device_name="claim-1", checksum=("sha256", "0" * 64),
        )  # fmt: skip
        with pytest.raises(errors.ChecksumMismatch):
            transfer.run(request, Meter(), threading.Event())
    assert not mirror.last(storage)


# One attempt at a time, ended anywhere.


def request_for(device: Path, folder: Path, name: str | None = "claim-1") -> TransferRequest:
    """A request of a pod with this folder."""
    folder.mkdir(exist_ok=True)
    opening = lambda halt: HttpSource("http://nobody", cancel=halt)  # noqa: E731
    return TransferRequest(opening, device, folder / "journal", device_name=name)


def filled_in_part(request: TransferRequest, virtual_size: int | None = SIZE) -> attempt.Work:
    """An attempt with two checkpoints; its process is gone, as far as others can tell."""
    job = attempt.Work(request, VERSION, virtual_size, None)
    for at in (0, MIB):
        job.target.write([Write(at, os.urandom(MIB))])
        job.journal.done(((at, at + MIB),))
        job.checkpoint()
    job.target.close()
    return job


def test_a_torn_note_leaves_the_one_before_it(tmp_path: Path, storage: Path) -> None:
    with loopdev.device(storage) as device:
        filled_in_part(request_for(device, tmp_path / "one"))
        newest = mirror.last(device)
        with device.open("r+b") as file:
            file.seek(ROOM - MIB + newest % 2 * MIB // 2 + 40)
            file.write(bytes(80))
        found = continuing.earlier(request_for(device, tmp_path / "two"), VERSION)
        assert found is not None
        assert list(found.done) == [(0, MIB)]


def test_whoever_begins_anew_removes_the_notes_first(tmp_path: Path, storage: Path) -> None:
    with loopdev.device(storage) as device:
        filled_in_part(request_for(device, tmp_path / "one"))
        assert mirror.last(device)
        # Another program makes it this time, and says nothing of sizes.
        attempt.Work(
            request_for(device, tmp_path / "two", None), VERSION, None, None
        ).target.close()
        assert continuing.earlier(request_for(device, tmp_path / "three"), VERSION) is None
        assert not mirror.last(device)


def test_a_disk_whose_size_nobody_tells_is_gone_on_with(tmp_path: Path, storage: Path) -> None:
    whole = os.urandom(ROOM - 3 * MIB)
    with loopdev.device(storage) as device:
        filled_in_part(request_for(device, tmp_path / "one"), None)
        begun = device.read_bytes()[: 2 * MIB]
        lost = request_for(device, tmp_path / "two")
        found = continuing.earlier(lost, VERSION)
        assert found is not None
        assert list(found.done) == [(0, 2 * MIB)]
        with attempt.Work(lost, VERSION, None, found) as job:
            job.target.write([Write(2 * MIB, whole)])
            job.checkpoint()
            job.commit(Result("raw", None, 2 * MIB + len(whole)), Meter(), threading.Event())
    assert storage.read_bytes() == begun + whole + bytes(MIB)


def test_notes_lie_where_nothing_of_a_disk_is_that_began_without(tmp_path: Path) -> None:
    storage = stored(tmp_path / "storage", SIZE)
    with loopdev.device(storage) as device:
        unnamed = request_for(device, tmp_path / "one", None)
        with attempt.Work(unnamed, VERSION, SIZE, None) as job:
            job.target.write([Write(0, FIRST * 12)])
            job.journal.done(((0, SIZE),))
        named = request_for(device, tmp_path / "one")
        with attempt.Work(named, VERSION, SIZE, continuing.earlier(named, VERSION)) as job:
            assert job.resumed
            job.checkpoint()
            job.commit(Result("raw", None, SIZE), Meter(), threading.Event())
    assert storage.read_bytes() == FIRST * 12


def test_another_program_finds_all_of_the_device_its_own(tmp_path: Path, storage: Path) -> None:
    nameless = Identity("a temporary copy")
    with loopdev.device(storage) as device:
        with attempt.Work(request_for(device, tmp_path / "one"), nameless, ROOM, None) as job:
            job.target.written_by_others(ROOM)
            job.target.path.write_bytes(FIRST * (ROOM // MIB))
            job.checkpoint()
            job.commit(Result("raw", None, ROOM), Meter(), threading.Event())
        assert device.read_bytes() == FIRST * (ROOM // MIB)


# A stream whose disk does not end with its last bytes.


class Killed(Exception):
    """The process is gone."""


def pieces(image: Path, start: int, end: int) -> Iterator[forward.Chunk]:
    """What a source sends of an image; all of it is a place to begin anew."""
    with image.open("rb") as file:
        for at in range(start, end, MIB):
            file.seek(at)
            yield forward.Chunk(file.read(min(MIB, end - at)), Restart(at, at))


def with_its_end_first(folder: Path) -> tuple[Path, Path]:
    """A qcow2 image that had the last bytes of its disk written before all others; its disk."""
    image, disk = folder / "image.qcow2", folder / "disk"
    size, data = 96 * MIB, folder / "data"
    data.write_bytes(os.urandom(88 * MIB))
    commands = [f"write -P 7 {size - 65536} 65536", f"write -s {data} 0 88M"]
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, str(size)], check=True)
    for command in commands:
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", command, image], check=True, timeout=120)
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, disk], check=True, timeout=120)
    return image, disk


@pytest.mark.parametrize("mib", [40, 85], ids=["soon", "late"])
def test_a_stream_that_has_the_end_of_its_disk_first_is_gone_on_with(
    mib: int, tmp_path: Path
) -> None:
    image, disk = with_its_end_first(tmp_path)
    storage = stored(tmp_path / "storage", 96 * MIB)
    with loopdev.device(storage) as device:
        request = request_for(device, tmp_path / "one")
        began = forward.Disk("qcow2")
        with pytest.raises(Killed), attempt.Work(request, VERSION, 96 * MIB, None) as job:
            forward.write(ended(pieces(image, 0, mib * MIB)), began, job, lambda _: None, None)
        found = continuing.earlier(request, VERSION)
        assert found is not None
        late = found.stream is not None
        assert late == (mib == 85)  # then what was held back has gone to its place
        again = forward.Disk.restored(found.stream.decoder or b"") if found.stream else None
        at = found.stream.source if found.stream else 0
        with attempt.Work(request, VERSION, 96 * MIB, found if late else None) as job:
            rest = pieces(image, at, image.stat().st_size)
            size = forward.write(rest, again or forward.Disk("qcow2"), job, lambda _: None, None)
            job.commit(Result("raw", None, size), Meter(), threading.Event())
    assert storage.read_bytes() == disk.read_bytes()


def ended(chunks: Iterator[forward.Chunk]) -> Iterator[forward.Chunk]:
    """The process is killed after these."""
    yield from chunks
    raise Killed


def test_a_disk_that_is_brought_up_to_date_carries_none(tmp_path: Path, storage: Path) -> None:
    with loopdev.device(storage) as device:
        request = replace(request_for(device, tmp_path / "one"), update=True)
        before = storage.read_bytes()[SIZE:]
        with attempt.Work(request, VERSION, SIZE, None) as job:
            job.checkpoint()
        assert storage.read_bytes()[SIZE:] == before


@pytest.mark.parametrize("preallocate", [False, True])
def test_the_commit_leaves_nothing_behind_the_disk(
    preallocate: bool, tmp_path: Path, storage: Path
) -> None:
    with loopdev.device(storage) as device:
        request = replace(request_for(device, tmp_path / "one"), preallocate=preallocate)
        filled_in_part(request)
        lost = replace(request_for(device, tmp_path / "two"), preallocate=preallocate)
        with attempt.Work(lost, VERSION, SIZE, continuing.earlier(lost, VERSION)) as job:
            assert job.resumed
            job.checkpoint()
            job.commit(Result("raw", None, SIZE), Meter(), threading.Event())
    assert not storage.read_bytes()[2 * MIB :].strip(b"\0")


def test_notes_too_long_for_their_place_leave_those_before_them(storage: Path) -> None:
    with loopdev.device(storage) as device, target.BlockTarget(device, SIZE) as disk:
        key = {"source": "here"}
        assert disk.hold_back()
        notes = mirror.Mirror(key, disk.note, after=0)
        notes.write([{"done": [[0, MIB]]}])
        notes.write([{"state": os.urandom(MIB).hex()}])
        found = mirror.load(device, key)
        assert found is not None
        assert list(found.done) == [(0, MIB)]
