"""A resumable upload is given up while its bytes come, and while it is being finished."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from cdi.api.termination import Termination
from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import UploadOrder
from cdi.workers.uploadserver.filling import Filling, Inflow
from cdi.workers.uploadserver.tus.handlers import PATH, Tus
from cdi.workers.uploadserver.uploads import Uploads
from support import worker

TUS = {"Tus-Resumable": "1.0.0"}
CHUNK = {**TUS, "Content-Type": "application/offset+octet-stream", "Upload-Offset": "0"}


class SlowEnd(Filling):
    """Takes all bytes of an upload, and ends once it is told to."""

    def __init__(self, order: UploadOrder, settings: WorkerSettings) -> None:
        super().__init__(order, settings)
        self.all_read, self.may_end = threading.Event(), threading.Event()

    def disk(self, inflow: Inflow) -> Termination:
        for _ in inflow.source.stream():
            pass
        self.all_read.set()
        self.may_end.wait(60)
        return Termination(message="Upload Complete")


class Desk:
    """The sessions of one server, and somebody who sends."""

    def __init__(self, filling: SlowEnd, http: aiohttp.ClientSession, base: str) -> None:
        self.filling, self.http, self._base = filling, http, base
        self.session = ""

    async def open(self, length: int) -> None:
        headers = {**TUS, "Upload-Length": str(length)}
        async with self.http.post(self._base + PATH, headers=headers) as answer:
            assert answer.status == 201
            self.session = self._base + answer.headers["Location"]

    def patch(self, body: AsyncIterator[bytes] | bytes) -> asyncio.Task[tuple[int, str]]:
        return asyncio.create_task(self._told("PATCH", data=body, headers=CHUNK))

    async def give_up(self) -> tuple[int, str]:
        return await self._told("DELETE", headers=TUS)

    async def _told(self, method: str, **options: object) -> tuple[int, str]:
        async with self.http.request(method, self.session, **options) as answer:
            told = await answer.json() if await answer.read() else {}
            return answer.status, told.get("reason", "")


@asynccontextmanager
async def _desk(mounts: worker.Mounts) -> AsyncIterator[Desk]:
    filling = SlowEnd(UploadOrder(), WorkerSettings.from_env(mounts.env))
    uploads = Uploads(lambda upload, error: None)
    tus = Tus(uploads, filling, lambda request: None, lambda ended: None, idle=60.0)
    app = web.Application()
    app.router.add_routes(tus.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(trust_env=False) as http:
        try:
            yield Desk(filling, http, f"http://127.0.0.1:{runner.addresses[0][1]}")
        finally:
            filling.may_end.set()
            await runner.cleanup()


def play(tmp_path, act: Callable[[Desk], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(120), _desk(worker.Mounts(tmp_path)) as desk:
            await act(desk)

    asyncio.run(run())


def test_whoever_is_sending_is_told_that_the_upload_was_given_up(tmp_path):
    async def act(desk: Desk) -> None:
        await desk.open(1000)
        sent, over = asyncio.Event(), asyncio.Event()

        async def half() -> AsyncIterator[bytes]:
            yield bytes(500)
            sent.set()
            await over.wait()

        sending = desk.patch(half())
        await sent.wait()
        assert await desk.give_up() == (204, "")
        assert await sending == (423, "TakenOver")
        over.set()
        assert await desk.give_up() == (404, "NotFound")
        assert list(desk.filling.session_file.parent.iterdir()) == []

    play(tmp_path, act)


def test_an_upload_that_is_being_finished_cannot_be_given_up(tmp_path):
    async def act(desk: Desk) -> None:
        await desk.open(1000)
        sending = desk.patch(bytes(1000))
        await asyncio.to_thread(desk.filling.all_read.wait, 60)
        assert await desk.give_up() == (423, "UploadInProgress")
        desk.filling.may_end.set()
        assert await sending == (204, "")

    play(tmp_path, act)
