"""
One upload server: where it listens, which way connections go, and how it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from cdi.api import names
from cdi.api.termination import Termination
from cdi.api.workorder import UploadOrder
from cdi.images import errors
from cdi.workers import ending
from cdi.workers.uploadserver import door
from cdi.workers.uploadserver.copies import Receiver
from cdi.workers.uploadserver.filling import Filling
from cdi.workers.uploadserver.tus.session import Store
from cdi.workers.uploadserver.uploads import Upload, Uploads

if TYPE_CHECKING:
    from cdi.workers.uploadserver.requests import Requests

log = logging.getLogger(__name__)

LINGER: Final = 3.0  # after a resumable upload: its last answer may have been lost
TOLD_AFTER: Final = 5.0  # from an upload that can never be a disk to the end of the process
DEADLINE_PASSED: Final = "Deadline Passed"


@dataclass(frozen=True, slots=True)
class Contexts:
    """How lines are secured: those of HTTP, and those of copies in ranges."""

    http: ssl.SSLContext
    copies: ssl.SSLContext


class UploadServer:
    """One server for one volume. `run` returns how it has ended."""

    def __init__(
        self, order: UploadOrder, filling: Filling, contexts: Contexts, idle: float
    ) -> None:
        """`idle` is how long a sender may send nothing, in seconds."""
        self._order, self._context, self._idle = order, contexts.http, idle
        self._filling = filling
        self._uploads = Uploads(self._note_failure)
        self._over: asyncio.Future[Termination] = asyncio.get_running_loop().create_future()
        self._door: door.Door | None = None
        self._requests: Requests | None = None
        self._loading = asyncio.Lock()
        self._copies = Receiver(
            self._uploads, filling, contexts.copies, order.client_name,
            self._forget_session, self._end,
        )  # fmt: skip
        self.port = 0  # once it listens

    async def run(self, listening: Callable[[int], None]) -> Termination:
        """Serve until the volume is full, the deadline has passed, or `stop`. Raises OSError."""
        try:
            if self._order.client_name == names.UPLOAD_CLIENT:
                await self._http()  # no copy comes, and the first upload is not to wait for it
            self._listen()
            listening(self.port)
            deadline = asyncio.create_task(self._watch_deadline())
            ended = await asyncio.shield(self._over)
            deadline.cancel()
            return ended
        finally:
            self._copies.close()
            if self._door is not None:
                await self._door.close()
            if self._requests is not None:
                await self._requests.close()

    async def stop(self, error: errors.TransferError) -> None:
        """Let an upload note how far it is, and end."""
        self._uploads.close()
        await self._uploads.stop(error)

    # Connections.

    def _listen(self) -> None:
        order = self._order
        self._door = door.Door(
            order.listen_address, order.listen_port, self._speak_http, self._copies.serve
        )
        self.port = self._door.port
        log.info("server listens", extra={"port": self.port})

    async def _speak_http(self, plain: socket.socket) -> None:
        requests = await self._http()
        await requests.speak(plain)

    async def _http(self) -> Requests:
        async with self._loading:
            self._requests = self._requests or await self._opened()
            return self._requests

    async def _opened(self) -> Requests:
        # Not at the top: it takes longer to load than a small disk to copy.
        from cdi.workers.uploadserver import requests

        opened = requests.Requests(
            self._uploads, self._filling, self._context, self._order.client_name, self._idle,
            requests.Ends(self._end, self._end_soon),
        )  # fmt: skip
        await opened.start()
        return opened

    def _forget_session(self) -> None:
        """A copy has the volume: no session goes on."""
        if self._requests is not None:
            self._requests.forget_session()
        else:
            Store(self._filling.session_file, self._filling.claim).remove()

    # The end.

    def _end(self, ended: Termination) -> None:
        if not self._over.done():
            self._over.set_result(ended)

    def _end_soon(self, ended: Termination) -> None:
        """End, but not before whoever has not heard the last answer could ask again."""
        asyncio.get_running_loop().call_later(LINGER, self._end, ended)

    def _note_failure(self, upload: Upload, error: BaseException) -> None:
        """End after a failure that will stay, so that it is told beyond the one who has sent.

        Not at once: whoever sends the right thing next need not wait for another server.
        """
        kind = error.kind if isinstance(error, errors.TransferError) else errors.Kind.PERMANENT
        if kind is errors.Kind.TRANSIENT or upload.taken_over.is_set():
            return
        ended = ending.failed(error, "", connecting=False)
        if kind is errors.Kind.NEEDS_SCRATCH:
            self._uploads.close()  # another try has to find the pod that has it
            self._end(ended)
            return
        asyncio.get_running_loop().call_later(TOLD_AFTER, self._end_if_last, upload, ended)

    def _end_if_last(self, upload: Upload, ended: Termination) -> None:
        if self._uploads.current is upload:
            self._end(ended)

    async def _watch_deadline(self) -> None:
        if self._order.deadline is None:
            return
        left = (self._order.deadline - datetime.now(UTC)).total_seconds()
        await asyncio.sleep(max(0.0, left))
        self._uploads.close()
        log.info("the deadline has passed")
        if self._uploads.current is not None:
            with contextlib.suppress(Exception):
                await asyncio.shield(self._uploads.current.ended)
        if self._uploads.completed is None:
            self._end(Termination(deadline_passed=True, message=DEADLINE_PASSED))
