"""
Numbers about the API server for Prometheus, under Kubernetes' names for the same things.

Here: counting requests, and the text. Elsewhere: numbers of the controllers (`web`).
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator

from aiohttp import web
from aiohttp.typedefs import Handler

from cdi.standalone.store.store import Store

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Requests:
    """How many requests were answered how."""

    def __init__(self) -> None:
        self.started = time.time()
        self.answered: Counter[tuple[str, int]] = Counter()

    @web.middleware
    async def count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count one request; those that were cut off are not answered."""
        response = await handler(request)
        self.answered[request.method, response.status] += 1
        return response


def exposition(store: Store, requests: Requests) -> str:
    """The text that Prometheus reads."""
    objects = (
        (f'resource="{resource}"', len(store.entries(resource)))
        for resource in sorted(store.resources())
    )
    answered = (
        (f'code="{code}",verb="{verb}"', count)
        for (verb, code), count in sorted(requests.answered.items())
    )
    parts = [
        *_family("apiserver_request_total", "counter", "Requests by verb and code.", answered),
        *_family("apiserver_storage_objects", "gauge", "Stored objects by resource.", objects),
        *_family(
            "process_start_time_seconds",
            "gauge",
            "Start of the server, in seconds since the epoch.",
            [("", round(requests.started, 3))],
        ),
    ]
    return "\n".join(parts) + "\n"


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[str, float]]) -> Iterator[str]:
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"
    for labels, value in samples:
        yield f"{name}{{{labels}}} {value}" if labels else f"{name} {value}"
