"""
The upload by tus: a session is opened once, then chunks go on wherever the server says it is.

Whatever breaks on the way (connections, the proxy, the server, its pod) is waited out for PATIENCE
seconds without a new byte. The digest of the file goes along and is compared at the end. Raises
NoTus where the proxy cannot, before anything is sent, and Failed.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import yarl

from cdi.api.counts import parse_count
from cdi.cli.uploads.chunks import ChunkSize
from cdi.cli.uploads.failure import Failed
from cdi.cli.uploads.progress import Bar
from cdi.cli.uploads.proxy import Route
from cdi.cli.uploads.sessions import Memory
from cdi.cli.uploads.source import Source
from cdi.cli.uploads.transport import Answer, answer_of
from cdi.kube.backoff import Backoff
from cdi.kube.clock import Clock, SystemClock

log = logging.getLogger(__name__)

PATIENCE: Final = 300.0
PATH: Final = "/v1beta1/upload-tus"
_TUS: Final = {"Tus-Resumable": "1.0.0", "Accept": "application/json"}
_PAUSES: Final = Backoff(first=0.25, longest=10.0)
_CHUNK: Final = "application/offset+octet-stream"
# A server that is not there for the moment, or busy with the connection before.
_LATER: Final = frozenset({408, 423, 429, 500, 502, 503, 504})
_GONE: Final = frozenset({404, 410})
_FINISHED: Final = "Finished"
# A request that may be refused for its size asks first, so that little is sent in vain.
_ASK_ABOVE: Final = 1 << 20


class NoTus(Exception):
    """The proxy knows no resumable uploads."""


class _Lost(Exception):
    """The server has no such session any more."""


class _Later(Exception):
    """It may go on after a while; `after` in seconds where the server says so."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


@dataclass(frozen=True, slots=True)
class Parties:
    """Who takes part."""

    http: aiohttp.ClientSession
    route: Route
    token: Callable[[], Awaitable[str]]
    finished: Callable[[], Awaitable[bool]]  # whether the volume has its content
    memory: Memory
    bar: Bar
    clock: Clock = field(default_factory=SystemClock)


class Upload:
    """One file to one volume. `run` is all there is to do."""

    def __init__(self, parties: Parties, source: Source, digest: Awaitable[str]) -> None:
        self._with = parties
        self._source = source
        self._digest = digest
        self._chunk = ChunkSize()
        self._session = parties.memory.recall()
        self._offset: int | None = None  # None: ask
        self._reached = -1  # the highest offset that there was
        self._failures = 0  # since then
        self._heard = parties.clock.now()  # when that was

    async def run(self) -> None:
        """Return once the disk is complete and on storage."""
        while not await self._step():
            pass
        self._with.memory.forget()
        self._with.bar.done()

    async def _step(self) -> bool:
        """One request, and what it changes; whether that was the last."""
        try:
            if not self._session:
                await self._open()
            elif self._offset is None:
                await self._ask()
            else:
                return await self._send(self._offset)
        except _Lost:
            return await self._start_over()
        except _Later as error:
            await self._wait(str(error), error.after)
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError) as error:
            raise Failed(
                f"{self._with.route.base} shows a certificate that is not believed: {error}; "
                "--insecure does without"
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise  # the file, not the network
            self._chunk.was_cut()
            await self._wait(str(error) or type(error).__name__, None)
        return False

    async def _open(self) -> None:
        metadata = {
            "filename": self._source.path.name,
            "sha256": await asyncio.shield(asyncio.ensure_future(self._digest)),
        }
        headers = {
            **_TUS,
            "Authorization": f"Bearer {await self._with.token()}",
            "Upload-Length": str(self._source.size),
            "Upload-Metadata": ",".join(f"{k} {_encoded(v)}" for k, v in metadata.items()),
        }
        async with self._with.http.post(
            self._with.route.url(PATH), headers=headers, allow_redirects=False
        ) as response:
            answer = await answer_of(response)
        if answer.status == 201 and "location" in answer.headers:
            self._session = self._path_of(answer.headers["location"])
            self._with.memory.keep(self._session)
            self._offset = 0
            return
        if answer.status in (404, 405, 501) and not answer.reason:
            raise NoTus
        if answer.status == 401:
            raise Failed(f"authentication failed: unexpected return value 401, {answer.message}")
        raise self._trouble(answer)

    def _path_of(self, location: str) -> str:
        """The session without what may change between two runs: where the proxy is."""
        absolute = self._with.route.url(PATH).join(yarl.URL(location))
        prefix = self._with.route.base.path.rstrip("/")
        return absolute.path_qs.removeprefix(prefix)

    async def _ask(self) -> None:
        """Where the server is with the session."""
        async with self._with.http.head(
            self._with.route.url(self._session), headers=_TUS, allow_redirects=False
        ) as response:
            answer = await answer_of(response)
        if answer.status not in (200, 204):
            raise self._trouble(answer)
        self._at(answer.headers.get("upload-offset", "0"))

    async def _send(self, offset: int) -> bool:
        """One chunk; an empty one at the end asks how it has ended."""
        size = min(self._chunk.bytes, self._source.size - offset)
        began = self._with.clock.now()
        self._offset = None  # until somebody says so
        headers = {
            **_TUS,
            "Upload-Offset": str(offset),
            "Content-Type": _CHUNK,
            "Content-Length": str(size),
        }
        async with self._with.http.patch(
            self._with.route.url(self._session),
            headers=headers,
            data=self._source.blocks(offset, size, self._with.bar.at) if size else b"",
            expect100=size > _ASK_ABOVE,
            allow_redirects=False,
        ) as response:
            answer = await answer_of(response)
        if answer.status == 413 and self._chunk.was_too_large(size):
            self._offset = offset
            return False
        if answer.status not in (200, 204):
            raise self._trouble(answer)
        self._chunk.went_through(size, self._with.clock.now() - began)
        self._at(answer.headers.get("upload-offset", str(offset + size)))
        return self._offset == self._source.size

    def _at(self, told: str) -> None:
        offset = parse_count(told)
        if offset is None or offset > self._source.size:
            raise Failed(f"the server claims to have {told:.40} bytes, of {self._source.size}")
        self._offset = offset
        if offset > self._reached:
            self._reached = offset
            self._failures = 0
            self._heard = self._with.clock.now()
        self._with.bar.at(offset)

    def _trouble(self, answer: Answer) -> Exception:
        """What an answer that is none of the good ones means."""
        said = f"unexpected return value {answer.status}, {answer.message or answer.reason}"
        if self._session and (answer.status in _GONE or answer.reason == _FINISHED):
            return _Lost(said)
        if answer.status in _LATER and answer.reason != _FINISHED:
            return _Later(said, answer.retry_after)
        if answer.status == 409 and self._session:
            return _Later(said, 0.0)  # another place than we thought: ask
        if answer.status == 409 and answer.reason in ("Busy", "UploadInProgress"):
            return _Later(said, answer.retry_after)
        self._with.memory.forget()
        return Failed(f"error uploading image: {said}")

    async def _start_over(self) -> bool:
        """The session is gone: because all is done, or else there has to be another one."""
        if await self._with.finished():
            return True
        self._with.bar.say("The upload cannot be resumed, starting over")
        self._with.memory.forget()
        self._session, self._offset, self._reached = "", None, -1
        await self._wait("the session is gone", None)
        return False

    async def _wait(self, why: str, after: float | None) -> None:
        now = self._with.clock.now()
        if now - self._heard > PATIENCE:
            raise Failed(f"error uploading image: no byte got through for {PATIENCE:g} s: {why}")
        self._failures += 1
        self._offset = None
        log.debug("upload is interrupted", extra={"cause": why})
        pause = _PAUSES.pause(self._failures)
        await self._with.clock.sleep(pause if after is None else min(after, _PAUSES.longest))


def _encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()
