"""
The file of a journal: lines of `<crc32> <json>`, a header that says which transfer this is, then
records.

Here: it is begun, appended to while work completes, and replaced as a whole. A line that is torn or
altered ends the reading: what stands before it still holds. A finished disk has no journal.
Elsewhere: what survives what, and checkpoints (`journal`); what is noted (`progress`); what a later
run reads out of it (`resuming`).
"""

from __future__ import annotations

import json
import logging
import os
import threading
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from cdi.images.target import sync_directory
from cdi.images.transfer.progress import Progress, digest_record, stream_record

log = logging.getLogger(__name__)

Copy = Callable[[list[dict[str, Any]]], None]  # keeps durable records in a second place

VERSION = 1
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def journal_path(path: Path) -> Path:
    """Where the journal of a transfer to the file `path` lies."""
    return path.with_name(path.name + ".cdi-journal")


def note_path(path: Path) -> Path:
    """Where it is noted that the temporary copy `path` is complete."""
    return path.with_name(path.name + ".cdi-complete")


class JournalFile:
    """The file of one running transfer. Methods may be called by any thread."""

    def __init__(
        self,
        path: Path,
        key: dict[str, Any],
        progress: Progress,
        mirror: Copy | None = None,
        held_from: int | None = None,
    ) -> None:
        """Begin a journal at `path`, replacing what is there. `key` identifies the transfer.

        `mirror` is given the durable records once they are safe here. From `held_from` on nothing
        is in its place before the commit, nor noted as done.
        """
        self._path = path
        self._mirror = mirror
        self._held_from = held_from
        self._key = key
        self._lock = threading.Lock()
        self._checkpoint_lock = threading.Lock()
        self._progress = progress
        self._durable = list(progress.durable)
        self._fd = -1
        # What holds after a power cut has to do so through this, too.
        self._rewrite(sync=bool(self._durable))

    def done(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Guest `ranges` have been written."""
        with self._lock:
            if self._held_from is not None:
                ranges = _before(self._held_from, ranges)
            for start, end in ranges:
                self._progress.done.add(start, end)
            self._append({"done": ranges})

    def remove(self) -> None:
        """The transfer is finished, or given up: leave no journal."""
        with self._lock:
            self.close()
            self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Stop writing; the file stays."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _append(self, record: dict[str, Any]) -> None:
        if self._fd < 0:
            return
        try:
            os.write(self._fd, line_of(record))
        except OSError as error:
            # A torn line would end the reading, so nothing follows it. What is not noted is
            # fetched again; the disk itself reports a full or broken file system.
            log.warning("journal is not written any more", extra={"cause": str(error)})
            self.close()

    def _rewrite(self, *, sync: bool) -> None:
        header = {
            "version": VERSION,
            "key": self._key,
            "boot": boot_id(),
            "durable": len(self._durable),
        }
        fresh = self._path.with_name(self._path.name + ".new")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(fresh, flags, 0o600)
        try:
            records = [header, *self._durable, *records_of(self._progress)]
            os.write(fd, b"".join(line_of(record) for record in records))
            if sync:
                os.fsync(fd)
            fresh.replace(self._path)
            if sync:
                sync_directory(self._path.parent)
        except BaseException:
            os.close(fd)
            raise
        self.close()
        self._fd = fd


def _before(limit: int, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return what of `ranges` lies before `limit`."""
    return [(start, min(end, limit)) for start, end in ranges if start < limit]


def records_of(progress: Progress) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    if progress.zeroed:
        records.append({"zeroed": True})
    if progress.mirrored:
        records.append({"mirrored": True})
    if progress.samples:
        records.append({"samples": progress.samples})
    if len(progress.done):
        records.append({"done": list(progress.done)})
    if progress.digested:
        records.append(digest_record(progress.digested, progress.digest))
    if progress.stream is not None:
        records.append(stream_record(progress.stream))
    return records


def line_of(record: dict[str, Any]) -> bytes:
    text = json.dumps(record, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
