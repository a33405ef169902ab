"""
The areas of a disk that have changed, as extents: what is data there, and what is zero now.

vSphere answers for a part of the disk at a time, some two thousand areas in one answer, and says
which part; the next question begins where that ends. What it says is checked: areas in order,
within the disk. Offsets and lengths are in bytes. Raises SourceRefused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from cdi.images import errors
from cdi.images.layout import Extent
from cdi.images.sources.vddk.values import Answer

# Asking what is zero in less takes longer than reading it.
_WORTH_ASKING = 1 << 20


def changed(ask: Callable[[int], Answer], capacity: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of all that changed; `ask` answers for what begins at an offset."""
    position, last = 0, 0
    while position < capacity:
        answer = ask(position)
        for start, length in answer.areas:
            end = start + length
            if start < last or length <= 0 or end > capacity:
                raise errors.SourceRefused(
                    f"vSphere names a changed area from {start} to {end} of a disk of "
                    f"{capacity} bytes, after one that ends at {last}; it cannot be right"
                )
            yield start, end
            last = end
        reached = answer.start + answer.length
        if reached <= position:
            if answer.areas:
                raise errors.SourceRefused("vSphere answers for no part of the disk")
            return
        position = reached


def extents(
    ranges: Iterable[tuple[int, int]], parts: Callable[[int, int], Iterator[Extent]]
) -> Iterator[Extent]:
    """Yield the extents of changed ranges; `parts` tells what is zero in one."""
    for start, end in _joined(ranges):
        if end - start < _WORTH_ASKING:
            yield Extent(start, end)
        else:
            yield from parts(start, end)


def _joined(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Ranges that adjoin are one."""
    low, high = 0, 0
    for start, end in ranges:
        if start == high and high > low:
            high = end
            continue
        if high > low:
            yield low, high
        low, high = start, end
    if high > low:
        yield low, high
