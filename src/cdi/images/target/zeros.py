"""Which parts of a buffer hold data: zeros are not written, so that they stay holes."""

from __future__ import annotations

from collections.abc import Iterator

# Zeros are looked for in blocks of this size: what file systems allocate at least.
BLOCK = 4096
ZEROS = bytes(1 << 20)

_ZERO_BLOCK = ZEROS[:BLOCK]


def data_runs(data: bytes | bytearray, offset: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the parts of `data` that hold anything but zero blocks.

    Blocks are aligned as the bytes will lie in the target, `data[0]` being at `offset`.
    """
    size = len(data)
    at = 0
    while at < size:
        at = _zeros_end(data, at, offset, size)
        if at >= size:
            return
        start = at
        at = min(at + BLOCK - (offset + at) % BLOCK, size)
        while at < size and not _is_zero_block(data, at, size):
            at += BLOCK
        at = min(at, size)
        yield start, at


def _zeros_end(data: bytes | bytearray, at: int, offset: int, size: int) -> int:
    while size - at >= len(ZEROS) and data.startswith(ZEROS, at):
        at += len(ZEROS)
    while at < size:
        step = min(BLOCK - (offset + at) % BLOCK, size - at)
        if not data.startswith(_ZERO_BLOCK if step == BLOCK else ZEROS[:step], at):
            return at
        at += step
    return size


def _is_zero_block(data: bytes | bytearray, at: int, size: int) -> bool:
    if size - at >= BLOCK:
        return data.startswith(_ZERO_BLOCK, at)
    return data.startswith(ZEROS[: size - at], at)
