"""
What an image of changes says that it builds on: a name, which is compared and never opened.
"""

from __future__ import annotations

from typing import Final

from cdi.images import errors
from cdi.images.formats.quoting import quoted

_MAX_BACKING_NAME: Final = 1023


def check(head: bytes, offset: int, length: int, base: str) -> None:
    """Insist that the image names `base` as what it builds on, in whatever directory."""
    if not offset:
        raise errors.CorruptImage(
            "the changes do not say which disk they build on, "
            f"{quoted(base.encode())} was expected; "
            "check the order of the checkpoints"
        )
    if length > _MAX_BACKING_NAME:
        raise errors.UnsafeImage(f"a backing file's name of {length} bytes is absurd")
    if len(head) < offset + length:
        raise errors.TruncatedSource(f"the file ends after {len(head)} bytes, within its header")
    name = head[offset : offset + length].rpartition(b"/")[2]
    if name != base.encode():
        raise errors.CorruptImage(
            f"the changes build on {quoted(name)}, and not on {quoted(base.encode())}, which was "
            "copied before; check the order of the checkpoints"
        )
