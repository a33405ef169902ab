"""
A regular file or a block device on this machine.

Read with pread, so that any number of threads share one descriptor. Offsets are in bytes.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cdi.images import errors
from cdi.images.closing import Closing
from cdi.images.sources import source
from cdi.images.sources.source import PIECE, Identity


class FileSource(Closing):
    """One local file; see `source.Source`. The constructor opens it."""

    ranged = True

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._descriptor = _open(self._path)
        try:
            facts = os.fstat(self._descriptor)
            self.size = _size(self._path, self._descriptor, facts.st_mode)
            # A device has no modification time that its content's changes would move.
            changed = facts.st_mtime_ns if stat.S_ISREG(facts.st_mode) else 0
            self.identity = Identity(
                location=self._path.resolve().as_uri(),
                length=self.size,
                version=f"{changed}-{facts.st_ino}",
            )
        except BaseException:
            os.close(self._descriptor)
            raise

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes [start, end) in order; see `source.Source`."""
        return self._pieces(*source.checked_range(str(self._path), self.size, start, end))

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _pieces(self, position: int, end: int) -> Iterator[bytes]:
        while position < end:
            try:
                piece = os.pread(self._descriptor, min(PIECE, end - position), position)
            except OSError as failure:
                raise errors.SourceUnavailable(
                    f"{self._path} cannot be read at byte {position}: {failure.strerror}; "
                    "check the disk it is on"
                ) from failure
            if not piece:
                raise errors.TruncatedSource(
                    f"{self._path} was cut to {position} bytes while it was read; start again"
                )
            yield piece
            position += len(piece)


def _open(path: Path) -> int:
    try:
        # Opening a named pipe must not wait for a writer before it is refused.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError as failure:
        raise errors.NotFound(f"{path} does not exist; check the path") from failure
    except PermissionError as failure:
        raise errors.AccessDenied(f"{path} may not be read by this user") from failure
    except (OSError, ValueError) as failure:
        raise errors.InvalidRequest(f"{path} cannot be opened: {failure}") from failure


def _size(path: Path, descriptor: int, mode: int) -> int:
    if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
        raise errors.InvalidRequest(f"{path} is neither a regular file nor a block device")
    # A block device reports no length in its status, but its end can be found.
    return os.lseek(descriptor, 0, os.SEEK_END)
