"""
What controllers and their client report about themselves, as Prometheus reads it.

`ProcessMetrics` is what `cdi.kube` asks for by its protocols (`controller.Metrics` and
`transport.Observer`); `serving.metrics` shows it. Names and labels are those of
controller-runtime and client-go, so that dashboards made for other controllers fit. Durations are
in seconds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cdi.kube.controller import Outcome
from cdi.kube.transport import Request

# Outcomes as controller-runtime calls them; a conflict is a retry like any other there.
_RESULTS: Final = {
    Outcome.DONE: "success",
    Outcome.AGAIN: "requeue_after",
    Outcome.CONFLICT: "requeue",
    Outcome.RETRY: "error",
    Outcome.TERMINAL: "error",
}
# Prometheus' usual ones, and some between: a webhook is to answer within 20 ms.
_LATENCIES: Final = (
    *(0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.035, 0.05, 0.075),
    *(0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
_PROFILE_LABELS: Final = (
    "storageclass",
    "provisioner",
    "complete",
    "default",
    "virtdefault",
    "rwx",
    "smartclone",
    "degraded",
)


class ProcessMetrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._ready: Gauge | None = None
        self._crons: Gauge | None = None
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
        self._reviews = Counter(
            "cdi_admission_reviews_total",
            "Writes that were judged, by webhook and by whether they were allowed.",
            ("webhook", "allowed"),
            registry=self._registry,
        )
        self._review_seconds = Histogram(
            "controller_runtime_webhook_latency_seconds",
            "How long judging one write took.",
            ("webhook",),
            registry=self._registry,
            buckets=_LATENCIES,
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

    def reviewed(self, webhook: str, allowed: bool, seconds: float) -> None:
        self._reviews.labels(webhook, "true" if allowed else "false").inc()
        self._review_seconds.labels(webhook).observe(seconds)

    def readiness(self, value: int) -> None:
        """Whether the installation is ready: 1, 0 if not, -1 as long as nobody knows."""
        self._readiness().set(value)

    def cron_outdated(self, namespace: str, name: str, *, outdated: bool, pending: bool) -> None:
        """Whether a DataImportCron lacks the newest version of its image."""
        self.cron_gone(namespace, name)
        words = "true" if pending else "false"
        self._outdated_crons().labels(namespace, name, words).set(int(outdated))

    def cron_gone(self, namespace: str, name: str) -> None:
        """Show nothing of a DataImportCron any more."""
        for words in ("true", "false"):
            with contextlib.suppress(KeyError):
                self._outdated_crons().remove(namespace, name, words)

    def follow_storage(
        self, pending: Callable[[], int], profiles: Callable[[], Iterable[Mapping[str, str]]]
    ) -> Callable[[], None]:
        """Show what these say whenever somebody asks, until the function that is returned is
        called."""
        shown = _Storage(pending, profiles)
        self._registry.register(shown)
        return lambda: self._registry.unregister(shown)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self._registry)

    def _outdated_crons(self) -> Gauge:
        """Only the controllers show it."""
        if self._crons is None:
            self._crons = Gauge(
                "kubevirt_cdi_dataimportcron_outdated",
                "Whether a DataImportCron lacks the newest version of its image.",
                ("namespace", "cron_name", "pending"),
                registry=self._registry,
            )
        return self._crons

    def _readiness(self) -> Gauge:
        """Only an operator shows it."""
        if self._ready is None:
            self._ready = Gauge(
                "kubevirt_cdi_cr_ready", "Whether CDI can be used.", registry=self._registry
            )
        return self._ready


class _Storage(Collector):
    """What controllers know of the cluster's storage, asked anew each time."""

    def __init__(
        self, pending: Callable[[], int], profiles: Callable[[], Iterable[Mapping[str, str]]]
    ) -> None:
        self._pending = pending
        self._profiles = profiles

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily(
            "kubevirt_cdi_datavolume_pending",
            "DataVolumes that wait and name no storage class.",
            value=self._pending(),
        )
        family = GaugeMetricFamily(
            "kubevirt_cdi_storageprofile_info",
            "What the profile of a storage class is good for; always 1.",
            labels=_PROFILE_LABELS,
        )
        for found in self._profiles():
            family.add_metric([found[each] for each in _PROFILE_LABELS], 1)
        yield family

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked before somebody scrapes."""
        return ()
