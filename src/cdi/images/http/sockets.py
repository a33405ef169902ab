"""What a connection is made of: a socket, and what ends a wait for its bytes. Only values."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Socket(Protocol):
    """What is used of a socket; those of TLS within TLS have little more."""

    def recv(self, count: int, /) -> bytes: ...
    def send(self, data: memoryview, /) -> int: ...
    def fileno(self) -> int: ...
    def close(self) -> None: ...
    def settimeout(self, value: float | None, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Watch:
    """What ends a wait for bytes."""

    cancel: threading.Event
    stall: float
    clock: Callable[[], float]
