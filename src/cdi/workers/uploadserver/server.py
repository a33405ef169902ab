"""
What the upload server serves, to whom, and how it ends. Paths and checks: spec/upload.md, 4.1, 4.2.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from cdi.api.termination import Termination
from cdi.api.workorder import UploadOrder
from cdi.images import errors
from cdi.workers import ending
from cdi.workers.uploadserver import answers, body, door, metrics, tls
from cdi.workers.uploadserver.copies import Receiver
from cdi.workers.uploadserver.filling import Fill, Filling
from cdi.workers.uploadserver.tus.handlers import Tus
from cdi.workers.uploadserver.uploads import Upload, Uploads

log = logging.getLogger(__name__)

VERSIONS: Final = ("v1beta1", "v1alpha1")
CONTENT_TYPE: Final = "x-cdi-content-type"
CLONES: Final = ("blockdevice-clone", "filesystem-clone")
LINGER: Final = 3.0  # after a resumable upload: its last answer may have been lost
TOLD_AFTER: Final = 5.0  # from an upload that can never be a disk to the end of the process
SOON: Final = 2.0  # so long the answer that all is well waits for the end
HEAD: Final = 10.0  # for the handshake, and for the first request's head after it
_BUFFER: Final = 256 << 10  # of a body, per connection: so much is lost when that breaks
_ANSWER: Final = 5.0  # for the last answer to reach its client
DEADLINE_PASSED: Final = "Deadline Passed"

Receive = Callable[[web.Request], Awaitable[web.StreamResponse]]


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
        self._silent: set[object] = set()
        self._door: door.Door | None = None
        self._tus = Tus(self._uploads, filling, self._insist_known, self._end_soon, idle)
        self._copies = Receiver(
            self._uploads, filling, contexts.copies, order.client_name,
            self._tus.forget, self._end,
        )  # fmt: skip
        self.port = 0  # once it listens

    async def run(self, listening: Callable[[int], None]) -> Termination:
        """Serve until the volume is full, the deadline has passed, or `stop`. Raises OSError."""
        runner = web.AppRunner(
            self._app(), access_log=None, read_bufsize=_BUFFER, shutdown_timeout=_ANSWER
        )
        await runner.setup()
        try:
            self._listen(runner)
            listening(self.port)
            deadline = asyncio.create_task(self._watch_deadline())
            ended = await asyncio.shield(self._over)
            deadline.cancel()
            return ended
        finally:
            self._copies.close()
            if self._door is not None:
                await self._door.close()
            await runner.cleanup()

    async def stop(self, error: errors.TransferError) -> None:
        """Let an upload note how far it is, and end."""
        self._uploads.close()
        await self._uploads.stop(error)

    # What is served.

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[self._answered])
        app.router.add_route("*", "/healthz", self._healthy)
        app.router.add_get("/metrics", self._measured)
        app.router.add_routes(self._tus.routes())
        receivers: dict[str, Receive] = {
            "upload": self._receive,
            "upload-async": self._receive_async,
            "upload-archive": self._receive_archive,
            "upload-form": self._receive_form,
            "upload-form-async": self._receive_form_async,
        }
        for version in VERSIONS:
            for name, receive in receivers.items():
                app.router.add_route(
                    "*", f"/{version}/{name}", receive, expect_handler=body.continue_later
                )
        return app

    @web.middleware
    async def _answered(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Turn every refusal into its answer."""
        self._silent.discard(request.protocol)
        try:
            return await handler(request)
        except answers.Refused as refused:
            return refused.response()
        except web.HTTPNotFound:
            return answers.Refused(404, answers.NOT_FOUND, "there is nothing here").response()

    async def _healthy(self, request: web.Request) -> web.Response:
        """Say that uploads can be sent here, which is no less true while one is under way."""
        del request
        return web.Response(text="OK")

    async def _measured(self, request: web.Request) -> web.Response:
        """Tell everybody how far it is, in Prometheus' format."""
        del request
        return web.Response(text=metrics.text_of(self._uploads))

    def _insist_allowed(self, request: web.Request) -> None:
        if request.method != "POST":
            raise answers.Refused(404, answers.NOT_FOUND, "uploads are sent by POST")
        self._insist_known(request)

    def _insist_known(self, request: web.Request) -> None:
        peer = tls.peer_of(request)
        if peer is None:
            raise answers.Refused(401, answers.UNAUTHORIZED, "a client certificate is required")
        if peer != self._order.client_name:
            raise answers.Refused(
                401, answers.UNAUTHORIZED, "the client certificate is somebody else's"
            )

    # Uploads in one request.

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        """Answer when the volume is full."""
        upload = await self._accepted(request, self._fill_of(request))
        return self._finished(await self._end_of(upload))

    async def _receive_archive(self, request: web.Request) -> web.StreamResponse:
        upload = await self._accepted(request, self._filling.files, as_form=body.is_form(request))
        return self._finished(await self._end_of(upload))

    async def _receive_form(self, request: web.Request) -> web.StreamResponse:
        upload = await self._accepted(request, self._filling.disk, as_form=True)
        return self._finished(await self._end_of(upload))

    async def _receive_async(self, request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD":
            return web.Response()
        if request.headers.get(CONTENT_TYPE) in CLONES:
            raise answers.refusal_of(errors.InvalidRequest("copies are sent to /v1beta1/upload"))
        return await self._goes_on(await self._accepted(request, self._filling.disk))

    async def _receive_form_async(self, request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD":
            return web.Response()
        return await self._goes_on(await self._accepted(request, self._filling.disk, as_form=True))

    def _fill_of(self, request: web.Request) -> Fill:
        match request.headers.get(CONTENT_TYPE):
            case "blockdevice-clone":
                return self._filling.device_clone
            case "filesystem-clone":
                return self._filling.files_clone
            case _:
                return self._filling.disk

    async def _accepted(self, request: web.Request, fill: Fill, *, as_form: bool = False) -> Upload:
        """Return an upload whose bytes have all been handed in, or that has ended."""
        self._insist_allowed(request)
        size = None if as_form else request.content_length
        upload = Upload(request.path, fill, size=size)
        await self._uploads.begin(upload)
        self._tus.forget()
        await body.ask_for_body(request)
        await self._sent(upload, body.FormFile(request) if as_form else request.content.readany)
        return upload

    async def _goes_on(self, upload: Upload) -> web.Response:
        """Answer when the image is known to be good; what remains may take a while.

        If it fails then, nobody hears but whoever looks at the process.
        """
        await upload.until_read()
        await asyncio.wait({upload.ended}, timeout=SOON)
        if upload.ended.done():
            return self._finished(await self._end_of(upload))
        upload.ended.add_done_callback(self._end_unheard)
        return web.Response()

    def _end_unheard(self, ended: asyncio.Future[Termination]) -> None:
        error = ended.exception()
        if error is None:
            self._end(ended.result())
        else:
            self._end(ending.failed(error, "", connecting=False))

    async def _sent(self, upload: Upload, pieces: body.Pieces) -> None:
        """Return when all bytes are handed in, or when nobody wants more of them."""
        sending = asyncio.create_task(body.pump(pieces, upload, self._idle))
        either: set[asyncio.Future[Any]] = {sending, upload.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            sending.cancel()
            return
        if (error := sending.exception()) is None:
            upload.everything_sent()
        elif isinstance(error, errors.TransferError):
            await upload.stop(error)
        else:
            await upload.stop(errors.ConnectionLost(f"the upload ended: {error!r}"))
            raise answers.refusal_of(error)

    async def _end_of(self, upload: Upload) -> Termination:
        """Wait for how an upload ends. Raises Refused."""
        try:
            return await asyncio.shield(upload.ended)
        except Exception as error:
            if upload.taken_over.is_set():
                raise answers.Refused(
                    409, answers.TAKEN_OVER, "another upload has taken over"
                ) from error
            raise answers.refusal_of(error) from error

    def _finished(self, ended: Termination) -> web.Response:
        """Answer that all is well; the server ends when the answer has gone out."""
        self._end(ended)
        return web.Response()

    def _end(self, ended: Termination) -> None:
        if not self._over.done():
            self._over.set_result(ended)

    # The end.

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

    # The line.

    def _listen(self, runner: web.AppRunner) -> None:
        serve = runner.server
        if serve is None:
            raise RuntimeError("the runner was not set up")
        loop = asyncio.get_running_loop()

        def connected() -> asyncio.Protocol:
            handler = serve()
            self._silent.add(handler)
            loop.call_later(HEAD, self._hang_up_on_silence, handler)
            return handler

        async def speak_http(plain: socket.socket) -> None:
            await loop.connect_accepted_socket(
                connected, plain, ssl=self._context, ssl_handshake_timeout=HEAD
            )

        order = self._order
        self._door = door.Door(
            order.listen_address, order.listen_port, speak_http, self._copies.serve
        )
        self.port = self._door.port
        log.info("server listens", extra={"port": self.port})

    def _hang_up_on_silence(self, handler: web.RequestHandler) -> None:
        if handler in self._silent:
            self._silent.discard(handler)
            handler.force_close()
