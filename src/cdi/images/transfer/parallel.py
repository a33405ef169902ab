"""
Transfer a disk whose layout is known: many connections, each unit decoded and written on its own.

Every worker thread takes the next few units that adjoin in the source, fetches them with one
request, decodes and writes each one, and notes it in the journal. Nothing is handed from thread
to thread, so nothing is queued or copied between; the kernel's socket buffers keep the wire busy
while a worker decodes. How many workers there are follows from what more of them bring.

With a digest the whole source is read, in order, unreferenced parts included.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from cdi.images import digest as digests
from cdi.images.intervals import Intervals
from cdi.images.layout import SHARE, Change, Unit
from cdi.images.target import Target
from cdi.images.transfer.journal import Journal
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.pace import WINDOW, Pace
from cdi.images.transfer.pipeline import Splitter

# Bytes that may wait for their turn to be hashed. A killed run has to fetch them again, so it is
# about a five-hundredth of the whole, within these bounds.
_BACKLOG_LEAST, _BACKLOG_MOST = 512 << 10, 8 << 20
_NOTE_EVERY = 0.02  # seconds of work that a killed process may lose, per connection
_GAP = 16 << 10  # bytes between two units that are cheaper to fetch than to ask around


class OutOfOrder(Exception):
    """The units are not in the order of the source, so that one pass cannot hash it."""


@dataclass(frozen=True)
class ParallelPass:
    """Everything one such transfer needs."""

    fetch: Callable[[int, int], Iterator[bytes]]
    units: Iterator[Unit]
    target: Target
    journal: Journal
    meter: Meter
    request_bytes: int  # bytes to ask for at once
    connections: int  # at most so many
    halt: threading.Event  # set at a failure, so that the other workers do not wait for bytes
    ordered: OrderedDigest | None = None

    def run(self) -> None:
        """Transfer every unit. The first failure of any worker stops all, and is raised."""
        _Crew(self).run()


class _Crew:
    """The worker threads of one transfer."""

    def __init__(self, task: ParallelPass) -> None:
        self._task = task
        self._units = iter(task.units)
        self._ahead: Unit | None = None
        self._taking = threading.Lock()
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def run(self) -> None:
        pace = Pace(self._task.connections, time.monotonic())
        while True:
            meter = self._task.meter
            wanted = pace.look(time.monotonic(), meter.fetched, meter.waited(), len(self._threads))
            while len(self._threads) < wanted and not self._stop.is_set():
                self._hire()
            working = [thread for thread in self._threads if thread.is_alive()]
            if not working:
                break
            working[0].join(WINDOW if wanted < self._task.connections else 1.0)
        if self._failure is not None:
            raise self._failure

    def _hire(self) -> None:
        name = f"transfer-{len(self._threads)}"
        thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        try:
            while not self._stop.is_set() and (units := self._take()):
                self._transfer(units)
        except BaseException as error:  # noqa: BLE001 - raised again by run()
            with self._taking:
                self._failure = self._failure or error
            self._task.halt.set()
            if self._task.ordered is not None:
                self._task.ordered.close()
        finally:
            self._stop.set()  # no unit is left, or none may be taken any more

    def _take(self) -> list[Unit]:
        """Return the next units that adjoin, worth one request."""
        with self._taking:
            first = self._ahead or next(self._units, None)
            self._ahead = None
            if first is None:
                return []
            taken, end, unfolded = [first], first.end, first.unfolded
            while end - first.start < self._task.request_bytes and unfolded < SHARE:
                unit = next(self._units, None)
                if unit is None or not end - Splitter.OVERLAP <= unit.start <= end + _GAP:
                    self._ahead = unit
                    break
                taken.append(unit)
                end = max(end, unit.end)
                unfolded += unit.unfolded
            return taken

    def _transfer(self, units: list[Unit]) -> None:
        task = self._task
        start, end = units[0].start, max(unit.end for unit in units)
        pieces = Splitter(self._received(start, end), start)
        for unit in units:
            if self._stop.is_set() and self._failure is not None:
                return
            part = pieces.take(unit.start, unit.end)
            self._write(task.meter.timed("fetch+decode", unit.decode(part)))
            pieces.skip(part)
            if unit.covers:
                task.journal.done(unit.covers)
            task.meter.reached(unit.end)

    def _write(self, writes: Iterator[Change]) -> None:
        """Write what a unit holds; note parts of it where it comes slowly."""
        task, held, since = self._task, list[Change](), time.monotonic()
        for write in writes:
            held.append(write)
            if time.monotonic() - since > _NOTE_EVERY:
                task.target.write(held)
                task.journal.done(tuple((one.offset, one.end) for one in held))
                held, since = [], time.monotonic()
        task.target.write(held)

    def _received(self, start: int, end: int) -> Iterator[bytes]:
        task, offset = self._task, start
        for piece in task.meter.timed("fetch", task.fetch(start, end)):
            task.meter.received(len(piece))
            if task.ordered is not None:
                task.ordered.offer(offset, piece)
            offset += len(piece)
            yield piece


def tiled(units: Iterable[Unit], start: int, size: int, largest: int) -> Iterator[Unit]:
    """Yield `units` with units that decode to nothing in between, so that all bytes are read.

    Bytes before `start` need not be. Raises OutOfOrder when a unit lies before an earlier one.
    """
    at = start
    for unit in units:
        yield from _fillers(at, unit.start, largest)
        if unit.start < at - Splitter.OVERLAP and at > start:
            raise OutOfOrder
        yield unit
        at = max(at, unit.end)
    yield from _fillers(at, size, largest)


def shifted(units: Iterable[Unit], distance: int) -> Iterator[Unit]:
    """Yield units of a file that begins `distance` bytes into what is fetched."""
    for unit in units:
        yield dataclasses.replace(unit, start=unit.start + distance, end=unit.end + distance)


def _fillers(start: int, end: int, largest: int) -> Iterator[Unit]:
    for at in range(start, end, largest):
        yield Unit(at, min(at + largest, end), (), _nothing)


def _nothing(pieces: Iterable[bytes]) -> Iterator[Change]:
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
