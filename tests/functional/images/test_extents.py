"""Disks whose sources know what matters: only that is fetched, and only that is changed."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.layout import Extent
from cdi.images.sources.source import Identity
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from cdi.images.transfer.result import Result
from support import disks, loopdev

MIB = 1 << 20
SIZE = 16 * MIB


class Disk:
    """A disk in memory that names its extents, and remembers what was read of it."""

    ranged = True

    def __init__(self, content: bytes, extents: list[Extent], breaks_at: int | None = None) -> None:
        self._content, self._extents, self._breaks_at = content, extents, breaks_at
        self.size = len(content)
        self.identity = Identity("memory:", self.size, "1")
        self.read = 0

    def extents(self) -> Iterator[Extent]:
        return iter(self._extents)

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        piece = self._content[start:end]
        if self._breaks_at is not None and self.read + len(piece) > self._breaks_at:
            raise errors.ConnectionLost("broken on purpose")
        self.read += len(piece)
        yield piece

    def close(self) -> None:
        pass


def run(source: Disk, target: Path, **wishes: object) -> Result:
    order = TransferRequest(source=lambda _: source, target=target, as_is=True, **wishes)
    return transfer.run(order, Meter(), threading.Event())


CONTENT = random.Random(1).randbytes(SIZE)
SOME = [
    Extent(0, 3 * MIB),
    Extent(3 * MIB, 5 * MIB, zero=True),
    Extent(5 * MIB, 5 * MIB + 12345),
    Extent(9 * MIB, SIZE),
]


def expected(old: bytes, extents: list[Extent]) -> bytes:
    disk = bytearray(old)
    for each in extents:
        part = bytes(each.end - each.start) if each.zero else CONTENT[each.start : each.end]
        disk[each.start : each.end] = part
    return bytes(disk)


def test_a_whole_disk_has_holes_where_nothing_matters(tmp_path):
    source, target = Disk(CONTENT, SOME), tmp_path / "disk.img"
    run(source, target)
    assert target.read_bytes() == expected(bytes(SIZE), SOME)
    assert source.read == sum(each.end - each.start for each in SOME if not each.zero)


@pytest.mark.parametrize("preallocate", [False, True])
def test_an_update_changes_what_the_extents_name_and_nothing_else(preallocate, tmp_path):
    target = tmp_path / "disk.img"
    old = b"old!" * (SIZE // 4)
    target.write_bytes(old)
    run(Disk(CONTENT, SOME), target, update=True, preallocate=preallocate)
    assert target.read_bytes() == expected(old, SOME)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["disk.img"]


@loopdev.needs_root
@pytest.mark.parametrize("update", [False, True])
def test_a_device_is_filled_or_brought_up_to_date(update, tmp_path):
    backing = tmp_path / "backing"
    old = b"old!" * ((SIZE + MIB) // 4)
    backing.write_bytes(old)
    with loopdev.device(backing) as device:
        run(Disk(CONTENT, SOME), device, journal=tmp_path / "journal", update=update)
        found = device.read_bytes()
    before = old if update else bytes(SIZE + MIB)
    assert found == expected(before[:SIZE], SOME) + before[SIZE:]


def test_an_interrupted_update_is_continued(tmp_path):
    target = tmp_path / "disk.img"
    old = b"old!" * (SIZE // 4)
    target.write_bytes(old)
    first = Disk(CONTENT, SOME, breaks_at=4 * MIB)
    with pytest.raises(errors.ConnectionLost):
        run(first, target, update=True, connections=1)
    second = Disk(CONTENT, SOME)
    assert run(second, target, update=True).resumed
    assert target.read_bytes() == expected(old, SOME)
    assert first.read + second.read <= 11 * MIB


@pytest.mark.parametrize(
    "extents",
    [
        pytest.param([Extent(MIB, 2 * MIB), Extent(0, MIB)], id="out-of-order"),
        pytest.param([Extent(0, 2 * MIB), Extent(MIB, 3 * MIB)], id="overlapping"),
        pytest.param([Extent(0, SIZE + 1)], id="beyond-the-end"),
        pytest.param([Extent(2 * MIB, MIB)], id="backwards"),
    ],
)
def test_extents_that_make_no_sense_are_refused(extents, tmp_path):
    with pytest.raises(errors.CorruptImage, match="list of extents"):
        run(Disk(CONTENT, extents), tmp_path / "disk.img")
    assert list(tmp_path.iterdir()) == []


def test_there_is_nothing_to_bring_up_to_date(tmp_path):
    with pytest.raises(errors.InvalidRequest, match="import the whole disk first"):
        run(Disk(CONTENT, SOME), tmp_path / "disk.img", update=True)


def test_an_update_may_make_the_disk_longer_but_never_shorter(tmp_path):
    target = tmp_path / "disk.img"
    target.write_bytes(b"old!" * MIB)
    run(Disk(CONTENT, [Extent(0, 512)]), target, update=True)
    assert target.stat().st_size == SIZE
    run(Disk(CONTENT[:MIB], [Extent(0, 512)]), target, update=True)
    assert target.stat().st_size == SIZE
    assert disks.nonzero_bytes(target) == 4 * MIB
