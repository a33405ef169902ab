"""
An address for each pod: one of the sixteen million of the loopback network.

Every worker can so listen on the port that its pod declares, and whoever knows the pod's IP
reaches it, as on a cluster. The address follows from the pod's UID; on the rare clash, also with
another instance on this machine, the next one is taken.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import socket
from collections.abc import Collection, Iterator
from typing import Final

from cdi.api.workersettings import METRICS_PORT

FALLBACK: Final = "127.0.0.1"
_FIRST: Final = int(ipaddress.IPv4Address("127.64.0.1"))
_COUNT: Final = (1 << 22) - 2
_TRIES: Final = 16


def address_for(uid: str, taken: Collection[str]) -> str:
    """Return a free address for the pod with this UID."""
    for candidate in candidates(uid):
        if candidate not in taken and _is_free(candidate):
            return candidate
    return FALLBACK


def candidates(uid: str) -> Iterator[str]:
    """Yield the addresses that a pod tries, in order."""
    start = int.from_bytes(hashlib.blake2b(uid.encode(), digest_size=8).digest())
    for step in range(_TRIES):
        yield str(ipaddress.IPv4Address(_FIRST + (start + step * step) % _COUNT))


def _is_free(address: str) -> bool:
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, METRICS_PORT))
        except OSError:
            return False
        return True
