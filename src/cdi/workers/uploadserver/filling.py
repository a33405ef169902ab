"""
What becomes of the bytes of an upload: a disk, or files. It blocks: for a thread.

The volume is full, and all of it durable, when a function here returns; it then says how the
server has to end. Raises TransferError. What only archives and framed copies take is loaded when
one comes: a disk that is asked for in ranges may be over sooner.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from cdi.api import reasons
from cdi.api.termination import Termination
from cdi.api.uploadsession import FinishedSession
from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import UploadOrder
from cdi.images import errors
from cdi.images import target as targets
from cdi.images.sources.handed import HandedSource
from cdi.images.sources.nbd.source import NbdSource
from cdi.images.sources.source import Source
from cdi.images.sources.spec import SourceSpec
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.result import Result
from cdi.workers import completion, ending, volume
from cdi.workers.contents import DISK
from cdi.workers.ranged import comparing, greeting
from cdi.workers.ranged.digests import Digest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Inflow:
    """The bytes of one upload, as the thread sees them that fills the volume."""

    source: HandedSource
    meter: Meter
    cancel: threading.Event
    checksum: tuple[str, str] | None = None  # of all bytes: algorithm, lower-case hex digits
    session: FinishedSession | None = None  # what it is once it is finished, if it is resumable


Fill = Callable[[Inflow], Termination]
Opening = Callable[[threading.Event], NbdSource]
OpenAny = Callable[[threading.Event], Source]


class Filling:
    """The ways in which one server fills its volume."""

    def __init__(self, order: UploadOrder, settings: WorkerSettings) -> None:
        self._order = order
        self._by_copy = False
        self._volume = volume.Volume(
            settings,
            order.image_size,
            order.filesystem_overhead,
            preallocate=order.preallocation,
            claim=order.claim_uid,
        )

    @property
    def note(self) -> completion.Note:
        """What tells the next start that a disk is complete of which nobody has been told."""
        return completion.Note(self._volume.sibling("cdi-complete"), self._volume.disk, self._order)

    @property
    def claim(self) -> str:
        """The UID of the claim; empty where nobody told."""
        return self._order.claim_uid

    @property
    def session_file(self) -> Path:
        """Where a resumable upload is kept in mind."""
        return self._volume.sibling("cdi-upload")

    def trouble(self, error: OSError) -> errors.TargetError:
        """What a failed call on the volume means."""
        return targets.target_error(error, str(self._volume.disk))

    def abandon(self) -> None:
        """Remove what an upload has left that is not gone on with."""
        self._volume.forget()
        if self._volume.device is None:
            from cdi.images import archive

            archive.clear(self._volume.directory)

    def has_notes_of(self, upload: HandedSource, checksum: tuple[str, str] | None) -> bool:
        """Whether an earlier server has begun to make a disk of this very upload."""
        spec = SourceSpec(open=upload.open, checksum=checksum)
        return self._volume.has_notes_of(spec, upload.identity)

    def disk(self, inflow: Inflow) -> Termination:
        """Make a disk of an image of any format."""
        spec = SourceSpec(open=inflow.source.open, checksum=inflow.checksum)
        result = self._transfer(spec, inflow)
        ended = self._complete(result, inflow, preallocated=self._order.preallocation)
        self.note.write(ended)
        return ended

    def files(self, inflow: Inflow) -> Termination:
        """Unpack an archive."""
        limit = None if self._order.image_size is None else self._order.image_size.value()
        result = self._unpack(
            inflow.source.open, inflow, inflow.meter, limit=limit, checksum=inflow.checksum
        )
        return self._complete(result, inflow, preallocated=False)

    def device_clone(self, inflow: Inflow) -> Termination:
        """Make a disk of another volume's device."""
        spec = SourceSpec(open=_unframed(inflow.source.open), as_is=True)
        result = self._transfer(spec, inflow, keep_size=True)
        ended = self._complete(
            result, inflow, preallocated=False, message=reasons.CLONE_COMPLETE_MESSAGE
        )
        self.note.write(ended)
        return ended

    def ranges(
        self,
        inflow: Inflow,
        opening: Opening,
        digest: Digest,
        files: Opening | None = None,
        *,
        is_device: bool,
    ) -> Termination:
        """Make a disk of the one of a sender that can be asked for any part of it.

        The few `files` beside it come first: they begin anew with each attempt, the disk goes on.
        """
        self.note.remove()
        if files is not None and self._volume.device is None:
            self._unpack(files, inflow, Meter())
        spec = SourceSpec(open=opening, as_is=True)
        asked = self._volume.request(spec, greeting.CONNECTIONS, keep_size=True)
        wanted = replace(asked, at_first=greeting.AT_FIRST)
        result = comparing.run(wanted, digest, inflow.meter, inflow.cancel)
        volume.sync(self._volume.disk)
        of_files = not is_device and self._volume.device is None  # as `files_clone` says it
        ended = self._complete(
            result,
            inflow,
            preallocated=of_files or self._order.preallocation,
            message=reasons.CLONE_COMPLETE_MESSAGE,
        )
        self.note.write(ended)
        return ended

    def files_clone(self, inflow: Inflow) -> Termination:
        """Fill the volume with another volume's files, or make a disk of the one among them."""
        opening = _unframed(inflow.source.open)
        if self._volume.device is None:
            result = self._unpack(opening, inflow, inflow.meter)
        else:
            from cdi.images.sources import decoded

            spec = SourceSpec(open=decoded.member(opening, DISK), as_is=True)
            result = self._transfer(spec, inflow)
        # In a file system, what the archive does not hold was never asked for.
        return self._complete(
            result,
            inflow,
            preallocated=self._volume.device is None,
            message=reasons.CLONE_COMPLETE_MESSAGE,
        )

    def _unpack(
        self,
        source: OpenAny,
        inflow: Inflow,
        meter: Meter,
        *,
        limit: int | None = None,
        checksum: tuple[str, str] | None = None,
    ) -> Result:
        """Unpack a tar; what has come counts for `meter`."""
        from cdi.images import archive
        from cdi.workers import archives

        archives.insist_unpackable(self._volume.device)
        wanted = archive.UnpackRequest(
            source=source, directory=self._volume.directory, limit=limit, checksum=checksum
        )
        result = archive.run(wanted, meter, inflow.cancel)
        volume.sync(wanted.directory)
        return result

    def _transfer(self, spec: SourceSpec, inflow: Inflow, *, keep_size: bool = False) -> Result:
        self.note.remove()
        asked = self._volume.request(spec, connections=1, keep_size=keep_size)
        wanted = replace(asked, by_copy=self._by_copy)
        try:
            result = transfer.run(wanted, inflow.meter, inflow.cancel)
        except errors.TransferError as error:
            if isinstance(error.__cause__, errors.NeedsScratch) and not self._by_copy:
                # It was too late for a copy. There is room for one: the next try begins with it.
                self._by_copy = True
                raise errors.SourceUnavailable(
                    "the image's tables lie behind its data; send it again, and it goes through "
                    "the scratch space"
                ) from error
            if not inflow.source.identity.version:
                transfer.forget(wanted)  # nobody can go on with it
            raise
        volume.sync(self._volume.disk)
        return result

    def _complete(
        self,
        result: Result,
        inflow: Inflow,
        *,
        preallocated: bool,
        message: str = reasons.UPLOAD_COMPLETE_MESSAGE,
    ) -> Termination:
        log.info(
            "stored",
            extra={
                "format": result.format,
                "compression": result.compression,
                "virtual_size": result.virtual_size,
                "fetched": result.fetched,
                "written": result.written,
                "resumed": result.resumed,
            },
        )
        ended = ending.complete(result, preallocated=preallocated)
        return replace(ended, message=message, upload_session=str(inflow.session or ""))


def _unframed(opening: OpenAny) -> OpenAny:
    """Open a copy that is framed by snappy."""
    from cdi.images.codecs.snappy import SnappyDecoder
    from cdi.images.sources import decoded

    return decoded.decoded(opening, SnappyDecoder)
