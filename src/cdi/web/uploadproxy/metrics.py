"""What passes through the proxy, as Prometheus reads it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class UploadMetrics:
    """The metrics of one proxy, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answered = Counter(
            "cdi_upload_proxy_requests_total",
            "Upload requests, by path and status; 499 is a client that went away.",
            ("path", "code"),
            registry=self._registry,
        )
        self._bytes = Counter(
            "cdi_upload_proxy_bytes_total",
            "Bytes that were passed to upload servers.",
            registry=self._registry,
        )
        self._active = Gauge(
            "cdi_upload_proxy_active_requests",
            "Upload requests under way.",
            registry=self._registry,
        )

    def began(self) -> None:
        self._active.inc()

    def ended(self, path: str, code: int) -> None:
        """`path` is one of a few, without what tells one upload from another."""
        self._active.dec()
        self._answered.labels(path, str(code)).inc()

    def passed(self, count: int) -> None:
        self._bytes.inc(count)

    def text(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self._registry)
