"""
The hidden directory in which an archive is unpacked, and the marker that commits it.

    .cdi-partial/tree/       entries, invisible to whoever uses the volume
    .cdi-partial/place       how far the unpacking is (`places`); durable, as is what it tells of
    .cdi-partial/place-now   the same and newer, but it holds until the machine restarts
    .cdi-partial/verified    JSON: which archive this is, and what was done

Without any of the three a crash leaves rubbish, which the next run removes before anything else.
The marker is written when the tree is complete, verified and synced: from then on the next run for
the same archive fetches nothing, and only moves into place what is not there yet.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cdi.images import errors, storage_calls
from cdi.images import target as targets
from cdi.images.archive import tree
from cdi.images.closing import Closing
from cdi.images.transfer import documents
from cdi.images.transfer.journalfile import boot_id

HIDDEN = ".cdi-partial"

_TREE, _MARKER, _PLACE, _NOW = "tree", "verified", "place", "place-now"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST_MARKER = 64 << 10


class Partial(Closing):
    """The hidden directory of one extraction, locked. Use as a context manager."""

    def __init__(self, directory: Path) -> None:
        """Take it, with what is in it. Raises InvalidRequest, TargetFailed."""
        self.directory = directory
        self._path = directory / HIDDEN
        if not directory.is_dir():
            raise errors.InvalidRequest(f"{directory}: no such directory")
        self.root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.tree = -1
        try:
            _lock(self.root, directory)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go; safe to repeat."""
        for fd in (self.tree, self.root):
            if fd >= 0:
                os.close(fd)
        self.tree = self.root = -1

    def begin(self) -> None:
        """Remove what is there, and make an empty tree."""
        self.remove()
        self._path.mkdir(mode=0o700)
        (self._path / _TREE).mkdir(mode=0o700)
        self._open_tree()

    def go_on(self) -> None:
        """Take the tree as it is."""
        self._open_tree()

    def note(self, place: dict[str, Any], *, durable: bool) -> None:
        """Keep how far it is; all of that is made durable first, if that is wanted."""
        if durable and not storage_calls.sync_filesystem(self.root):
            os.fsync(self.root)
        said = {"boot": "" if durable else boot_id(), **place}
        documents.save(self._path / (_PLACE if durable else _NOW), said, durable=durable)
        if durable:
            (self._path / _NOW).unlink(missing_ok=True)  # which is older

    def noted(self) -> Iterator[dict[str, Any]]:
        """Yield what was kept of how far it is and still holds, the newest first."""
        for name in (_NOW, _PLACE):
            found = documents.load(self._path / name)
            if found is not None and found.get("boot") in ("", boot_id()):
                yield found

    def forget_notes(self) -> None:
        """What was kept is no longer true."""
        for name in (_NOW, _PLACE):
            if (self._path / name).exists():
                (self._path / name).unlink()
                targets.sync_directory(self._path)

    def verified(self, key: dict[str, Any]) -> dict[str, Any] | None:
        """Open the tree if it is complete, and of the archive `key`; return what was noted."""
        try:
            fd = os.open(self._path / _MARKER, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            with os.fdopen(fd, "rb") as file:
                noted = json.loads(file.read(_LONGEST_MARKER))
            if noted["archive"] != key:
                return None
            self._open_tree()
            return dict(noted["done"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def commit(self, key: dict[str, Any], done: dict[str, Any]) -> None:
        """The tree is complete and verified: make that durable."""
        storage_calls.sync_filesystem(self.root)
        draft = self._path / (_MARKER + ".new")
        with draft.open("w", encoding="utf-8") as file:
            json.dump({"archive": key, "done": done}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path / _MARKER)
        targets.sync_directory(self._path)

    def settle(self) -> None:
        """Everything is in its place: make that durable."""
        if not storage_calls.sync_filesystem(self.root):
            os.fsync(self.root)

    def finish(self) -> None:
        """Remove the hidden directory, durably."""
        self.remove()
        os.fsync(self.root)

    def remove(self) -> None:
        """Remove the hidden directory, whatever is in it."""
        if self.tree >= 0:
            os.close(self.tree)
            self.tree = -1
        tree.remove(os.fsencode(HIDDEN), self.root)

    def _open_tree(self) -> None:
        self.tree = os.open(self._path / _TREE, _FOLDER)


def _lock(fd: int, directory: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise errors.TargetFailed(
            f"{directory}: another import is unpacking there just now"
        ) from error
    except OSError:
        pass  # some network file systems cannot lock a directory
