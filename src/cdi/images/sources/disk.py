"""
A raw disk on this machine, of which only what matters is read.

In a file that is where the file has data; a device does not say, so all of it is read, and zeros
are found by whoever writes. The content is a disk whatever it looks like: its guest may have
written anything. Offsets and sizes are in bytes.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from cdi.images.layout import Extent
from cdi.images.sources.file import FileSource


class DiskSource(FileSource):
    """One disk; see `source.Mapped`."""

    def extents(self) -> Iterator[Extent]:
        """Yield where the disk has data."""
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            yield Extent(0, self.size)
            return
        # Where there are no extents (ext2, ext3), data that has no block yet counts as a hole.
        os.fsync(self._descriptor)
        at = 0
        while at < self.size:
            start = self._seek(at, os.SEEK_DATA)
            if start is None:
                return
            at = min(self._seek(start, os.SEEK_HOLE) or self.size, self.size)
            if start < at:
                yield Extent(start, at)

    def _seek(self, offset: int, whence: int) -> int | None:
        """Where data or a hole begins; None if only a hole is left."""
        try:
            return os.lseek(self._descriptor, offset, whence)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            if error.errno in (errno.EINVAL, errno.EOPNOTSUPP):  # it does not know: all is data
                return offset if whence == os.SEEK_DATA else self.size
            raise
