"""Who may read metrics is asked once a minute, however often somebody scrapes."""

import asyncio
from typing import Any

import pytest

from cdi.kube import errors
from cdi.web.serving.metrics import KEPT, reviewed
from support.fakeclock import FakeClock


class Reviewing:
    """An API server that knows one token."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.allowed = True
        self.broken = False

    async def create(self, resource: Any, body: dict[str, Any]) -> dict[str, Any]:
        if self.broken:
            raise errors.ConnectFailed("away")
        self.asked.append(resource.kind)
        if resource.kind == "TokenReview":
            known = body["spec"]["token"] == "good"
            return {"status": {"authenticated": known, "user": {"username": "prometheus"}}}
        assert body["spec"]["nonResourceAttributes"] == {"verb": "get", "path": "/metrics"}
        return {"status": {"allowed": self.allowed}}


def test_an_answer_is_believed_for_a_minute():
    async def play() -> None:
        server, clock = Reviewing(), FakeClock()
        judge = reviewed(server, clock)
        for _ in range(5):
            assert await judge("good", "/metrics") is True
            assert await judge("bad", "/metrics") is None
        assert server.asked == ["TokenReview", "SubjectAccessReview", "TokenReview"]
        server.allowed = False
        await clock.advance(KEPT)
        assert await judge("good", "/metrics") is False

    asyncio.run(play())


def test_no_answer_is_not_remembered():
    async def play() -> None:
        server = Reviewing()
        judge = reviewed(server, FakeClock())
        server.broken = True
        with pytest.raises(errors.ConnectFailed):
            await judge("good", "/metrics")
        server.broken = False
        assert await judge("good", "/metrics") is True

    asyncio.run(play())
