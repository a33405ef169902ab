"""
The requests of the protocol. Each needs the client's certificate; all but the first a session.

A session's newer request wins: whoever sends or asks again has lost the connection before. Another
upload to the volume wins over a session only if that is silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any, Final

from aiohttp import web

from cdi.api.termination import Termination
from cdi.images import errors
from cdi.workers.uploadserver import answers, body, responses
from cdi.workers.uploadserver.answers import Refused
from cdi.workers.uploadserver.filling import Filling
from cdi.workers.uploadserver.tus import chunk, headers
from cdi.workers.uploadserver.tus.session import Session, Store, claimed, opened
from cdi.workers.uploadserver.uploads import Upload, Uploads

PATH: Final = "/v1beta1/upload-tus"
QUIET: Final = 0.2  # seconds without a byte after which nothing more is on its way
ARRIVING: Final = 2.0  # at most so long something may be on its way
_GONE: Final = "there is no such upload any more; begin it again"

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Tus:
    """The sessions of one server: one after the other."""

    def __init__(
        self,
        uploads: Uploads,
        filling: Filling,
        insist_known: Callable[[web.Request], None],
        finish: Callable[[Termination], None],
        idle: float,
    ) -> None:
        """`finish` is told how an upload ended well, when its last answer is about to go out."""
        self._uploads, self._filling = uploads, filling
        self._insist_known, self._finish, self._idle = insist_known, finish, idle
        self._store = Store(filling.session_file, filling.claim)
        self._session: Session | None = None
        self._upload: Upload | None = None
        self._sending: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        # If so, what earlier servers have noted counts no more.
        self._begun_here = uploads.current is not None

    def routes(self) -> list[web.RouteDef]:
        """What is served."""
        later = {"expect_handler": body.continue_later}
        return [
            web.route("*", PATH, self._told(self._collection), **later),
            web.route("*", PATH + "/{session}", self._told(self._one), **later),
        ]

    def forget(self) -> None:
        """Another upload has the volume: there is no session any more."""
        self._session = self._upload = None
        self._begun_here = True
        self._store.remove()

    def _told(self, handle: Handle) -> Handle:
        async def answered(request: web.Request) -> web.StreamResponse:
            try:
                response = await handle(request)
            except Refused as refused:
                response = responses.to(refused)
            response.headers["Tus-Resumable"] = headers.VERSION
            return response

        return answered

    # All sessions.

    async def _collection(self, request: web.Request) -> web.StreamResponse:
        self._insist_known(request)
        if request.method == "OPTIONS":
            return _abilities()
        if request.method != "POST":
            raise _no_method()
        headers.insist_version(request.headers)
        return await self._create(request)

    async def _create(self, request: web.Request) -> web.Response:
        session, secret = opened(headers.creation_of(request.headers))
        async with self._turn:
            upload = await self._begun(session)
            self._keep(session)
        if request.content_type == headers.CHUNK and request.body_exists:
            await self._receive(request, upload, session, 0)
        elif session.creation.length == 0:
            await self._ended(upload)
        said = {"Location": f"{PATH}/{secret}", "Upload-Offset": str(upload.source.offset)}
        return web.Response(status=201, headers=said)

    async def _begun(self, session: Session) -> Upload:
        """Give the volume to a session; returns when it is known where it goes on."""
        upload = self._upload_of(session)
        try:
            await self._uploads.begin(upload)
        except Refused as refused:
            status = 423 if refused.reason == answers.BUSY else refused.status
            raise Refused(
                status, refused.reason, str(refused), retry_after=refused.retry_after
            ) from refused
        self._session, self._upload, self._begun_here = session, upload, True
        await upload.until_begun()
        return upload

    def _upload_of(self, session: Session) -> Upload:
        creation = session.creation
        return Upload(
            PATH,
            self._filling.files if creation.is_archive else self._filling.disk,
            size=creation.length,
            version=session.version(self._filling.claim),
            checksum=session.checksum,
            session=session.finished,
        )

    def _keep(self, session: Session) -> None:
        try:
            self._store.save(session)
        except OSError as error:
            raise answers.refusal_of(self._filling.trouble(error)) from error

    # One session.

    async def _one(self, request: web.Request) -> web.StreamResponse:
        self._insist_known(request)
        method = request.headers.get(headers.OVERRIDE, request.method)
        if method == "OPTIONS":
            return _abilities()
        headers.insist_version(request.headers)
        session = await self._found(request.match_info["session"])
        match method:
            case "HEAD":
                return await self._look(session)
            case "PATCH":
                return await self._patch(request, session)
            case "DELETE":
                return await self._delete()
            case _:
                raise _no_method()

    async def _found(self, secret: str) -> Session:
        """Return the session of an address."""
        session = self._session or self._store.load() or await self._noted(secret)
        if session is None or not session.is_at(secret):
            raise Refused(404, answers.NOT_FOUND, _GONE)
        return session

    async def _noted(self, secret: str) -> Session | None:
        """Return the session of an address if the volume itself knows it, from another pod."""
        session = claimed(secret)
        if session is None or self._begun_here or session.creation.is_archive:
            return None
        source = self._upload_of(session).source
        noted = await asyncio.to_thread(self._filling.has_notes_of, source, session.checksum)
        return session if noted else None

    async def _look(self, session: Session) -> web.Response:
        async with self._turn:
            upload = await self._going_on(session)
        said = {
            "Upload-Offset": str(_offset(upload, session)),
            "Upload-Length": str(session.creation.length),
            "Cache-Control": "no-store",
        }
        if session.creation.metadata:
            said["Upload-Metadata"] = session.creation.metadata
        return web.Response(headers=said)

    async def _delete(self) -> web.Response:
        async with self._turn:
            await self._interrupt()
            if (upload := self._upload) is not None and not upload.ended.done():
                if upload.is_finishing:
                    raise Refused(
                        423, answers.BUSY, "all bytes are there; it is being finished just now",
                        retry_after=answers.RETRY_AFTER,
                    )  # fmt: skip
                await upload.stop(errors.Cancelled("the upload was given up"))
            if self._uploads.completed is None:
                self.forget()
                await asyncio.to_thread(self._filling.abandon)
        return web.Response(status=204)

    async def _patch(self, request: web.Request, session: Session) -> web.Response:
        if request.content_type != headers.CHUNK:
            raise Refused(415, headers.WRONG, f"want Content-Type: {headers.CHUNK}")
        offset = headers.offset_of(request.headers)
        async with self._turn:
            upload = await self._going_on(session)
        await self._receive(request, upload, session, offset)
        return web.Response(status=204, headers={"Upload-Offset": str(_offset(upload, session))})

    async def _going_on(self, session: Session) -> Upload:
        """Return a session's upload, after whoever was sending has been stopped."""
        await self._interrupt()
        upload = self._upload
        if upload is not None and self._session == session:
            if not upload.ended.done():
                await upload.until_begun()
                return upload
            error = upload.ended.exception()
            if error is None:
                return upload
            if not _may_go_on(error):
                raise _refusal_of(error)
        return await self._begun(session)

    async def _interrupt(self) -> None:
        """Stop whoever is sending, but take what is on its way here already."""
        sending, upload = self._sending, self._upload
        if sending is None or upload is None:
            return
        until = asyncio.get_running_loop().time() + ARRIVING
        while not sending.done() and upload.silent_for < QUIET:
            if asyncio.get_running_loop().time() > until:
                break
            await asyncio.wait({sending}, timeout=QUIET)
        if not sending.done():
            sending.cancel()
            await asyncio.wait({sending})

    # The bytes.

    async def _receive(
        self, request: web.Request, upload: Upload, session: Session, offset: int
    ) -> None:
        """Take one chunk; if it was the last one, return when the volume is full."""
        now, length = _offset(upload, session), session.creation.length
        if offset != now:
            raise Refused(
                409, "OffsetMismatch", f"the upload is at byte {now}, not at {offset}",
                headers={"Upload-Offset": str(now)},
            )  # fmt: skip
        if (request.content_length or 0) > length - offset:
            raise chunk.too_much()
        checksum = headers.checksum_of(request.headers)
        await body.ask_for_body(request)
        with ExitStack() as stack:
            pieces: body.Pieces = chunk.Bounded(request, length - offset)
            if checksum is not None:
                spool = stack.enter_context(chunk.Spool(self._store.directory))
                await self._while_sending(spool.fill(pieces, checksum, self._idle), upload)
                pieces = spool
            await self._while_sending(body.pump(pieces, upload, self._idle), upload)
        if upload.source.offset == length or upload.source.is_gone:
            await self._ended(upload)

    async def _while_sending(self, work: Any, upload: Upload) -> None:
        """Do the work, unless a newer request comes, or nobody wants more bytes."""
        self._sending = sending = asyncio.ensure_future(work)
        either: set[asyncio.Future[Any]] = {sending, upload.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            sending.cancel()
            return
        if sending.cancelled():
            raise Refused(423, answers.TAKEN_OVER, "a newer request of this session has taken over")
        if (error := sending.exception()) is not None:
            raise answers.refusal_of(error)

    async def _ended(self, upload: Upload) -> None:
        """All bytes are there, or no more are wanted: wait for the end. Raises Refused."""
        if not upload.is_finishing and not upload.source.is_gone:
            upload.everything_sent()
        try:
            ended = await asyncio.shield(upload.ended)
        except Exception as error:
            if not (_may_go_on(error) or isinstance(error, errors.NeedsScratch)):
                self._store.remove()
            raise _refusal_of(error) from error
        self._store.remove()
        self._finish(ended)


def _offset(upload: Upload, session: Session) -> int:
    done = upload.ended.done() and upload.ended.exception() is None
    return session.creation.length if done else upload.source.offset


def _may_go_on(error: BaseException) -> bool:
    """Whether a session outlives what went wrong."""
    return isinstance(error, errors.TransferError) and error.kind is errors.Kind.TRANSIENT


def _refusal_of(error: BaseException) -> Refused:
    """What a sender is told; the next pod, which has scratch space, goes on with its session."""
    if isinstance(error, errors.NeedsScratch):
        return Refused(503, error.reason, str(error), retry_after=answers.RETRY_AFTER)
    return answers.refusal_of(error)


def _abilities() -> web.Response:
    said: Mapping[str, str] = MappingProxyType(
        {
            "Tus-Version": headers.VERSION,
            "Tus-Extension": headers.EXTENSIONS,
            "Tus-Checksum-Algorithm": ",".join(headers.ALGORITHMS),
        }
    )
    return web.Response(status=204, headers=said)


def _no_method() -> Refused:
    return Refused(405, headers.WRONG, "the protocol has no such request here")
