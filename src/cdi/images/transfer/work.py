"""
The target and the journal of one attempt, opened, kept and closed together.

Decides whether an earlier attempt can be continued: the same object at the source, the same
wishes, the same partial file. An object that has no version (no ETag, no date) is never
continued, since nobody could tell whether it is still the same.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from cdi.images import errors
from cdi.images import target as targets
from cdi.images.sources.source import Identity
from cdi.images.transfer import resuming
from cdi.images.transfer.journal import Copy, Journal
from cdi.images.transfer.progress import Progress
from cdi.images.transfer.request import TransferRequest

log = logging.getLogger(__name__)

CHECKPOINT_EVERY = 5.0  # seconds of work that a power cut may cost


def earlier(request: TransferRequest, identity: Identity) -> Progress | None:
    """Return what an earlier attempt at the same request has noted, or None."""
    tag = targets.tag_of(request.target, complete=request.update)
    if tag is None or not identity.version:
        return None
    found = resuming.load(request.journal_file, request.key(identity, tag))
    if found is None and targets.is_device(request.target):
        from cdi.images.transfer import ondevice

        found = ondevice.noted(request, identity)
    if found is None:
        return None
    written = targets.path_of_work(request.target, complete=request.update)
    if not targets.still_holds(written, found.samples):
        log.warning("the target does not hold what its journal says, starting anew")
        return None
    return found


def forget(target: Path, journal: Path) -> None:
    """Remove what unfinished attempts left. Raises TargetFailed where one is under way."""
    if not targets.is_device(target):
        targets.remove_partial(target)
    journal.unlink(missing_ok=True)


class Work:
    """One attempt at writing. Leaving the context keeps partial disk and journal, durably."""

    def __init__(
        self,
        request: TransferRequest,
        identity: Identity,
        virtual_size: int | None,
        progress: Progress | None,
    ) -> None:
        """Open target and journal; with `progress` continue, without begin anew."""
        self._request = request
        self.resumed = progress is not None
        self.progress = progress or Progress()
        if progress is None and not targets.is_device(request.target):
            forget(request.target, request.journal_file)
        self.target, copy = self._open(identity, virtual_size)
        try:
            key = request.key(identity, self.target.tag)
            held_from = None if copy is None else self.target.held_from
            self.journal = Journal(request.journal_file, key, self.progress, copy, held_from)
        except OSError as error:
            self.target.close()
            raise targets.target_error(error, str(request.journal_file)) from error
        self._left = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="checkpoint", daemon=True)

    def _open(
        self, identity: Identity, virtual_size: int | None
    ) -> tuple[targets.Target, Copy | None]:
        """Open the target; return what makes a second copy of durable records as well."""
        request = self._request
        if targets.is_device(request.target):
            from cdi.images.transfer import ondevice

            return ondevice.opened(
                request, identity, virtual_size, self.progress, resumed=self.resumed
            )
        size = virtual_size if request.size is None else max(request.size, virtual_size or 0)
        file = targets.FileTarget(
            request.target,
            size,
            preallocate=request.preallocate,
            resume=self.resumed,
            update=request.update,
            direct_io=request.direct_io,
        )
        file.already(self.progress.done)
        return file, None

    def __enter__(self) -> Work:
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        self._left.set()
        self._keeper.join()
        try:
            if kind is not None:
                self.checkpoint()
            if self.target.lossy:
                self.journal.believe_durable()
            if isinstance(error, errors.TransferError) and error.kind is errors.Kind.PERMANENT:
                self._forget_copy()
        finally:
            self.journal.close()
            self.target.close()

    def _forget_copy(self) -> None:
        if isinstance(self.target, targets.BlockTarget):
            with contextlib.suppress(errors.TargetError):  # what failed is told, not this
                self.target.forget_notes()

    def finish(
        self, size: int, stop: threading.Event, committing: Callable[[], None] = lambda: None
    ) -> None:
        """The disk of `size` bytes is complete and verified: commit it.

        Zeroing what nobody wrote may take long: it is noted, and ends with `stop`.
        """
        for done in self.target.fill(size):
            self.journal.done((done,))
            if stop.is_set():
                raise errors.Cancelled("the transfer was asked to stop")
        self._left.set()
        self._keeper.join()
        self.target.finish(size, committing)
        self.journal.remove()

    def let_go(self) -> None:
        """See to it that all that was written is in its place, and noted here alone."""
        self.journal.let_go(self.target.let_go)

    def _keep(self) -> None:
        while not self._left.wait(CHECKPOINT_EVERY):
            self.checkpoint()

    def checkpoint(self) -> None:
        """Make what is complete survive a power cut; done every CHECKPOINT_EVERY by itself."""
        try:
            self.journal.checkpoint(self.target.flush, self.target.samples)
        except (OSError, errors.TargetError) as error:
            # The target remembers, and fails at its next sync, at the latest the last one. Until
            # then this process may be killed, and nobody else would know.
            log.warning("checkpoint failed", extra={"cause": str(error)})
            if self.target.lossy:
                self.journal.believe_durable()
