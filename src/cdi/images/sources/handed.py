"""
Bytes that the caller hands in, piece by piece, as they reach it: an upload.

The one who reads says where to begin; whoever sends is told that, and sends from there on. So a
transfer that was interrupted goes on where its journal says, although nothing can be asked for
again: if the caller knows a version, by which it vouches that the bytes are those of before.
Without one, all begins at 0.

One thread or event loop gives (`offer`, `end`, `fail`), another one reads (`stream`). What waits
between them is bounded. Offsets and sizes are in bytes.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

from cdi.images import errors
from cdi.images.sources.source import PIECE, Identity, Source

WAITING = 4 << 20  # bytes handed in that nobody has taken yet
# A reader is woken for so many bytes, or after _TICK for fewer: each time costs both sides as much
# as a good part of decoding them. It takes at most PIECE at once.
_WORTH_WAKING = 512 << 10
_TICK = 0.25  # seconds; how often a waiting reader looks up


class HandedSource:
    """What somebody hands in; see `source.Source`. For one transfer."""

    ranged = False
    once = True  # see `source.Once`

    def __init__(
        self,
        name: str,
        *,
        size: int | None = None,
        version: str = "",
        moved: Callable[[], None] = lambda: None,
        limit: int = WAITING,
    ) -> None:
        """`name` says in messages what it is; `size` is all of it, wherever it begins.

        `moved` is called by other threads, whenever there may be room, a place to begin, nothing
        left to read, or no reader any more. It must not wait.
        """
        self.size = size
        self.identity = Identity(name, size, version)
        self._name, self._limit, self._moved = name, limit, moved
        self._changed = threading.Condition()
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._begin: int | None = None
        self._given = 0
        self._ended = self._gone = False
        self._failure: errors.TransferError | None = None
        self._cancel = threading.Event()

    def open(self, halt: threading.Event) -> Source:
        """Return this source, whose waits end with `halt`."""
        self._cancel = halt
        return self

    # For whoever gives.

    @property
    def begin(self) -> int | None:
        """Where the reader wants to begin; None as long as it has not said."""
        return self._begin

    @property
    def offset(self) -> int:
        """How far the bytes go that have been handed in, and where the next ones belong."""
        return (self._begin or 0) + self._given

    @property
    def is_full(self) -> bool:
        """Whether nothing more is taken just now."""
        return self._waiting >= self._limit

    @property
    def is_read(self) -> bool:
        """Whether all of it has been taken by the reader."""
        return self._ended and not self._pieces

    @property
    def is_gone(self) -> bool:
        """Whether nobody reads any more."""
        return self._gone

    def offer(self, piece: bytes) -> bool:
        """Hand in the next bytes; False if there is no room for them, or no reader any more."""
        with self._changed:
            if self._gone or self.is_full:
                return False
            self._pieces.append(piece)
            self._waiting += len(piece)
            self._given += len(piece)
            if self._waiting >= _WORTH_WAKING or self.is_full:
                self._changed.notify_all()
        return True

    def end(self) -> None:
        """That was all."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def fail(self, error: errors.TransferError) -> None:
        """No more will come: the reader gets what is there, unless it is stopped, and the error."""
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    # For whoever reads.

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield all bytes from `start` on, once; see `source.Source`."""
        if end is not None or self._begin is not None:
            raise ValueError("what is handed in can be read once, and to its end")
        self._begin = start
        self._moved()
        return self._taken(start)

    def close(self) -> None:
        """The reader goes."""
        with self._changed:
            self._gone = True
            self._pieces.clear()
            self._waiting = 0
        self._moved()

    def _taken(self, at: int) -> Iterator[bytes]:
        while piece := self._next():
            at += len(piece)
            yield piece
        if self.size is not None and at < self.size:
            raise errors.TruncatedSource(
                f"{self._name} ended after {at} of {self.size} bytes; send all of it"
            )

    def _next(self) -> bytes:
        """Wait for the next piece; empty at the end."""
        with self._changed:
            while not self._pieces or self._cancel.is_set():
                if self._failure is not None:
                    raise self._failure
                if self._cancel.is_set():
                    raise errors.Cancelled("the transfer was asked to stop")
                if self._ended:
                    return b""
                self._changed.wait(_TICK)
            piece = self._joined()
            was_full = self.is_full
            self._waiting -= len(piece)
            told = (was_full and not self.is_full) or self.is_read
        if told:
            self._moved()
        return piece

    def _joined(self) -> bytes:
        """Take what waits, up to PIECE of it."""
        pieces = [self._pieces.popleft()]
        length = len(pieces[0])
        while self._pieces and length + len(self._pieces[0]) <= PIECE:
            pieces.append(self._pieces.popleft())
            length += len(pieces[-1])
        return b"".join(pieces) if len(pieces) > 1 else pieces[0]
