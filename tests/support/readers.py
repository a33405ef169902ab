"""
Run the two readers of a native format to the end, the way a transfer does, and check them.

`at_random` decodes units in any order, `forward` feeds pieces of many sizes, on request to many
decoders one after the other.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from cdi.images.layout import ForwardDecoder, Unit
from cdi.images.writes import Write


class Nothing:
    """No guest bytes are done."""

    def covers(self, start: int, end: int) -> bool:
        return False


def pieces_of(data: bytes, seed: int) -> Iterator[bytes]:
    """Cut bytes into pieces of many sizes."""
    chance = random.Random(seed)
    at = 0
    while at < len(data):
        length = chance.choice([1, 7, 511, 512, 4096, 30000, 65536, 300000])
        yield data[at : at + length]
        at += length


def at_random(file: bytes, units: list[Unit], size: int, seed: int = 0) -> bytes:
    """Return the disk of `size` bytes, from its units in any order; check what each promises."""
    random.Random(seed).shuffle(units)
    disk = bytearray(size)
    for number, unit in enumerate(units):
        host = file[unit.start : unit.end]
        assert len(host) == unit.end - unit.start
        written = []
        for write in unit.decode(pieces_of(host, seed + number)):
            assert isinstance(write, Write)
            put(disk, write)
            written.append((write.offset, write.offset + len(write.data)))
        assert joined(written) == list(unit.covers)
    return bytes(disk)


def forward(
    make: Callable[[bytes | None], ForwardDecoder], file: bytes, seed: int = 0, resume: bool = False
) -> bytes:
    """Return the disk, read in file order; with `resume`, by decoders that each take a state."""
    decoder = make(None)
    chance = random.Random(seed)
    writes: list[tuple[int, bytes]] = []
    for piece in pieces_of(file, seed):
        writes += [(write.offset, bytes(write.data)) for write in decoder.feed(piece)]
        if resume and chance.random() < 0.3 and (state := decoder.snapshot()) is not None:
            decoder = make(state)
    writes += [(write.offset, bytes(write.data)) for write in decoder.finish()]
    assert decoder.virtual_size is not None
    disk = bytearray(decoder.virtual_size)
    for offset, data in writes:
        put(disk, Write(offset, data))
    return bytes(disk)


def put(disk: bytearray, write: Write) -> None:
    """Write into a disk, which must not grow."""
    assert write.offset + len(write.data) <= len(disk)
    disk[write.offset : write.offset + len(write.data)] = write.data


def joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Sort ranges, join those that touch, and insist that none overlap."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if result and result[-1][1] == start:
            result[-1] = (result[-1][0], end)
        else:
            assert not result or result[-1][1] < start
            result.append((start, end))
    return result
