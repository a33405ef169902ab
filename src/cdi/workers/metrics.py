"""
The metrics endpoint of a worker: HTTPS, any path, no authentication, small.

Controllers scrape `kubevirt_cdi_import_progress_total`; its line has one label and a number from
0 to 100 that only grows. It is absent while the length of the source is not known. A scraper
that hangs costs one thread for as long as CONNECTION allows, and nothing of the transfer.

Started only once a transfer has run for a while: importing this module costs more than moving a
small disk.
"""

from __future__ import annotations

import http.server
import logging
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable

from cdi.api.workorder import OPENSTACK, OVIRT, WorkOrder
from cdi.images.transfer.meter import Meter
from cdi.workers import certificate

log = logging.getLogger(__name__)

CONNECTION = 10.0  # seconds that one scrape may take
_WINDOW = 1.0  # seconds at least over which the rate is taken

PROGRESS = "kubevirt_cdi_import_progress_total"
# Some populators have metrics of their own name.
_PROGRESS_OF = {
    OVIRT: "kubevirt_cdi_ovirt_progress_total",
    OPENSTACK: "kubevirt_cdi_openstack_populator_progress_total",
}
RECEIVED = "cdi_import_received_bytes_total"
RATE = "cdi_import_received_bytes_per_second"


class Gauges:
    """The numbers behind the metrics, taken from a meter whenever somebody looks."""

    def __init__(
        self,
        meter: Meter,
        owner_uid: str,
        clock: Callable[[], float] = time.monotonic,
        *,
        progress: str = PROGRESS,
    ) -> None:
        """`progress` is the name under which the share that is done is published."""
        self._progress = progress
        self._meter, self._owner, self._clock = meter, owner_uid, clock
        self._lock = threading.Lock()
        self._share = 0.0
        self._since, self._fetched, self._rate = clock(), meter.fetched, 0.0

    def text(self) -> str:
        """Return the metrics in Prometheus' text format."""
        with self._lock:
            self._look()
            lines = [
                *self._metric(RECEIVED, "counter", "Bytes received.", f"{self._meter.fetched}"),
                *self._metric(RATE, "gauge", "Bytes received a second.", f"{self._rate:.0f}"),
            ]
            if self._meter.total:
                lines += self._metric(
                    self._progress,
                    "counter",
                    "Share that is done, in percent.",
                    f"{self._share:.2f}",
                )
        return "\n".join(lines) + "\n"

    def _look(self) -> None:
        if total := self._meter.total:
            self._share = max(self._share, min(100.0, 100.0 * self._meter.position / total))
        now, fetched = self._clock(), self._meter.fetched
        if now - self._since >= _WINDOW:
            self._rate = (fetched - self._fetched) / (now - self._since)
            self._since, self._fetched = now, fetched

    def _metric(self, name: str, kind: str, text: str, value: str) -> list[str]:
        return [
            f"# HELP {name} {text}",
            f"# TYPE {name} {kind}",
            f'{name}{{ownerUID="{self._owner}"}} {value}',
        ]


def gauges_for(meter: Meter, order: WorkOrder) -> Gauges:
    """The gauges of an import, under the names that its source has."""
    return Gauges(meter, order.owner_uid, progress=_PROGRESS_OF.get(order.source, PROGRESS))


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    timeout = CONNECTION

    def do_GET(self) -> None:
        body = self.server.gauges.text().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Scrapes are not worth a line."""


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], gauges: Gauges) -> None:
        self.gauges = gauges
        self._context = certificate.server_context()
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def finish_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        # The handshake waits for the client: here, in the connection's own thread.
        assert isinstance(request, socket.socket)  # noqa: S101 - as TCP servers get
        request.settimeout(CONNECTION)
        with self._context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        del request, client_address
        log.debug("a scrape ended early", extra={"cause": repr(sys.exception())})


def start(gauges: Gauges, address: str, port: int) -> int:
    """Serve in a daemon thread; return the port. Raises OSError if it cannot be had."""
    server = _Server((address, port), gauges)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return int(server.server_address[1])
