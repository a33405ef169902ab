"""
The file that is uploaded: its size, its digest, and any part of it as blocks.

Reading happens in threads, so that a slow disk does not hold up the connection. Raises OSError, and
Failed where the file changes under the upload.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cdi.cli.uploads.failure import Failed

BLOCK: Final = 256 << 10
_DIGEST_BLOCK: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Source:
    """One file."""

    path: Path
    size: int  # bytes

    @classmethod
    def at(cls, path: Path) -> Source:
        """A block device has a size, too, where its end is."""
        with path.open("rb") as file:
            return cls(path, file.seek(0, 2))

    async def digest(self) -> str:
        """SHA-256, lower-case hex."""
        return await asyncio.to_thread(_digest_of, self.path)

    async def blocks(
        self, offset: int, length: int, sent: Callable[[int], None]
    ) -> AsyncIterator[bytes]:
        """So many bytes from there on; `sent` hears how far they are taken."""
        with await asyncio.to_thread(self.path.open, "rb") as file:
            await asyncio.to_thread(file.seek, offset)
            left = length
            while left:
                block = await asyncio.to_thread(file.read, min(BLOCK, left))
                if not block:
                    raise Failed(f"{self.path} has become shorter while it was uploaded")
                left -= len(block)
                yield block
                sent(offset + length - left)


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while block := file.read(_DIGEST_BLOCK):
            digest.update(block)
    return digest.hexdigest()
