"""Which parts of a buffer hold data: zeros are not written, so that they stay holes."""

from __future__ import annotations

from collections.abc import Iterator

# Zeros are looked for in blocks of this size: what file systems allocate at least.
BLOCK = 4096
ZEROS = bytes(1 << 20)

_ZERO_BLOCK = ZEROS[:BLOCK]
_RUNS = (ZEROS, ZEROS[: 64 << 10], _ZERO_BLOCK)  # long ones first: one call for many blocks


def data_runs(data: bytes | bytearray, offset: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the parts of `data` that hold anything but zero blocks.

    Blocks are aligned as the bytes will lie in the target, `data[0]` being at `offset`.
    """
    size = len(data)
    at = 0
    is_zero = data.startswith
    last = size - BLOCK
    while at < size:
        at = _zeros_end(data, at, offset, size)
        if at >= size:
            return
        start = at
        at += BLOCK - (offset + at) % BLOCK
        # One call a block: this loop sees every byte of every disk.
        while at <= last and not is_zero(_ZERO_BLOCK, at):
            at += BLOCK
        if last < at < size and not is_zero(ZEROS[: size - at], at):
            at = size
        at = min(at, size)
        yield start, at


def _zeros_end(data: bytes | bytearray, at: int, offset: int, size: int) -> int:
    odd = min(-(offset + at) % BLOCK, size - at)
    if not data.startswith(ZEROS[:odd], at):
        return at
    at += odd
    for run in _RUNS:
        while size - at >= len(run) and data.startswith(run, at):
            at += len(run)
    if size - at < BLOCK and data.startswith(ZEROS[: size - at], at):
        return size
    return at
