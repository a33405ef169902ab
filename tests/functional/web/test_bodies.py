"""Bodies come within limits, and whoever sends slowly holds up nobody else."""

import asyncio

import pytest
from aiohttp import web

from cdi.web.apiserver import answers
from support import serving


def _app(timeout: float = 5.0) -> web.Application:
    bodies = answers.Bodies(timeout)

    async def read(request: web.Request) -> web.StreamResponse:
        found = await bodies.document(request)
        return answers.document({"length": len(found)})

    app = web.Application(client_max_size=answers.LARGEST_BODY, middlewares=[answers.as_statuses])
    app.router.add_post("/read", read)
    return app


def _begun(length: int) -> bytes:
    head = "POST /read HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return f'{head}Content-Length: {length}\r\n\r\n"'.encode()


async def _answers_to_strangers(served: serving.Served, count: int, length: int) -> list[str]:
    """The status lines for requests that are begun and never ended."""

    async def stranger() -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
        try:
            writer.write(_begun(length))
            return (await reader.readline()).decode().strip()
        finally:
            writer.close()

    return list(await asyncio.gather(*(stranger() for _ in range(count))))


def test_a_body_that_does_not_arrive_is_given_up():
    async def play() -> None:
        async with serving.serving(_app(timeout=0.05), None) as served:
            lines = await _answers_to_strangers(served, 1, 100)
            assert lines == ["HTTP/1.1 408 Request Timeout"]

    asyncio.run(play())


@pytest.mark.parametrize(
    "length",
    [
        pytest.param(100, id="small"),
        pytest.param(answers.SMALL_BODY + 1, id="large"),
    ],
)
def test_strangers_that_send_slowly_hold_up_nobody_else(length):
    async def play() -> None:
        async with serving.serving(_app(), None) as served, serving.session() as client:
            strangers = asyncio.ensure_future(
                _answers_to_strangers(served, 3 * answers.LARGE_AT_ONCE, length)
            )
            for _ in range(20):
                url = served.url("/read", "http")
                async with client.post(url, json="x" * 1000) as answer:
                    assert await answer.json() == {"length": 1000}
                assert not strangers.done()
            strangers.cancel()
            await asyncio.gather(strangers, return_exceptions=True)

    asyncio.run(play())


def test_a_large_body_is_read_whole():
    async def play() -> None:
        async with serving.serving(_app(), None) as served, serving.session() as client:
            url = served.url("/read", "http")
            async with client.post(url, json="x" * (4 << 20)) as answer:
                assert await answer.json() == {"length": 4 << 20}

    asyncio.run(play())
