"""
One process per state directory, and nobody else in it.

The lock is an flock on a file inside it: the kernel drops it when the process dies, however it
dies, so no stale lock is ever left behind. Raises errors.Locked, errors.Exposed.
"""

import fcntl
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from cdi.standalone.store import errors
from cdi.volumes.pool import sync_directory

FILE = "lock"


def ensure_directory(directory: Path) -> None:
    """
    Have a directory that its owner alone can open, or one that was made by somebody else and that
    others cannot write to. Raises errors.Exposed, OSError.
    """
    try:
        directory.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        mode = stat.S_IMODE(directory.stat().st_mode)
        if mode & stat.S_IWOTH:
            raise errors.Exposed(
                f"everybody can write to {directory} (mode {mode:04o}) and replace keys, database "
                f"and disks in it; run chmod go-w {directory}, or choose another directory"
            ) from None
    else:
        sync_directory(directory.parent)


class DirectoryLock:
    """Held from construction until close()."""

    def __init__(self, directory: Path) -> None:
        ensure_directory(directory)
        self._fd = os.open(directory / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._fd, 32).decode(errors="replace").strip()
            os.close(self._fd)
            raise errors.Locked(
                f"{directory} is in use by process {holder or 'unknown'}; stop it, or choose "
                "another directory"
            ) from error
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(os.getpid()).encode(), 0)

    def close(self) -> None:
        """Give the directory back; safe to repeat."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
