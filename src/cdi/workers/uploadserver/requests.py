"""
What an upload server serves over HTTP, and to whom. Paths and checks: spec/upload.md, 4.1, 4.2.

Loaded when somebody speaks HTTP: that takes longer than to copy a small disk in ranges.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from aiohttp.typedefs import Handler

from cdi.api.termination import Termination
from cdi.images import errors
from cdi.workers import ending
from cdi.workers.uploadserver import answers, body, metrics, responses, tls
from cdi.workers.uploadserver.filling import Fill, Filling
from cdi.workers.uploadserver.tus.handlers import Tus
from cdi.workers.uploadserver.uploads import Upload, Uploads

VERSIONS: Final = ("v1beta1", "v1alpha1")
CONTENT_TYPE: Final = "x-cdi-content-type"
CLONES: Final = ("blockdevice-clone", "filesystem-clone")
SOON: Final = 2.0  # so long the answer that all is well waits for the end
HEAD: Final = 10.0  # for the handshake, and for the first request's head after it
_BUFFER: Final = 256 << 10  # of a body, per connection: so much is lost when that breaks
_ANSWER: Final = 5.0  # for the last answer to reach its client

Receive = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Ends:
    """Who is told how an upload ended well: at once, and before a client could ask again."""

    now: Callable[[Termination], None]
    soon: Callable[[Termination], None]


class Requests:
    """The requests of one server. Within a running event loop."""

    def __init__(
        self,
        uploads: Uploads,
        filling: Filling,
        context: ssl.SSLContext,
        client_name: str,
        idle: float,
        ends: Ends,
    ) -> None:
        """`client_name` is who may send; `idle` how long they may send nothing, in seconds."""
        self._uploads, self._filling, self._context = uploads, filling, context
        self._client_name, self._idle, self._end = client_name, idle, ends.now
        self._silent: set[object] = set()
        self._tus = Tus(uploads, filling, self._insist_known, ends.soon, idle)
        self._runner = web.AppRunner(
            self._app(), access_log=None, read_bufsize=_BUFFER, shutdown_timeout=_ANSWER
        )

    async def start(self) -> None:
        """Get ready for connections."""
        await self._runner.setup()

    async def close(self) -> None:
        """Let answers go out, and hang up."""
        await self._runner.cleanup()

    def forget_session(self) -> None:
        """Another upload has the volume: no session goes on."""
        self._tus.forget()

    # The line.

    async def speak(self, plain: socket.socket) -> None:
        """Serve one connection; returns after the handshake. Raises OSError."""
        await asyncio.get_running_loop().connect_accepted_socket(
            self._connected, plain, ssl=self._context, ssl_handshake_timeout=HEAD
        )

    def _connected(self) -> asyncio.Protocol:
        serve = self._runner.server
        if serve is None:
            raise RuntimeError("the runner was not set up")
        handler = serve()
        self._silent.add(handler)
        asyncio.get_running_loop().call_later(HEAD, self._hang_up_on_silence, handler)
        return handler

    def _hang_up_on_silence(self, handler: web.RequestHandler) -> None:
        if handler in self._silent:
            self._silent.discard(handler)
            handler.force_close()

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
            return responses.to(refused)
        except web.HTTPNotFound:
            nothing = answers.Refused(404, answers.NOT_FOUND, "there is nothing here")
            return responses.to(nothing)

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
        peer = tls.name_in(request.get_extra_info("peercert"))
        if peer is None:
            raise answers.Refused(401, answers.UNAUTHORIZED, "a client certificate is required")
        if peer != self._client_name:
            raise answers.Refused(
                401, answers.UNAUTHORIZED, "the client certificate is somebody else's"
            )

    # Uploads in one request.

    async def _receive(self, request: web.Request) -> web.StreamResponse:
        """Answer when the volume is full."""
        fill = self._fill_of(request)
        upload = await self._accepted(request, fill, as_form=body.is_form(request))
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
        as_form = body.is_form(request)
        return await self._goes_on(
            await self._accepted(request, self._filling.disk, as_form=as_form)
        )

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
