"""
A digest of a source whose bytes arrive from many connections, in almost any order.

Here: the digest in a thread of its own, and units for the bytes that no disk format wants.
Elsewhere: the connections (`parallel`), the digests themselves (`digest`).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from cdi.images import digest as digests
from cdi.images import errors
from cdi.images.intervals import Intervals
from cdi.images.layout import OVERLAP, Unit
from cdi.images.transfer import verifying
from cdi.images.transfer.attempt import Attempt, Work
from cdi.images.transfer.journal import Journal
from cdi.images.transfer.meter import Meter
from cdi.images.writes import Buffer, Change

# Bytes that may wait for their turn to be hashed. A killed run has to fetch them again, so it is
# about a five-hundredth of the whole, within these bounds.
_BACKLOG_LEAST, _BACKLOG_MOST = 512 << 10, 8 << 20


class OutOfOrder(Exception):
    """The units are not in the order of the source, so that one pass cannot hash it."""


@contextmanager
def hashed(
    attempt: Attempt, job: Work, units: Iterator[Unit]
) -> Iterator[tuple[Iterator[Unit], OrderedDigest]]:
    """Yield what reads all of the source, and the digest that is to be offered what comes.

    Once the block has ended well, the digest is what it should be. Raises ChecksumMismatch; and
    NeedsScratch where the units are not in order.
    """
    digest, offset = verifying.begun(attempt.request, job.progress)
    taken = OrderedDigest(digest, offset, attempt.whole, job.journal, attempt.meter)
    try:
        yield tiled(units, offset, attempt.whole, attempt.bytes_at_once()), taken
        attempt.meter.stage = "verifying"
        verifying.verify(attempt, taken.hexdigest())
    except OutOfOrder:
        raise errors.NeedsScratch(
            "the image's clusters are not in file order, so that a digest takes a copy"
        ) from None
    finally:
        taken.close()


def tiled(units: Iterable[Unit], start: int, size: int, largest: int) -> Iterator[Unit]:
    """Yield `units` with units that decode to nothing in between, so that all bytes are read.

    Bytes before `start` need not be. Raises OutOfOrder when a unit lies before an earlier one.
    """
    at = start
    for unit in units:
        yield from _fillers(at, unit.start, largest)
        if unit.start < at - OVERLAP and at > start:
            raise OutOfOrder
        yield unit
        at = max(at, unit.end)
    yield from _fillers(at, size, largest)


def _fillers(start: int, end: int, largest: int) -> Iterator[Unit]:
    for at in range(start, end, largest):
        yield Unit(at, min(at + largest, end), (), _nothing)


def _nothing(pieces: Iterable[Buffer]) -> Iterator[Change]:
    deque(pieces, maxlen=0)
    return iter(())


class OrderedDigest:
    """A digest in a thread of its own, over pieces that come in almost any order.

    Whoever offers a piece too far ahead waits; the piece that is next never does, so there is
    always progress as long as every byte is offered by somebody.
    """

    def __init__(
        self, digest: digests.Digest, offset: int, size: int, journal: Journal, meter: Meter
    ) -> None:
        """`digest` has taken the first `offset` of `size` bytes."""
        self._digest, self._at, self._size = digest, offset, size
        self._journal, self._meter = journal, meter
        self._waiting: dict[int, bytes] = {}
        self._backlog, self._most = 0, max(_BACKLOG_LEAST, min(_BACKLOG_MOST, size >> 9))
        self._closed = False
        self._covered = Intervals([(0, offset)])
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="digest", daemon=True)
        self._thread.start()

    def offer(self, offset: int, piece: bytes) -> None:
        """Hand over bytes of the source at `offset`; what has been digested is ignored."""
        end = offset + len(piece)
        with self._changed:
            # Asked anew each time, since others fill gaps while this thread waits.
            while (gap := next(self._covered.missing(offset, end), None)) and not self._closed:
                low, high = gap
                if low != self._at and self._backlog >= self._most:
                    self._changed.wait()
                    continue
                self._covered.add(low, high)
                self._waiting[low] = piece[low - offset : high - offset]
                self._backlog += high - low
                self._changed.notify_all()

    def close(self) -> None:
        """Give up: nobody waits any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def hexdigest(self) -> str:
        """Wait for the last byte and return the digest. Raises OutOfOrder if bytes are missing."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._at >= self._size)
            if self._at < self._size:
                raise OutOfOrder
        return self._digest.hexdigest()

    def _work(self) -> None:
        try:
            self._digest_all()
        finally:
            self.close()

    def _digest_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closed or self._at in self._waiting or self._at >= self._size
                )
                if self._at not in self._waiting:
                    return
                piece = self._waiting.pop(self._at)
            began = time.perf_counter()
            self._digest.update(piece)
            self._meter.spent("digest", time.perf_counter() - began)
            with self._changed:
                self._at += len(piece)
                self._backlog -= len(piece)
                self._changed.notify_all()
            self._journal.digested(self._at, self._digest.state())
