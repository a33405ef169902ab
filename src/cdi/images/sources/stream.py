"""
Bytes that come from somewhere else, in order, once: a pipe, a socket, standard input.

Nothing can be asked for again, so that a break ends the transfer. Waits end when they are
cancelled. Sizes are in bytes.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator

from cdi.images import errors
from cdi.images.sources.source import PIECE, Identity

_TICK = 0.25  # seconds; how often a waiting reader looks up


class StreamSource:
    """An open file descriptor to read from; see `source.Source`. It stays open: it is not ours."""

    ranged = False
    once = True  # see `source.Once`

    def __init__(self, descriptor: int, name: str, cancel: threading.Event) -> None:
        """`name` says in messages where the bytes come from."""
        self._descriptor, self._name, self._cancel = descriptor, name, cancel
        self.size: int | None = None
        self.identity = Identity(name)

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield all bytes; see `source.Source`."""
        if start != 0 or end is not None:
            raise ValueError("a stream can only be read as a whole")
        return self._pieces()

    def close(self) -> None:
        """Nothing to let go of."""

    def _pieces(self) -> Iterator[bytes]:
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLIN)
        while True:
            if self._cancel.is_set():
                raise errors.Cancelled("the transfer was asked to stop")
            if not waiting.poll(_TICK * 1000):
                continue
            try:
                piece = os.read(self._descriptor, PIECE)
            except OSError as failure:
                raise errors.ConnectionLost(
                    f"{self._name} cannot be read any more: {failure.strerror}"
                ) from failure
            if not piece:
                return
            yield piece
