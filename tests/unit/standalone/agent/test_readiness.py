"""Readiness probes: which there are, and what their answers come to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from cdi.kube.clock import Clock
from cdi.standalone.agent import readiness
from cdi.standalone.agent.readiness import Probe, probe_of
from support.loop import in_loop

ASKED = {"path": "/healthz", "port": 8443, "scheme": "HTTPS"}
URL = "https://127.64.0.1:8443/healthz"


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"exec": {"command": ["x"]}}, None, id="a-command"),
        pytest.param({"httpGet": ASKED}, Probe(URL), id="usual"),
        pytest.param(
            {"httpGet": {"port": 80}, "periodSeconds": 5, "timeoutSeconds": 2,
             "failureThreshold": 1},
            Probe("http://127.64.0.1:80/", period=5, timeout=2, failures=1),
            id="all-said",
        ),
    ],
)  # fmt: skip
def test_what_is_asked(said, wanted):
    assert probe_of({"readinessProbe": said}, "127.64.0.1") == wanted


class Over(Exception):
    """The clock has been asked often enough."""


class Counting(Clock):
    """Lets so many answers pass."""

    def __init__(self, turns: int) -> None:
        self.pauses: list[float] = []
        self._turns = turns

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if len(self.pauses) == self._turns:
            raise Over


@asynccontextmanager
async def answering(codes: list[int]) -> AsyncIterator[str]:
    """A server that gives these answers, one after the other."""
    left = iter(codes)

    async def answer(request: web.Request) -> web.Response:
        del request
        return web.Response(status=next(left))

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        pytest.param([503, 503, 503], [], id="never"),
        pytest.param([503, 200, 200], [True], id="once-it-is"),
        pytest.param([200, 503, 503, 200], [True], id="a-moment-of-weakness"),
        pytest.param([200, 503, 503, 503, 200], [True, False, True], id="not-any-more"),
    ],
)
@in_loop
async def test_what_the_answers_come_to(codes, told):
    heard: list[bool] = []
    clock = Counting(len(codes))
    async with answering(codes) as url:
        with pytest.raises(Over):
            await readiness.watch(replace(Probe(url), period=5), clock, heard.append)
    assert heard == told
    assert clock.pauses[0] == (5 if codes[0] == 200 else readiness.EAGER)


@in_loop
async def test_a_server_that_is_not_there_is_not_ready():
    heard: list[bool] = []
    with pytest.raises(Over):
        await readiness.watch(Probe("http://127.0.0.1:1/"), Counting(2), heard.append)
    assert heard == []
