"""The end of a device is kept for notes until the commit: the disk is whole all the same."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.target import RESERVE, BlockTarget
from cdi.images.writes import Write, Zeros
from support import loopdev

pytestmark = loopdev.needs_root

MIB = 1 << 20
SIZE = 4 * MIB


def shuffled(disk: bytes, seed: int) -> list[Write | Zeros]:
    """All of a disk in writes of odd lengths, in any order; what is zero is told now and then."""
    rng, writes, at = random.Random(seed), list[Write | Zeros](), 0
    while at < len(disk):
        length = min(rng.choice([512, 4096, 5000, 70_000, 1_500_000]), len(disk) - at)
        data = disk[at : at + length]
        empty = not data.strip(b"\0") and rng.random() < 0.5
        writes.append(Zeros(at, at + length) if empty else Write(at, data))
        at += length
    rng.shuffle(writes)
    return writes


def content(tail: bytes) -> bytes:
    """A disk with holes, that ends with `tail`."""
    whole = os.urandom(MIB) + bytes(700_000) + os.urandom(MIB)
    return whole + bytes(SIZE - len(whole) - len(tail)) + tail


@pytest.mark.parametrize("tail", [b"", b"end", os.urandom(RESERVE // 2), os.urandom(RESERVE)])
@pytest.mark.parametrize("noted", ["never", "midway", "at-the-end"])
@pytest.mark.parametrize("preallocate", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_disk_written_in_any_order_is_whole(
    seed: int, preallocate: bool, noted: str, tail: bytes, tmp_path: Path
) -> None:
    disk, storage = content(tail), tmp_path / "storage"
    storage.write_bytes(b"old!" * (SIZE // 4))
    with loopdev.device(storage) as device:
        with BlockTarget(device, SIZE, preallocate=preallocate) as target:
            assert target.hold_back()
            writes = shuffled(disk, seed)
            target.write(writes[: len(writes) // 2])
            if noted == "midway":
                target.note(0, b"note" * 1000)
            target.write(writes[len(writes) // 2 :])
            if noted == "at-the-end":
                target.note(RESERVE // 2, b"note" * 1000)
            assert target.read_back(SIZE - RESERVE - 512, 1024) == disk[-RESERVE - 512 :][:1024]
            assert target.read_back(SIZE - 512, 512) == disk[-512:]
            target.finish(SIZE)
        assert device.read_bytes() == disk


def test_nothing_of_the_end_is_on_the_device_before_the_commit(tmp_path: Path) -> None:
    (tmp_path / "storage").write_bytes(bytes(SIZE))
    with loopdev.device(tmp_path / "storage") as device, BlockTarget(device, SIZE) as target:
        assert target.hold_back()
        assert target.held_from == SIZE - RESERVE
        assert not target.holds_content
        target.write([Write(0, os.urandom(SIZE))])
        assert target.holds_content
        target.flush()
        assert not device.read_bytes()[-RESERVE:].strip(b"\0")


def test_what_is_let_go_stays_and_no_note_comes_over_it(tmp_path: Path) -> None:
    disk = os.urandom(SIZE)
    (tmp_path / "storage").write_bytes(bytes(SIZE))
    with loopdev.device(tmp_path / "storage") as device:
        with BlockTarget(device, SIZE, preallocate=True) as target:
            assert target.hold_back()
            target.note(0, b"note")
            target.write([Write(MIB, disk[MIB:])])
            target.let_go()
            target.note(0, b"note")
            target.write([Write(0, disk[:MIB])])
            target.finish(SIZE)
        assert device.read_bytes() == disk


def test_what_lies_behind_the_device_is_still_refused(tmp_path: Path) -> None:
    (tmp_path / "storage").write_bytes(bytes(SIZE))
    with loopdev.device(tmp_path / "storage") as device, BlockTarget(device, None) as target:
        assert target.hold_back()
        with pytest.raises(errors.TargetError):
            target.write([Write(SIZE - 512, os.urandom(1024))])


def test_many_threads_write_the_end(tmp_path: Path) -> None:
    disk = os.urandom(SIZE)
    (tmp_path / "storage").write_bytes(bytes(SIZE))
    with loopdev.device(tmp_path / "storage") as device:
        with BlockTarget(device, SIZE) as target:
            assert target.hold_back()
            parts = [range(first, SIZE, 4 * 65536) for first in range(0, 4 * 65536, 65536)]

            def write(part: range) -> None:
                for at in part:
                    target.write([Write(at, disk[at : at + 65536])])

            threads = [threading.Thread(target=write, args=(part,)) for part in parts]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            target.finish(SIZE)
        assert device.read_bytes() == disk


def test_a_device_no_longer_than_notes_has_none(tmp_path: Path) -> None:
    (tmp_path / "storage").write_bytes(bytes(RESERVE))
    with loopdev.device(tmp_path / "storage") as device, BlockTarget(device, RESERVE) as target:
        assert not target.hold_back()
