"""
The target and the journal of one attempt, opened, kept and closed together.

Decides whether an earlier attempt can be continued: the same object at the source, the same
wishes, the same partial file. An object that has no version (no ETag, no date) is never
continued, since nobody could tell whether it is still the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Callable
from typing import Any

from cdi.images import errors
from cdi.images import target as targets
from cdi.images.layout import Part
from cdi.images.sources.source import Identity
from cdi.images.transfer import mirror, resuming
from cdi.images.transfer.journal import Journal
from cdi.images.transfer.progress import Progress
from cdi.images.transfer.request import TransferRequest

log = logging.getLogger(__name__)

Copy = Callable[[list[dict[str, Any]]], None]  # keeps durable records in a second place

CHECKPOINT_EVERY = 5.0  # seconds of work that a power cut may cost


def earlier(request: TransferRequest, identity: Identity) -> Progress | None:
    """Return what an earlier attempt at the same request has noted, or None."""
    tag = targets.tag_of(request.target, complete=request.update)
    if tag is None or not identity.version:
        return None
    found = resuming.load(request.journal_file, _key(request, identity, tag))
    if found is None and _may_mirror(request):
        found = mirror.load(request.target, _lasting_key(request, identity))
    if found is None:
        return None
    written = targets.path_of_work(request.target, complete=request.update)
    if not targets.still_holds(written, found.samples):
        log.warning("the target does not hold what its journal says, starting anew")
        return None
    return found


def key_of_complete(request: TransferRequest, identity: Identity) -> dict[str, Any] | None:
    """Return what identifies the complete file that a request has made; None if there is none."""
    tag = targets.tag_of(request.target, complete=True)
    return None if tag is None else _key(request, identity, tag)


def forget(request: TransferRequest) -> None:
    """Remove what unfinished attempts left. Raises TargetFailed where one is under way."""
    if not targets.is_device(request.target):
        targets.remove_partial(request.target)
    request.journal_file.unlink(missing_ok=True)


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
            forget(request)
        self.target = self._open_target(virtual_size)
        try:
            copy = self._copy_of_notes(identity, virtual_size)
            key = _key(request, identity, self.target.tag)
            self.journal = Journal(request.journal_file, key, self.progress, copy)
        except OSError as error:
            self.target.close()
            raise targets.target_error(error, str(request.journal_file)) from error
        self._left = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="checkpoint", daemon=True)

    def _open_target(self, virtual_size: int | None) -> targets.Target:
        request = self._request
        if targets.is_device(request.target):
            stale = not self.resumed and not request.update and mirror.last(request.target) > 0
            device = targets.BlockTarget(
                request.target,
                virtual_size,
                resume=self.resumed,
                zeroed=self.progress.zeroed,
                noted=self.progress.mirrored or stale,
                update=request.update,
                preallocate=request.preallocate,
                direct_io=request.direct_io,
            )
            self.progress.zeroed = device.zeroed
            device.already(self.progress.done)
            return device
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
        return file

    def _copy_of_notes(self, identity: Identity, virtual_size: int | None) -> Copy:
        """Return what copies the durable records to a device; see to notes that do not hold."""
        device = self.target
        if not isinstance(device, targets.BlockTarget):
            return _no_copy
        room = _may_mirror(self._request) and device.leaves_room(virtual_size)
        if not (room and self.resumed):
            device.forget_notes()
        self.progress.mirrored = room
        if not room:
            return _no_copy
        key, path = _lasting_key(self._request, identity), self._request.target
        return mirror.Mirror(key, device.note, after=mirror.last(path)).write

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


def _key(request: TransferRequest, identity: Identity, tag: str) -> dict[str, Any]:
    return {
        "source": dataclasses.asdict(identity),
        "target": tag,
        "size": request.size,
        "digest": request.algorithm,
        "checksum": None if request.checksum is None else request.checksum[1],
        "preallocate": request.preallocate,
        "as_is": request.as_is,
        "part": None if request.part is None else _json(request.part),
        "update": request.update,
    }


def _may_mirror(request: TransferRequest) -> bool:
    """Whether notes may lie on the target itself: a complete disk to be updated has no room."""
    named = request.device_name is not None and not request.update
    return named and targets.is_device(request.target)


def _lasting_key(request: TransferRequest, identity: Identity) -> dict[str, Any]:
    """Identify a transfer to a device wherever that is attached."""
    size = targets.device_size(request.target)
    return _key(request, identity, f"{request.device_name} of {size} bytes")


def _no_copy(records: list[dict[str, Any]]) -> None:
    del records


def _json(part: Part) -> list[Any]:
    """A part as it comes back from JSON, where pairs are lists."""
    stored = None if part.extents is None else [list(each) for each in part.extents]
    return [part.start, part.stored, part.size, stored]
