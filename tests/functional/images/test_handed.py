"""Bytes that a caller hands in: one pass, and going on where an interrupted one has come to."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.sources.handed import HandedSource
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result
from support import compressed, disks

MIB = 1 << 20
PIECE = 1 << 18


@dataclass
class Sending:
    """A transfer in a thread of its own, and the sender that feeds it."""

    target: Path
    size: int | None
    version: str = ""
    wanted: dict[str, object] = field(default_factory=dict)
    cancel: threading.Event = field(default_factory=threading.Event)
    result: Result | None = None
    error: errors.TransferError | None = None

    def __post_init__(self) -> None:
        self._moved = threading.Event()
        self.source = HandedSource(
            "the upload", size=self.size, version=self.version, moved=self._moved.set
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        request = TransferRequest(source=self.source.open, target=self.target, **self.wanted)
        try:
            self.result = transfer.run(request, Meter(), self.cancel)
        except errors.TransferError as error:
            self.error = error

    @property
    def begin(self) -> int:
        while self.source.begin is None:
            self._moved.wait(10)
            self._moved.clear()
        return self.source.begin

    def send(self, data: bytes) -> None:
        for at in range(0, len(data), PIECE):
            while not self.source.offer(data[at : at + PIECE]):
                if self.source.is_gone:
                    return
                self._moved.wait(10)
                self._moved.clear()

    def ended(self) -> Sending:
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    disk = disks.raw_disk(tmp_path_factory.mktemp("images") / "disk.raw", 96 * MIB, 64 * MIB)
    blocks = disk.with_name("blocks.xz")
    blocks.write_bytes(compressed.run("xz -0 --block-size=4MiB", disk.read_bytes()))
    return {
        "raw": disk,
        "qcow2": disks.convert(disk, "qcow2"),
        "gz": disks.compress(disk, "gz"),
        "bz2": disks.compress(disk, "bz2"),
        "xz": blocks,
    }


@pytest.mark.parametrize("kind", ["raw", "qcow2", "gz", "xz"])
@pytest.mark.parametrize("told", [True, False], ids=["with-length", "without-length"])
def test_what_is_handed_in_becomes_the_disk(
    images: dict[str, Path], tmp_path: Path, kind: str, told: bool
) -> None:
    data = images[kind].read_bytes()
    sending = Sending(tmp_path / "disk.img", len(data) if told else None)
    assert sending.begin == 0
    sending.send(data)
    sending.source.end()
    assert sending.ended().error is None
    assert disks.differs(images["raw"], tmp_path / "disk.img") == ""


@pytest.mark.parametrize("kind", ["raw", "qcow2", "gz", "xz"])
def test_a_stream_goes_on_at_its_last_checkpoint(
    images: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    data = images[kind].read_bytes()
    wanted = {"checksum": ("sha256", hashlib.sha256(data).hexdigest())}
    first = Sending(tmp_path / "disk.img", len(data), "session", wanted)
    first.send(data[: len(data) * 3 // 4])
    first.source.fail(errors.ConnectionLost("the sender is gone"))
    assert isinstance(first.ended().error, errors.ConnectionLost)

    second = Sending(tmp_path / "disk.img", len(data), "session", wanted)
    assert len(data) // 4 < second.begin <= len(data) * 3 // 4
    second.send(data[second.begin :])
    second.source.end()
    assert second.ended().error is None
    assert second.result is not None
    assert second.result.resumed
    assert disks.differs(images["raw"], tmp_path / "disk.img") == ""


def test_a_stream_without_places_begins_anew(images: dict[str, Path], tmp_path: Path) -> None:
    data = images["bz2"].read_bytes()
    first = Sending(tmp_path / "disk.img", len(data), "session")
    first.send(data[: len(data) // 2])
    first.source.fail(errors.ConnectionLost("the sender is gone"))
    first.ended()

    second = Sending(tmp_path / "disk.img", len(data), "session")
    assert second.begin == 0
    second.send(data)
    second.source.end()
    assert second.ended().error is None
    assert disks.differs(images["raw"], tmp_path / "disk.img") == ""


@pytest.mark.parametrize("version", ["", "another session"])
def test_nobody_else_s_stream_is_gone_on_with(
    images: dict[str, Path], tmp_path: Path, version: str
) -> None:
    data = images["raw"].read_bytes()
    first = Sending(tmp_path / "disk.img", len(data), "session")
    first.send(b"\xff" * (len(data) // 2))
    first.source.fail(errors.ConnectionLost("the sender is gone"))
    first.ended()

    second = Sending(tmp_path / "disk.img", len(data), version)
    assert second.begin == 0
    second.send(data)
    second.source.end()
    assert second.ended().error is None
    assert disks.differs(images["raw"], tmp_path / "disk.img") == ""


def test_a_stream_that_ends_too_early_is_no_disk(images: dict[str, Path], tmp_path: Path) -> None:
    data = images["raw"].read_bytes()
    sending = Sending(tmp_path / "disk.img", len(data))
    sending.send(data[:-1])
    sending.source.end()
    assert isinstance(sending.ended().error, errors.TruncatedSource)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_waits_is_stopped(tmp_path: Path) -> None:
    sending = Sending(tmp_path / "disk.img", None)
    assert sending.begin == 0
    sending.cancel.set()
    assert isinstance(sending.ended().error, errors.Cancelled)


def test_the_sender_hears_that_nobody_reads(images: dict[str, Path], tmp_path: Path) -> None:
    sending = Sending(tmp_path / "disk.img", None)
    sending.send(b"<!DOCTYPE html>" + b" " * (4 * MIB))
    sending.source.end()
    assert isinstance(sending.ended().error, errors.NotADisk)
    assert sending.source.is_gone
    assert not sending.source.offer(b"more")
