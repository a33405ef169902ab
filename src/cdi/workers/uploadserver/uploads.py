"""
Which upload has the volume. There is one at a time, and the next one never waits for long.

An upload is *receiving* until its sender has sent everything, and *finishing* from then on. One
that receives loses the volume to the next one as soon as nothing comes any more: a sender whose
line broke may not be known to be gone for minutes, and it is the owner who comes again. One that
is alive keeps it, as does one that is finishing; whoever comes is told so.

All of it runs in the event loop, but for the thread of each upload.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from cdi.api.termination import Termination
from cdi.api.uploadsession import FinishedSession
from cdi.images import errors
from cdi.images.sources.handed import HandedSource
from cdi.images.transfer.meter import Meter
from cdi.workers import ending
from cdi.workers.uploadserver import answers
from cdi.workers.uploadserver.filling import Fill, Inflow

log = logging.getLogger(__name__)

SILENCE: Final = 3.0  # without a byte for so long, a sender may be gone
PATIENCE: Final = 8.0  # how long a newcomer waits for a sender to fall silent
_LOOK: Final = 0.25
_THREADS: Final = 4


class Upload:
    """One upload. Its bytes go into `source`; `ended` is set when the thread is through."""

    def __init__(
        self, name: str, fill: Fill, *, size: int | None = None, version: str = "",
        checksum: tuple[str, str] | None = None, session: FinishedSession | None = None,
    ) -> None:  # fmt: skip
        self._loop = asyncio.get_running_loop()
        self._fill, self._checksum, self._session = fill, checksum, session
        self.name = name
        self.meter = Meter()
        self.moved = asyncio.Event()
        self.source = HandedSource(
            "the upload", size=size, version=version, moved=self._moved_elsewhere
        )
        self._cancel = threading.Event()
        self.ended: asyncio.Future[Termination] = self._loop.create_future()
        self.taken_over = asyncio.Event()
        self.is_finishing = False
        self._heard_at = self._loop.time()

    def start(self, threads: ThreadPoolExecutor) -> None:
        """Begin to fill the volume."""
        inflow = Inflow(self.source, self.meter, self._cancel, self._checksum, self._session)
        threads.submit(self._run, inflow)

    def heard(self) -> None:
        """A byte has come from the sender."""
        self._heard_at = self._loop.time()

    @property
    def silent_for(self) -> float:
        """Seconds without a byte, as far as it was for us to take one."""
        return 0.0 if self.source.is_full else self._loop.time() - self._heard_at

    def everything_sent(self) -> None:
        """The last byte is in: what remains is to finish."""
        self.is_finishing = True
        self.source.end()

    async def until_begun(self) -> None:
        """Return when the thread has said where it begins to read, or never will."""
        while self.source.begin is None and not self.ended.done():
            self.moved.clear()
            if self.source.begin is None and not self.source.is_gone:
                await self.moved.wait()
            elif self.source.is_gone:
                await asyncio.wait({self.ended})

    async def until_read(self) -> None:
        """Return when all that was sent has been taken by the thread, or nothing is any more."""
        while not (self.source.is_read or self.source.is_gone):
            self.moved.clear()
            if not (self.source.is_read or self.source.is_gone):
                await self.moved.wait()

    async def stop(self, error: errors.TransferError) -> None:
        """Let go of the volume; returns when that has happened."""
        self.source.fail(error)
        self._cancel.set()
        with contextlib.suppress(Exception):
            await asyncio.shield(self.ended)

    def _run(self, inflow: Inflow) -> None:
        try:
            ended = self._fill(inflow)
        except BaseException as error:  # noqa: BLE001 - handed on, whatever it is
            self._tell(None, error)
        else:
            self._tell(ended, None)

    def _tell(self, ended: Termination | None, error: BaseException | None) -> None:
        self.source.close()
        with contextlib.suppress(RuntimeError):  # the loop is gone, and with it who would listen
            self._loop.call_soon_threadsafe(self._settle, ended, error)

    def _settle(self, ended: Termination | None, error: BaseException | None) -> None:
        if error is not None:
            self.ended.set_exception(error)
            self.ended.exception()  # somebody has looked, even if the sender does not
        elif ended is not None:
            self.ended.set_result(ended)

    def _moved_elsewhere(self) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self.moved.set)


class Uploads:
    """The uploads of one server, one after the other."""

    def __init__(self, failed: Callable[[Upload, BaseException], None]) -> None:
        """`failed` is told of every upload that has ended badly."""
        self._failed = failed
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="upload")
        self._turn = asyncio.Lock()
        self._closed = False
        self.current: Upload | None = None
        self.failures: Counter[str] = Counter()  # by reason
        self.completed: Termination | None = None

    @property
    def is_busy(self) -> bool:
        """Whether there is an upload that has not ended."""
        return self.current is not None and not self.current.ended.done()

    def close(self) -> None:
        """Take no upload any more."""
        self._closed = True

    async def begin(self, upload: Upload) -> None:
        """Give the volume to an upload. Raises Refused if that cannot be now, or never."""
        async with self._turn:
            self._insist_open()
            if self.current is not None and self.is_busy:
                await self._take_from(self.current)
            self._insist_open()
            self.current = upload
            upload.ended.add_done_callback(lambda ended: self._note_end(upload, ended))
            upload.start(self._threads)
        log.info("upload begins", extra={"upload": upload.name, "size": upload.source.size})

    async def stop(self, error: errors.TransferError) -> None:
        """Stop the upload that there is."""
        if self.current is not None:
            await self.current.stop(error)

    def _insist_open(self) -> None:
        if self.completed is not None:
            raise answers.Refused(
                409, answers.DONE, "the volume has been filled by an upload already"
            )
        if self._closed:
            raise answers.Refused(
                503, answers.MAKING_WAY, "this upload server makes way for another one; try again",
                retry_after=answers.RETRY_AFTER,
            )  # fmt: skip

    async def _take_from(self, upload: Upload) -> None:
        """Wait until an upload has ended, or ends because nothing comes any more."""
        await self._until_silent(upload)
        if upload.ended.done():
            return
        log.info("upload is taken over", extra={"upload": upload.name})
        upload.taken_over.set()
        await upload.stop(errors.ConnectionLost("another upload has taken over"))

    async def _until_silent(self, upload: Upload) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        while not upload.ended.done() and upload.silent_for < SILENCE:
            if upload.is_finishing or loop.time() > until:
                raise answers.Refused(
                    409, answers.BUSY, "another upload to this volume is under way; try again "
                    "when it has ended", retry_after=answers.RETRY_AFTER,
                )  # fmt: skip
            await asyncio.wait({upload.ended}, timeout=_LOOK)

    def _note_end(self, upload: Upload, ended: asyncio.Future[Termination]) -> None:
        if ended.cancelled() or (error := ended.exception()) is None:
            self.completed = ended.result()
            return
        log.log(
            logging.INFO if isinstance(error, errors.TransferError) else logging.ERROR,
            "upload failed",
            extra={"reason": getattr(error, "reason", ""), "cause": str(error)},
            exc_info=None if isinstance(error, errors.TransferError) else error,
        )
        self.failures[getattr(error, "reason", ending.UNEXPECTED)] += 1
        self._failed(upload, error)
