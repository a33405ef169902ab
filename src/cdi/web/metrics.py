"""
What controllers and their client report about themselves, as Prometheus reads it.

`ProcessMetrics` is what `cdi.kube` asks for by its protocols (`controller.Metrics` and
`transport.Observer`); `Server` shows it. Names and labels are those of controller-runtime and
client-go, so that dashboards made for other controllers fit. Durations are in seconds.

Whoever may reach the address may read: it holds counts and names of controllers, no objects.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from cdi.kube.controller import Outcome
from cdi.kube.transport import Request

PATH: Final = "/metrics"
# Outcomes as controller-runtime calls them; a conflict is a retry like any other there.
_RESULTS: Final = {
    Outcome.DONE: "success",
    Outcome.AGAIN: "requeue_after",
    Outcome.CONFLICT: "requeue",
    Outcome.RETRY: "error",
    Outcome.TERMINAL: "error",
}


class ProcessMetrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._reconciled = Counter(
            "controller_runtime_reconcile_total",
            "Reconciliations, by how they ended.",
            ("controller", "result"),
            registry=self._registry,
        )
        self._failed_for_good = Counter(
            "controller_runtime_terminal_reconcile_errors_total",
            "Reconciliations that failed for good.",
            ("controller",),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "How long one reconciliation took.",
            ("controller",),
            registry=self._registry,
        )
        self._depth = Gauge(
            "workqueue_depth", "Keys that wait for a worker.", ("name",), registry=self._registry
        )
        self._delayed = Gauge(
            "workqueue_delayed",
            "Keys that wait for their time.",
            ("name",),
            registry=self._registry,
        )
        self._answered = Counter(
            "rest_client_requests_total",
            "Requests to the API server; code 0 is no answer.",
            ("code", "method"),
            registry=self._registry,
        )
        self._request_seconds = Histogram(
            "rest_client_request_duration_seconds",
            "How long the API server took to answer.",
            ("verb",),
            registry=self._registry,
        )

    def reconciled(self, controller: str, outcome: Outcome, seconds: float) -> None:
        self._reconciled.labels(controller, _RESULTS[outcome]).inc()
        self._seconds.labels(controller).observe(seconds)
        if outcome is Outcome.TERMINAL:
            self._failed_for_good.labels(controller).inc()

    def queued(self, controller: str, ready: int, delayed: int) -> None:
        self._depth.labels(controller).set(ready)
        self._delayed.labels(controller).set(delayed)

    def answered(self, request: Request, code: int, seconds: float) -> None:
        self._answered.labels(str(code), request.method).inc()
        self._request_seconds.labels(request.method).observe(seconds)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self._registry)


class Server:
    """Serves the metrics over plain HTTP; a part for `manager.Group.SERVERS`."""

    name = "metrics"

    def __init__(self, metrics: ProcessMetrics, host: str, port: int) -> None:
        """Port 0 takes a free one; `address` says which."""
        self._metrics = metrics
        self._host, self._port = host, port
        self._address: asyncio.Future[tuple[str, int]] | None = None

    async def address(self) -> tuple[str, int]:
        """Where it listens, once it does; raises OSError where it cannot."""
        return await asyncio.shield(self._listening())

    async def ready(self) -> None:
        await self.address()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set. Raises OSError where the address cannot be had."""
        app = web.Application()
        app.router.add_get(PATH, self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
            host, port = runner.addresses[0][:2]
            self._listening().set_result((host, port))
            await stop.wait()
        finally:
            await runner.cleanup()

    def _listening(self) -> asyncio.Future[tuple[str, int]]:
        if self._address is None:
            self._address = asyncio.get_running_loop().create_future()
        return self._address

    async def _answer(self, _: web.Request) -> web.Response:
        return web.Response(
            body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )
