"""
Samples of what was written: whether the bytes are still there, which no identity can tell.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

Sample = tuple[int, int]  # an offset, and the CRC-32 of the BLOCK bytes there

BLOCK: Final = 4096  # bytes of a sample
_LOOKS, _KEPT = 64, 16  # places that are looked at, samples that are kept


def samples_of(fd: int, ranges: Iterable[tuple[int, int]]) -> list[Sample]:
    """Return samples of what is in `ranges`, of bytes that are not zero if there are any."""
    found = [(at, zlib.crc32(data)) for at, data in _looks(fd, list(ranges))]
    empty = zlib.crc32(bytes(BLOCK))
    telling = [sample for sample in found if sample[1] != empty] or found
    return telling[:: max(1, len(telling) // _KEPT)][:_KEPT]


def still_holds(path: Path, samples: Iterable[Sample]) -> bool:
    """Whether the bytes at a path are those that the samples were taken of."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return all(zlib.crc32(os.pread(fd, BLOCK, at)) == crc for at, crc in samples)
    except OSError:
        return False
    finally:
        os.close(fd)


def _looks(fd: int, ranges: list[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """Yield whole blocks within `ranges`, spread evenly over them."""
    whole = [(-(-start // BLOCK), end // BLOCK) for start, end in ranges]
    whole = [(start, end) for start, end in whole if start < end]
    total = sum(end - start for start, end in whole)
    wanted = iter(sorted({total * look // _LOOKS for look in range(_LOOKS)} if total else ()))
    behind, want = 0, next(wanted, None)
    for start, end in whole:
        while want is not None and want < behind + end - start:
            at = (start + want - behind) * BLOCK
            yield at, os.pread(fd, BLOCK, at)
            want = next(wanted, None)
        behind += end - start
