"""Another disk, another import, another file where the target was: nobody's work is believed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.images import errors, target
from cdi.images.sources.blank import BlankSource
from cdi.images.sources.http import HttpSource
from cdi.images.target import paths
from cdi.images.transfer import attempt, continuing, journalfile, resuming, transfer
from cdi.images.transfer.journal import Journal
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.progress import Progress
from cdi.images.transfer.request import TransferRequest
from cdi.images.writes import Write
from cdi.workers import blank
from support import disks, filesystems, httpd, importing, loopdev

MIB = 1 << 20
SIZE = 24 * MIB


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as found:
        yield found


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return disks.raw_disk(tmp_path / "source.raw", SIZE, SIZE // 2)


def stopped_half_way(url: str, server: httpd.Server, output: Path, *options: str) -> None:
    """Begin an import and stop it in the middle, in good order."""
    process = importing.start(url, output, *options)
    server.wait_served(SIZE // 4)
    process.send_signal(signal.SIGTERM)
    assert importing.outcome(process).status == 143


@loopdev.needs_root
def test_another_disk_behind_the_same_device_is_filled_from_its_beginning(
    tmp_path: Path, raw: Path, server: httpd.Server
) -> None:
    blob = httpd.Blob(raw.read_bytes(), twist=httpd.changed(rate=6 * MIB))
    url = server.put("/disk", blob)
    for name in ("one", "two"):
        (tmp_path / name).write_bytes(b"old" * (SIZE // 3))
        os.truncate(tmp_path / name, SIZE)
    with loopdev.device(tmp_path / "one") as device:
        place = str(device)
        stopped_half_way(url, server, device, "--block")
    with loopdev.device(tmp_path / "two") as device:
        if str(device) != place:
            pytest.skip("the kernel gave another device this time")
        blob.twist = None
        assert importing.run(url, device, "--block").status == 0
        assert disks.differs(device, raw) == ""


@loopdev.needs_root
def test_a_device_that_was_written_by_somebody_else_meanwhile_is_filled_anew(
    tmp_path: Path, raw: Path, server: httpd.Server
) -> None:
    blob = httpd.Blob(raw.read_bytes(), twist=httpd.changed(rate=6 * MIB))
    url = server.put("/disk", blob)
    (tmp_path / "one").write_bytes(bytes(SIZE))
    with loopdev.device(tmp_path / "one") as device:
        stopped_half_way(url, server, device, "--block")
        device.write_bytes(b"\xff" * (SIZE // 2))
        blob.twist = None
        assert importing.run(url, device, "--block").status == 0
        assert disks.differs(device, raw) == ""


@loopdev.needs_root
def test_a_file_behind_a_loop_device_is_the_same_behind_the_next(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(MIB))
    with loopdev.device(tmp_path / "one") as device:
        tag = target.tag_of(device)
    with loopdev.device(tmp_path / "one") as device:
        assert target.tag_of(device) == tag


def test_a_file_made_anew_under_the_same_name_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(b"x")
    before = paths.tag_at(path)
    for _ in range(8):  # file systems give the same inode again, sooner or later
        path.unlink()
        path.write_bytes(b"x")
        assert paths.tag_at(path) != before


def test_whoever_lost_its_place_does_not_become_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    with target.FileTarget(path, MIB) as loser:
        loser.write([Write(0, b"loser")])
        target.partial_path(path).unlink()  # by hand: nobody of ours does it while it is written
        with target.FileTarget(path, MIB) as winner:
            winner.write([Write(0, b"winner")])
            with pytest.raises(errors.TargetFailed, match="taken its place"):
                loser.finish(MIB)
            assert not path.exists()
            winner.finish(MIB)
    assert path.read_bytes()[:6] == b"winner"


def test_nobody_takes_a_disk_away_from_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    with target.FileTarget(path, MIB) as disk:
        disk.write([Write(0, b"data")])
        with pytest.raises(errors.TargetFailed, match="another import is writing"):
            target.remove_partial(path)
        disk.finish(MIB)
    assert path.read_bytes()[:4] == b"data"


def test_many_imports_of_one_name_end_with_one_whole_disk(
    tmp_path: Path, raw: Path, server: httpd.Server
) -> None:
    url = server.put("/disk", httpd.Blob(raw.read_bytes()))
    path = tmp_path / "disk.img"
    ends: list[str] = []

    def run() -> None:
        request = TransferRequest(lambda halt: HttpSource(url, cancel=halt), path)
        try:
            transfer.run(request, Meter(), threading.Event())
            ends.append("done")
        except errors.TargetFailed:
            ends.append("refused")

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ends) == 6
    assert "done" in ends
    assert disks.differs(path, raw) == ""


# Journals in doubt.

KEY = {"source": "http://host/disk"}


def test_an_unknown_boot_is_not_the_same_as_another_unknown_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journalfile, "_BOOT_ID", tmp_path / "absent")
    Journal(tmp_path / "j", KEY, Progress()).done(((0, 10),))
    found = resuming.load(tmp_path / "j", KEY)
    assert found is not None
    assert not len(found.done)


def test_what_is_durable_stays_so_when_a_transfer_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Journal(tmp_path / "j", KEY, Progress())
    kept.done(((0, 10),))
    kept.checkpoint(lambda: None)
    kept.done(((10, 20),))
    found = resuming.load(tmp_path / "j", KEY)
    assert found is not None
    Journal(tmp_path / "j", KEY, found)  # and the power goes
    monkeypatch.setattr(journalfile, "_BOOT_ID", tmp_path / "another-boot")
    (tmp_path / "another-boot").write_text("another\n")
    after = resuming.load(tmp_path / "j", KEY)
    assert after is not None
    assert list(after.done) == [(0, 10)]


def test_storage_that_refuses_the_rewrite_as_well_leaves_no_journal(tmp_path: Path) -> None:
    kept = Journal(tmp_path / "j", KEY, Progress())
    kept.done(((0, 10),))
    (tmp_path / "j.new").mkdir()  # so that no new journal can be written
    kept.believe_durable()
    assert resuming.load(tmp_path / "j", KEY) is None


@loopdev.needs_root
def test_what_storage_has_lost_is_not_believed_by_whoever_comes_after_a_kill(
    tmp_path: Path,
) -> None:
    """The kernel says once that it could not write: the process that heard it may be gone."""
    broken = tmp_path / "broken"
    settings = ("error=EIO", "error-pwrite-rate=100%", f"error-file={broken}")
    source = BlankSource(SIZE)
    with filesystems.spoilt(tmp_path, SIZE, "error", *settings) as device:
        request = TransferRequest(lambda _: source, device, tmp_path / "journal", size=SIZE)
        job = attempt.Work(request, source.identity, SIZE, None)
        with job:
            broken.touch()
            job.target.write([Write(0, b"lost" * 1024)])
            job.journal.done(((0, 4096),))
            job.checkpoint()
            job.journal.done(((4096, 8192),))
            broken.unlink()
            found = continuing.earlier(request, source.identity)
            assert found is None or not len(found.done)


# Zeroing, which takes as long as writing.


class AfterSomeZeros(threading.Event):
    """Set once a transfer has been asked a few times whether to go on while it commits."""

    def __init__(self, meter: Meter) -> None:
        super().__init__()
        self._meter, self._looks = meter, 0

    def is_set(self) -> bool:
        self._looks += self._meter.stage == "syncing"
        return self._looks > 4


@loopdev.needs_root
def test_zeroing_a_device_can_be_stopped_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cdi.images.target.filling.FILL_STEP", MIB)
    (tmp_path / "one").write_bytes(b"old!" * (SIZE // 4))
    with loopdev.device(tmp_path / "one") as device:
        request = blank.request_for(device, None, preallocate=True, journal=tmp_path / "journal")
        meter = Meter()
        with pytest.raises(errors.Cancelled):
            transfer.run(request, meter, AfterSomeZeros(meter))
        noted = continuing.earlier(request, BlankSource(SIZE).identity)
        assert noted is not None
        assert 4 * MIB <= sum(end - start for start, end in noted.done) < SIZE
        assert transfer.run(request, Meter(), threading.Event()).resumed
        assert not device.read_bytes().strip(b"\0")
    assert not (tmp_path / "journal").exists()
