"""
The bytes of one request: no more than belong there, and verified before they count if they can be.

A chunk with a checksum that is wrong, or that is cut, must not count at all. So it waits in memory,
or in a file without a name if it is large, until all of it is there.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from pathlib import Path
from typing import IO, Final

from aiohttp import web

from cdi.images import errors
from cdi.workers.uploadserver import body
from cdi.workers.uploadserver.answers import Refused

_IN_MEMORY: Final = 8 << 20
_PIECE: Final = 256 << 10
MISMATCH: Final = 460


class Bounded:
    """At most `room` bytes of a body. Raises Refused if there are more."""

    def __init__(self, request: web.Request, room: int) -> None:
        self._content, self._room = request.content, room

    async def __call__(self) -> bytes:
        """Return the next bytes, none at the end."""
        piece = await self._content.readany()
        self._room -= len(piece)
        if self._room < 0:
            raise too_much()
        return piece


def too_much() -> Refused:
    """What a sender is told that sends more than it has announced."""
    return Refused(413, "TooMuch", "these are more bytes than the upload was announced with")


class Spool:
    """All bytes of a chunk, verified. Use as a context manager."""

    def __init__(self, directory: Path) -> None:
        """`directory` is where a large chunk may lie."""
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - closed by us
            _IN_MEMORY, dir=str(directory)
        )

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    async def fill(self, pieces: body.Pieces, checksum: tuple[str, bytes], idle: float) -> None:
        """Take everything. Raises Refused if the digest is another one, Stalled, ConnectionLost."""
        algorithm, want = checksum
        digest = hashlib.new(algorithm, usedforsecurity=False)
        with body.sender_errors(idle):
            async with asyncio.timeout(idle) as patience:
                while piece := await pieces():
                    digest.update(piece)
                    self._file.write(piece)
                    patience.reschedule(asyncio.get_running_loop().time() + idle)
        if digest.digest() != want:
            raise Refused(
                MISMATCH, errors.ChecksumMismatch.reason, f"the chunk's {algorithm} is another one"
            )
        self._file.seek(0)

    async def __call__(self) -> bytes:
        """Return the next bytes, none at the end."""
        return self._file.read(_PIECE)
