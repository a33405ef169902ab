"""
What survives when a transfer is interrupted: which part of the target is complete, of which source.

Two promises, told apart by where a record stands in the file (`journalfile`):

* *durable* records come first. The target was flushed before they were written, the file was
  written anew, synced and renamed: they hold after a power cut. Written every few seconds.
* *volatile* records are appended as work completes, with no sync at all. The kernel keeps what
  a killed process wrote, target and journal alike, but not across a reboot: they count only while
  the kernel's boot id is the one in the header. Nor does it keep what the storage refuses when it
  is written back: after such an error they are taken back.

Order of a checkpoint: (1) note what is complete, (2) flush the target, (3) write and sync a new
journal beside the old one, (4) rename, (5) sync the directory. A crash before (4) leaves the old
journal, whose durable part is still true; after it, the new one.

Elsewhere: what is noted (`progress`), what a later run reads out of it (`resuming`), a copy on the
device (`mirror`).
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable

from cdi.images import errors
from cdi.images.target import Target
from cdi.images.target.samples import Sample
from cdi.images.transfer.journalfile import JournalFile, records_of
from cdi.images.transfer.progress import Progress, StreamPoint, digest_record, stream_record

log = logging.getLogger(__name__)


class Journal(JournalFile):
    """The journal of one running transfer. Methods may be called by any thread."""

    def digested(self, offset: int, state: bytes | None) -> None:
        """The first `offset` bytes of the source have gone into the digest."""
        with self._lock:
            self._progress.digested, self._progress.digest = offset, state
            self._append(digest_record(offset, state))

    def at(self, point: StreamPoint) -> None:
        """All content before `point.output` has been written."""
        with self._lock:
            self._progress.stream = point
            self._append(stream_record(point))

    def checkpoint(
        self,
        flush: Callable[[], None],
        sample: Callable[[list[tuple[int, int]]], list[Sample]] = lambda _: [],
    ) -> None:
        """Make what is complete now survive a power cut; `flush` makes the target durable.

        `sample` takes samples of it, by which the next run knows that it is still there.
        """
        with self._checkpoint_lock:
            with self._lock:
                done = list(self._progress.done)
            samples = sample(done)
            with self._lock:
                self._progress.samples = samples
                records = records_of(self._progress)
            flush()
            with self._lock:
                self._durable = records
                self._rewrite(sync=True)
            if self._mirror is not None:
                self._mirror(records)

    def keep(self, target: Target) -> None:
        """Checkpoint what `target` holds."""
        try:
            self.checkpoint(target.flush, target.samples)
        except (OSError, errors.TargetError) as error:
            # The target remembers, and fails at its next sync, at the latest the last one. Until
            # then this process may be killed, and nobody else would know.
            log.warning("checkpoint failed", extra={"cause": str(error)})
            if target.lossy:
                self.believe_durable()

    def let_go(self, put: Callable[[], None]) -> None:
        """Keep no copy any more: `put` puts in its place what was held back for that."""
        with self._checkpoint_lock:
            put()
            with self._lock:
                self._mirror = self._held_from = None
                self._progress.mirrored = False
                self._append({"mirrored": False})

    def believe_durable(self) -> None:
        """The storage lost what was written since the last checkpoint: note only what is safe.

        Nothing is noted afterwards, as nobody knows what else is lost. Storage that refuses this as
        well is left without a journal: nothing is done then.
        """
        with self._lock:
            self._progress = Progress()
            try:
                self._rewrite(sync=True)
                self.close()
            except OSError as error:
                log.warning("journal is given up", extra={"cause": str(error)})
                self._give_up()

    def _give_up(self) -> None:
        """Leave nothing that could be believed, by whichever way the storage still takes."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, 0)
        self.close()
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
