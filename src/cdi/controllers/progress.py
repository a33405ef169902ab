"""
How far a worker is, asked of the worker itself.

`Progress.of` never waits: it returns what was heard last and, if that is some time ago, asks
again in the background and calls back with news. Workers show certificates that they made
themselves; what they say is shown to people and decides nothing, so nobody verifies them.

Whom to ask is the caller's business: a pod that was made for the claim in question. It is asked
at its own address and declared port and nowhere else: whatever it answers, nobody is sent on.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import aiohttp

from cdi.api import phases
from cdi.api.workersettings import METRICS_PORT_NAME
from cdi.kube import objects
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.objects import Object

log = logging.getLogger(__name__)

EVERY: Final = 1.9  # seconds between two questions; callers come back every two
_PATIENCE: Final = 2.0  # seconds for one answer
_AT_ONCE: Final = 64
_MANY: Final = 1000  # pods remembered before the old ones are looked for
_FORGET_AFTER: Final = 60.0  # seconds
_LONGEST_ANSWER: Final = 1 << 20  # bytes
_METRIC: Final = (
    r"^kubevirt_cdi_(?:import|clone|ovirt|openstack_populator)_progress_total"
    r'\{{ownerUID="{uid}"\}} (\d{{1,3}}(?:\.\d*)?)'
)

Fetch = Callable[[str], Awaitable[str]]


@dataclass(slots=True)
class _Heard:
    value: str | None
    at: float


class Progress:
    """Asks importers, each at most every other second."""

    def __init__(self, clock: Clock | None = None, fetch: Fetch | None = None) -> None:
        self._clock = clock or SystemClock()
        self._fetch = fetch or fetch_metrics
        self._heard: dict[str, _Heard] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)

    def of(self, pod: Object, owner_uid: str, tell: Callable[[], None]) -> str | None:
        """What the importer in a running pod said last: `12.34%`. `tell` is called with news."""
        address = address_of(pod)
        if address is None:
            return None
        uid = objects.uid(pod)
        heard = self._heard.get(uid)
        due = heard is None or self._clock.now() - heard.at >= EVERY
        if due and uid not in self._asking:
            self._asking[uid] = asyncio.ensure_future(self._ask(uid, address, owner_uid, tell))
        return heard.value if heard else None

    async def _ask(self, uid: str, address: str, owner_uid: str, tell: Callable[[], None]) -> None:
        before = self._heard.get(uid)
        value = before.value if before else None
        try:
            async with self._room:
                value = parse_progress(await self._fetch(address), owner_uid) or value
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            log.debug("no progress", extra={"address": address, "cause": str(error)})
        finally:
            self._heard[uid] = _Heard(value, self._clock.now())
            self._asking.pop(uid, None)
            self._forget_old()
        if value is not None and (before is None or before.value != value):
            tell()

    def _forget_old(self) -> None:
        """Pods that nobody has asked about for a while are gone."""
        if len(self._heard) < _MANY:
            return
        since = self._clock.now() - _FORGET_AFTER
        self._heard = {uid: heard for uid, heard in self._heard.items() if heard.at >= since}


def address_of(pod: Object) -> str | None:
    """Where a running importer serves its metrics, if it is known."""
    ip = objects.get(pod, "status", "podIP")
    if objects.get(pod, "status", "phase") != phases.Pod.RUNNING or not ip:
        return None
    port = _declared_port(pod)
    if port is None or not _is_of_a_pod(ip):
        return None
    host = f"[{ip}]" if ":" in ip else ip
    return f"https://{host}:{port}/metrics"


def _is_of_a_pod(ip: str) -> bool:
    """Whether pods may have such an address: no name, and not where clouds keep their secrets."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    special = (address.is_link_local, address.is_multicast, address.is_unspecified)
    return not any(special) and "%" not in ip


def parse_progress(metrics: str, owner_uid: str) -> str | None:
    """The progress under an owner's UID, with two decimals; None where it is not among them."""
    pattern = _METRIC.format(uid=re.escape(owner_uid))
    found = re.search(pattern, metrics, re.MULTILINE)
    return f"{float(found[1]):.2f}%" if found else None


async def fetch_metrics(address: str) -> str:
    """Read metrics. Raises OSError, TimeoutError or aiohttp.ClientError."""
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.get(address, ssl=False, allow_redirects=False) as answer,
    ):
        if answer.status != HTTPStatus.OK:
            raise aiohttp.ClientError(f"status {answer.status}")
        return (await answer.content.read(_LONGEST_ANSWER)).decode(errors="replace")


def _declared_port(pod: Object) -> int | None:
    containers = objects.get(pod, "spec", "containers", default=[])
    for container in containers:
        for port in container.get("ports") or []:
            number = port.get("containerPort")
            if port.get("name") == METRICS_PORT_NAME and isinstance(number, int):
                return number if 0 < number < 1 << 16 else None
    return None
