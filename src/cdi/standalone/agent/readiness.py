"""
Whether a container is ready: its readiness probe, asked over HTTP as a kubelet asks.

Until the first good answer it is asked at short intervals, as processes start in a moment here;
then at the probe's own. What a server's certificate says is not looked at, as a kubelet does not.
Times are in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp

from cdi.kube import objects
from cdi.kube.clock import Clock
from cdi.kube.objects import Object

EAGER: Final = 0.2  # between two questions as long as it has never been ready
_PERIOD: Final = 10.0  # where the probe does not say; these are Kubernetes' own
_TIMEOUT: Final = 1.0
_FAILURES: Final = 3


@dataclass(frozen=True, slots=True)
class Probe:
    """What to ask, how often, and after how many failures in a row it is not ready."""

    url: str
    period: float = _PERIOD
    timeout: float = _TIMEOUT
    failures: int = _FAILURES


def probe_of(container: Object, address: str) -> Probe | None:
    """The readiness probe of a container whose pod has this address; None: it has none of ours."""
    said = container.get("readinessProbe") or {}
    asked = said.get("httpGet")
    if not asked:
        return None
    scheme = str(asked.get("scheme") or "HTTP").lower()
    return Probe(
        f"{scheme}://{address}:{asked.get('port')}{asked.get('path') or '/'}",
        period=float(objects.get(said, "periodSeconds", default=_PERIOD)),
        timeout=float(objects.get(said, "timeoutSeconds", default=_TIMEOUT)),
        failures=int(objects.get(said, "failureThreshold", default=_FAILURES)),
    )


async def watch(probe: Probe, clock: Clock, changed: Callable[[bool], None]) -> None:
    """Ask for ever; tell each change. It begins as not ready."""
    ready, failed = False, 0
    timeout = aiohttp.ClientTimeout(total=probe.timeout)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        while True:
            failed = 0 if await _answers_well(session, probe.url) else failed + 1
            now = ready if 0 < failed < probe.failures else not failed
            if now is not ready:
                ready = now
                changed(ready)
            await clock.sleep(probe.period if ready else EAGER)


async def _answers_well(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url, ssl=False, allow_redirects=False) as answer:
            return HTTPStatus.OK <= answer.status < HTTPStatus.BAD_REQUEST
    except (TimeoutError, aiohttp.ClientError, OSError):
        return False
