"""
/healthz and /readyz: whether a process is alive, and whether it should be asked for anything.

Alive is whoever answers. Ready is decided by named checks, which are cheap and do no I/O; a
process that is about to stop is not ready, and goes on answering until others have noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aiohttp import web

Check = Callable[[], bool]


class Health:
    """What is known about one process."""

    def __init__(self, checks: Mapping[str, Check] | None = None) -> None:
        self._checks = dict(checks or {})
        self._stopping = False

    def require(self, name: str, check: Check) -> None:
        """Be ready only while `check` is true; `name` tells people what is missing."""
        self._checks[name] = check

    def stop(self) -> None:
        """Never be ready again."""
        self._stopping = True

    def missing(self) -> list[str]:
        """What the process waits for; empty when it is ready."""
        if self._stopping:
            return ["stopping"]
        return [name for name, check in self._checks.items() if not check()]

    def routes(self) -> list[web.RouteDef]:
        """The two addresses."""
        return [web.get("/healthz", _alive), web.get("/readyz", self._ready)]

    async def _ready(self, request: web.Request) -> web.StreamResponse:
        del request
        if missing := self.missing():
            lines = "".join(f"[-] {name}\n" for name in missing)
            return web.Response(status=503, text=f"not ready\n{lines}")
        return web.Response(text="ok")


async def _alive(request: web.Request) -> web.StreamResponse:
    del request
    return web.Response(text="OK")
