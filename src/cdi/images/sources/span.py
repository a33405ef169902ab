"""
The part of an object that a reader asks for. Offsets are in bytes.
"""

from __future__ import annotations

from cdi.images import errors


def checked(shown: str, size: int, start: int, end: int | None) -> tuple[int, int]:
    """Return [start, end) of an object of `size` bytes. Raises TruncatedSource beyond its end."""
    end = size if end is None else end
    if start < 0 or end < start:
        raise ValueError(f"no such range: {start} to {end}")
    if end > size:
        raise errors.TruncatedSource(
            f"{shown} has {size} bytes and ends before byte {end}; the file may be incomplete"
        )
    return start, end
