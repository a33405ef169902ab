"""What an archive says of one file. Sizes and offsets in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What an entry is, in words for an error message."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symbolic link"
    HARDLINK = "hard link"
    CHARACTER = "character device"
    BLOCK = "block device"
    FIFO = "named pipe"
    OTHER = "entry of an unknown kind"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, as its headers describe it.

    Nothing about `name` and `link` is safe but that they hold no NUL: they may be absolute, or
    lead upwards. Bytes that are not UTF-8 are in them as surrogate escapes; slashes at the end
    of a name are gone.
    """

    name: str
    kind: Kind
    mode: int  # the twelve bits of chmod
    mtime: int  # nanoseconds since 1970, may be negative
    uid: int
    gid: int
    link: str  # what a link points to
    size: int  # of the file itself, holes included
    start: int  # where the stored data begins in the archive
    stored: int  # how many bytes are stored there
    # Of a sparse file (offset, length) of what is stored, in order; None if all of it is.
    extents: tuple[tuple[int, int], ...] | None = None
