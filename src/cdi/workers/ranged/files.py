"""
Files as one tar of which any part can be read: what is beside a disk in its volume.

Nothing is stored: headers are made once, the files' bytes are read where they are when they are
asked for. Holes are read as zeros. Meant for a few files; `Files.of` says so where there are more.
Sizes and offsets in bytes. Format: GNU tar.
"""

from __future__ import annotations

import errno
import io
import os
import tarfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cdi.images import errors
from cdi.images.layout import Extent
from cdi.images.sources import source
from cdi.images.sources.source import PIECE, Identity

MOST: Final = 10_000  # entries: their headers are kept in memory
_BLOCK: Final = 512
_END: Final = bytes(2 * _BLOCK)


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch of the tar: bytes that are known, or those of a file."""

    start: int
    size: int
    known: bytes = b""
    path: Path | None = None

    def read(self, offset: int, count: int) -> bytes:
        """Return so many bytes, from an offset in the part on. Raises TransferError."""
        if self.path is None:
            return self.known[offset : offset + count]
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                found = os.pread(fd, count, offset)
            finally:
                os.close(fd)
        except OSError as error:
            raise errors.SourceUnavailable(f"{self.path} cannot be read: {error}") from error
        if len(found) < count:
            raise errors.TruncatedSource(f"{self.path} was cut while it was read; start again")
        return found


class Files:
    """Some files and directories beneath a root; see `source.Mapped`."""

    ranged = True

    def __init__(self, parts: list[_Part]) -> None:
        self._parts, self._starts = parts, [each.start for each in parts]
        self.size = parts[-1].start + parts[-1].size
        self.identity = Identity("files", self.size)

    @classmethod
    def of(cls, root: Path, names: Iterable[str]) -> Self | None:
        """What is called so beneath `root`, with all that is in it; None where that is too much."""
        parts, at = list[_Part](), 0

        def add(size: int, known: bytes = b"", path: Path | None = None) -> None:
            nonlocal at
            if size:
                parts.append(_Part(at, size, known, path))
                at += size

        with tarfile.TarFile(fileobj=io.BytesIO(), mode="w", format=tarfile.GNU_FORMAT) as tar:
            for number, name in enumerate(tree(root, names)):
                if number >= MOST:
                    return None
                head, path = _header(tar, root, name), root / name
                if head is None:
                    continue
                header = head.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
                add(len(header), header)
                if head.isreg():
                    add(head.size, path=path)
                    add(-head.size % _BLOCK, bytes(-head.size % _BLOCK))
        add(len(_END), _END)
        return cls(parts)

    def extents(self) -> Iterator[Extent]:
        """Yield all of it: what is zero is found when it is read."""
        yield Extent(0, self.size)

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes [start, end) in order; see `source.Source`."""
        return self._pieces(*source.checked_range("the files", self.size, start, end))

    def _pieces(self, at: int, end: int) -> Iterator[bytes]:
        while at < end:
            part = self._parts[bisect_right(self._starts, at) - 1]
            inner = at - part.start
            piece = part.read(inner, min(PIECE, part.size - inner, end - at))
            yield piece
            at += len(piece)

    def close(self) -> None:
        """Nothing is held."""


def _header(tar: tarfile.TarFile, root: Path, name: str) -> tarfile.TarInfo | None:
    """Return what the tar says of an entry; None for a socket, which nobody can send."""
    try:
        found = tar.gettarinfo(str(root / name), arcname=name)
    except OSError as error:
        raise errors.SourceUnavailable(f"{root / name} cannot be read: {error}") from error
    if found is not None:
        found.uid = found.gid = 0
        found.uname = found.gname = ""
        found.mtime = int(found.mtime)
    return found


def tree(root: Path, names: Iterable[str]) -> Iterator[str]:
    """Yield everything beneath some names, directories before what is in them."""
    for name in names:
        yield name
        path = root / name
        if path.is_dir() and not path.is_symlink():
            try:
                below = sorted(each.name for each in path.iterdir())
            except OSError as error:
                if error.errno != errno.ENOENT:
                    raise errors.SourceUnavailable(f"{path} cannot be read: {error}") from error
                continue
            yield from (f"{name}/{each}" for each in tree(path, below))
