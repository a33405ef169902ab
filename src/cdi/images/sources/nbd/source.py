"""
An NBD export as a source: any range, over as many connections as the server allows, and extents.

A connection that breaks is replaced, and a failed request made again, as often as `retry.Policy`
allows. One connection serves one request at a time; who finds none free waits. Offsets are in
bytes, durations in seconds.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cdi.images import errors
from cdi.images.closing import Closing
from cdi.images.http import retry
from cdi.images.intervals import Intervals
from cdi.images.layout import Extent
from cdi.images.sources import source
from cdi.images.sources.nbd import handshake
from cdi.images.sources.nbd.connection import Connection, Failed
from cdi.images.sources.nbd.transport import TICK, Dialled, Watch, over
from cdi.images.sources.source import PIECE, Identity
from cdi.images.writes import Buffer

log = logging.getLogger(__name__)

T = TypeVar("T")
_RETRIED = (errors.SourceUnavailable, errors.ConnectionLost, errors.Stalled)
_STATUS_BYTES = 2 << 30  # of the disk, in one request: a length has 32 bits
# Two pieces: large enough for a server far away, small enough for a dozen readers' memory.
_READ_BYTES = 2 << 20


def _same(error: errors.SourceError) -> errors.TransferError:
    return error


@dataclass(frozen=True, slots=True)
class Settings:
    """How to speak to a server. `explain` may turn a final error into one that says more."""

    export: str = ""
    connections: int = 4  # at most, where the server takes more than one
    stall: float = 180.0  # without a byte; nbdkit's retry filter is patient for a minute itself
    read_bytes: int = _READ_BYTES
    # Compares what is read with its digest at the server, which has to compute the same.
    digest: Callable[[Buffer], bytes] | None = None
    retries: retry.Policy = field(default_factory=lambda: retry.Policy(tries=4, opening_tries=2))
    explain: Callable[[errors.SourceError], errors.TransferError] = _same
    clock: Callable[[], float] = time.monotonic
    rng: Callable[[], float] = random.random


def dial_unix(path: Path) -> socket.socket:
    """Connect to a server's socket. Raises SourceUnavailable."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.connect(str(path))
    except OSError as failure:
        sock.close()
        raise errors.SourceUnavailable(
            f"the NBD server cannot be reached: {failure.strerror or failure}"
        ) from failure
    return sock


class NbdSource(Closing):
    """One export; see `source.Mapped`. The constructor opens it."""

    ranged = True

    def __init__(
        self,
        dial: Callable[[], Dialled],
        location: str,
        settings: Settings | None = None,
        *,
        version: str = "",
        cancel: threading.Event | None = None,
    ) -> None:
        """`location` and `version` are for the identity: NBD itself has no such thing."""
        self._settings = settings or Settings()
        self._dial, self._shown = dial, location
        self._cancel = cancel or threading.Event()
        self._watch = Watch(self._cancel, self._settings.stall, self._settings.clock)
        self._free: list[Connection] = []
        self._open = 0
        self._closed = False
        self._changed = threading.Condition()
        self._compared = Intervals()
        self._export: handshake.Export | None = None
        tries = self._settings.retries.opening_tries
        self._export = self._persistently(tries, lambda connection: connection.export)
        self.size = self._export.size
        self.identity = Identity(location, self.size, version)

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """Yield the bytes [start, end) in order; see `source.Source`."""
        return self._pieces(*source.checked_range(self._shown, self.size, start, end))

    def extents(self) -> Iterator[Extent]:
        """Yield all parts of the disk; see `source.Mapped`."""
        return self.parts(0, self.size)

    def parts(self, start: int, end: int) -> Iterator[Extent]:
        """Yield the parts of [start, end): adjacent ones differ. What is not known is data."""
        held: Extent | None = None
        for part in self._asked_parts(start, min(end, self.size)):
            if held is not None and held.zero == part.zero:
                held = Extent(held.start, part.end, held.zero)
                continue
            if held is not None:
                yield held
            held = part
        if held is not None:
            yield held

    def digest(self, start: int, end: int) -> bytes:
        """Return the digest of [start, end) at the server, if that computes digests."""
        tries = self._settings.retries.tries
        found = self._persistently(tries, lambda line: line.digest(start, end - start))
        return bytes(found)

    def not_compared(self) -> Iterator[tuple[int, int]]:
        """Yield the data that this source has not read, or not compared with its digest."""
        for part in self.extents():
            if not part.zero:
                with self._changed:
                    left = list(self._compared.missing(part.start, part.end))
                yield from left

    def close(self) -> None:
        with self._changed:
            self._closed = True
            idle, self._free = self._free, []
            self._changed.notify_all()
        for connection in idle:
            connection.close()

    @property
    def _agreed(self) -> handshake.Export:
        if self._export is None:
            raise ValueError("the source is not open")
        return self._export

    def _pieces(self, position: int, end: int) -> Iterator[bytes]:
        least = self._agreed.least
        most = max(least, min(self._settings.read_bytes, self._agreed.most) // least * least)
        while position < end:
            low = position // least * least
            high = min(low + most, -(-end // least) * least, self.size)
            read = self._read(low, high - low)
            stop = min(high, end)
            if isinstance(read, bytes) and (low, high) == (position, stop) and stop - low <= PIECE:
                yield read
            else:
                found = memoryview(read)
                for at in range(position, stop, PIECE):
                    yield bytes(found[at - low : min(at + PIECE, stop) - low])
            position = stop

    def _read(self, offset: int, length: int) -> bytes | bytearray:
        tries = self._settings.retries.tries
        if (digest := self._settings.digest) is not None:
            return self._persistently(
                tries, lambda line: self._compared_with(digest, line, offset, length)
            )
        return self._persistently(tries, lambda connection: connection.read(offset, length))

    def _compared_with(
        self, digest: Callable[[Buffer], bytes], connection: Connection, offset: int, length: int
    ) -> bytes | bytearray:
        if connection.vouches:
            found = connection.read(offset, length)
        else:
            found, want = connection.read_with_digest(offset, length)
            if digest(found) != want:
                raise errors.ConnectionLost(
                    f"{self._shown}: {length} bytes at {offset} came with another digest"
                )
        with self._changed:
            self._compared.add(offset, offset + length)
        return found

    def _asked_parts(self, position: int, end: int) -> Iterator[Extent]:
        least = self._agreed.least
        while position < end:
            low = position // least * least
            high = min(low + _STATUS_BYTES, -(-end // least) * least, self.size)
            for length, zero in self._status(low, high - low):
                stop = min(low + length, high, end)
                if stop > position:
                    yield Extent(position, stop, zero)
                    position = stop
                low += length
                if low >= high:
                    break

    def _status(self, offset: int, length: int) -> list[tuple[int, bool]]:
        if self._agreed.context is None:
            return [(length, False)]
        tries = self._settings.retries.tries

        def ask(connection: Connection) -> list[tuple[int, bool]]:
            try:
                return connection.status(offset, length)
            except Failed as failure:
                log.info("a range without block status is read", extra={"cause": str(failure)})
                return [(length, False)]

        return self._persistently(tries, ask)

    # Connections.

    def _persistently(self, tries: int, work: Callable[[Connection], T]) -> T:
        """Do something with a connection, again and again if need be."""
        budget = retry.Budget(self._settings.retries, tries, self._settings.rng)
        while True:
            try:
                with self._connection() as connection:
                    return work(connection)
            except _RETRIED as failure:
                delay = budget.pause_after(failure)
                if delay is None:
                    raise self._settings.explain(failure) from failure
                log.info("a request is made again", extra={"cause": str(failure), "delay": delay})
                if self._cancel.wait(delay):
                    raise errors.Cancelled("the transfer was asked to stop") from None
            except errors.SourceError as failure:
                raise self._settings.explain(failure) from failure

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        """Lend a connection; it comes back unless it broke."""
        connection = self._taken()
        keep = False
        try:
            if connection is None:
                connection = self._connected()
            yield connection
            keep = True
        except Failed:
            keep = True
            raise
        finally:
            self._give_back(connection, keep=keep)

    def _taken(self) -> Connection | None:
        """Wait for a free connection; None is the right to make one."""
        with self._changed:
            while not self._free and self._open >= self._most:
                if self._cancel.is_set() or self._closed:
                    raise errors.Cancelled("the transfer was asked to stop")
                self._changed.wait(TICK)
            if self._closed:
                raise errors.Cancelled("the source is closed")
            if self._free:
                return self._free.pop()
            self._open += 1
            return None

    @property
    def _most(self) -> int:
        many = self._export is not None and self._export.multi_conn
        return self._settings.connections if many else 1

    def _give_back(self, connection: Connection | None, *, keep: bool) -> None:
        with self._changed:
            if connection is not None and keep and not self._closed:
                self._free.append(connection)
                connection = None
            else:
                self._open -= 1
            self._changed.notify()
        if connection is not None:
            connection.drop()

    def _connected(self) -> Connection:
        line = over(self._dial(), self._watch, self._shown)
        try:
            export = handshake.negotiate(line, self._settings.export)
            if self._export is not None and export.size != self._export.size:
                raise errors.SourceChanged(
                    f"{self._shown}: the disk's size changed while it was read; start again"
                )
        except BaseException:
            line.close()
            raise
        return Connection(line, export)
