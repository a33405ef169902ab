"""
`python -m bench.bootsources`: what a hundred DataImportCrons of one schedule ask of one registry.

A second or two, with nothing to prepare; `report` from elsewhere. Requests are counted, not timed:
a busy machine counts the same. Every poll is a real one, against a registry that counts; when each
would start follows from the crons' UIDs, as on a cluster, so that nobody has to wait for the hour.
"""

from __future__ import annotations

import collections
import hashlib
import http.server
import json
import logging
import sys
import threading
import uuid
from pathlib import Path

from cdi.api.workersettings import WorkerSettings
from cdi.api.workorder import PollOrder
from cdi.controllers.dataimportcron import pollers
from cdi.workers import poller

CRONS = 100
SCHEDULES = ("0 */12 * * *", "0 * * * *", "*/5 * * * *", "* * * * *")
MOST_REQUESTS = 5  # a poll: whether there is TLS, a token if one is wanted, the manifest

_MANIFEST = json.dumps({"schemaVersion": 2, "config": {}, "layers": []}).encode()


class _Registry(http.server.BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
        self.send_header("Content-Length", str(len(_MANIFEST)))
        self.end_headers()
        self.wfile.write(_MANIFEST)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def main() -> int:
    """Poll, count and print; 1 if a poll costs more than it may."""
    each = requests_of_a_poll()
    print("\n".join(shown(each)))
    return int(each > MOST_REQUESTS)


def report() -> list[str]:
    """Poll and count; return the lines to print."""
    return shown(requests_of_a_poll())


def requests_of_a_poll() -> float:
    """How many requests a poll costs the registry."""
    _Registry.asked = 0
    logging.getLogger("cdi").setLevel(logging.ERROR)  # without TLS, as it was asked for
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"docker://127.0.0.1:{server.server_port}/boot/image"
    settings = WorkerSettings(
        proxy_cert_dir=Path("/nonexistent"), registry_dir=Path("/nonexistent")
    )
    digest = "sha256:" + hashlib.sha256(_MANIFEST).hexdigest()
    for number in range(CRONS):
        order = PollOrder(source="registry", endpoint=f"{url}:{number}", insecure_tls=True)
        if poller.version_of(order, settings, threading.Event()) != digest:
            raise AssertionError("the poller does not say what the registry has")
    server.shutdown()
    server.server_close()
    return _Registry.asked / CRONS


def shown(each: float) -> list[str]:
    """The table of what so many requests a poll come to."""
    kept = "kept" if each <= MOST_REQUESTS else "MISSED"
    lines = [
        f"{CRONS} crons, one registry: {each:.1f} requests a poll, at most {MOST_REQUESTS}: {kept}",
        "",
        "schedule        within   busiest second   requests in the minute",
    ]
    for schedule in SCHEDULES:
        starts = [pollers.delay_for(schedule, _uid(number)) for number in range(CRONS)]
        busiest = max(collections.Counter(starts).values())
        lines.append(
            f"{schedule:<15} {max(starts) + 1:4.0f} s {busiest * each:12.0f} {CRONS * each:20.0f}"
        )
    return lines


def _uid(number: int) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))


if __name__ == "__main__":
    sys.exit(main())
