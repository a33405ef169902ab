"""
Transfer a disk whose layout is known: many connections, each unit decoded and written on its own.

Every worker thread takes the next few units that adjoin in the source, fetches them with one
request, decodes and writes each one, and notes it in the journal. Nothing is handed from thread
to thread, so nothing is queued or copied between; the kernel's socket buffers keep the wire busy
while a worker decodes. How many workers there are follows from what more of them bring.

With a digest (`ordered`) the whole source is read, in order, unreferenced parts included.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from cdi.images.formats import native
from cdi.images.formats.image import Ranged, needs_copy
from cdi.images.layout import OVERLAP, SHARE, RandomLayout, Unit, shifted
from cdi.images.passing import Passing
from cdi.images.transfer.attempt import Attempt, Work, insist_fits
from cdi.images.transfer.result import Result
from cdi.images.transfer.threads import WINDOW, Pace
from cdi.images.writes import Change

UNIT_MOST = 1 << 20  # what a killed run has written and not noted, per worker
TABLE_READERS = 4

_NOTE_EVERY = 0.02  # seconds of work that a killed process may lose, per connection
_GAP = 16 << 10  # bytes between two units that are cheaper to fetch than to ask around

Offer = Callable[[int, bytes], None]  # an offset in the source, and what is there


def run(attempt: Attempt, head: bytes) -> Result:
    """Transfer a disk that is not compressed, and begins with `head`."""
    image = attempt.inspect(head, attempt.size, at_random=True)
    if not (image.native or image.flat):
        raise needs_copy(image)
    unit = min(attempt.bytes_at_once(), UNIT_MOST)
    ranged = Ranged(attempt.read, attempt.size, unit, TABLE_READERS)
    if image.layout is None:
        from cdi.images.formats import raw

        layout: RandomLayout = raw.layout_of(image, ranged)
    else:
        layout = image.layout(ranged)
    if attempt.request.algorithm is not None and native.streams_well(image.format):
        from cdi.images.transfer import one_pass

        return one_pass.forward_through(attempt)
    return at_random(attempt, image.format, layout)


def at_random(
    attempt: Attempt,
    name: str,
    layout: RandomLayout,
    compression: str | None = None,
    most: int | None = None,
) -> Result:
    """Transfer unit after unit, `most` of them at the same time if there is such a bound."""
    request, virtual_size = attempt.request, layout.virtual_size
    insist_fits(request, virtual_size)
    with attempt.open(virtual_size, attempt.earlier()) as job:
        units = layout.units(job.progress.done)
        if request.part is not None:
            units = shifted(units, request.part.start)
        attempt.meter.stage = "transferring"
        workers = min(request.connections, most or request.connections)
        if request.algorithm is None:
            _Crew(attempt, job, units, workers).run()
        else:
            from cdi.images.transfer import ordered

            with ordered.hashed(attempt, job, units) as (all_units, digest):
                _Crew(attempt, job, all_units, workers, digest.offer, digest.close).run()
        return attempt.finish(job, name, compression, virtual_size)


class _Crew:
    """The worker threads of one transfer."""

    def __init__(
        self,
        attempt: Attempt,
        job: Work,
        units: Iterator[Unit],
        most: int,
        offer: Offer | None = None,
        give_up: Callable[[], None] = lambda: None,
    ) -> None:
        """At most so many threads; whoever is `offer`ed what comes stops waiting at `give_up`."""
        self._attempt, self._job, self._meter = attempt, job, attempt.meter
        self._units, self._most = units, most
        self._offer, self._give_up = offer, give_up
        self._ahead: Unit | None = None
        self._taking = threading.Lock()
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def run(self) -> None:
        """Transfer every unit. The first failure of any worker stops all, and is raised."""
        pace = Pace(self._most, time.monotonic(), self._attempt.request.at_first)
        while True:
            meter = self._meter
            wanted = pace.look(time.monotonic(), meter.fetched, meter.waited(), len(self._threads))
            while len(self._threads) < wanted and not self._stop.is_set():
                self._hire()
            working = [thread for thread in self._threads if thread.is_alive()]
            if not working:
                break
            working[0].join(WINDOW if wanted < self._most else 1.0)
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
            self._attempt.halt.set()  # so that the other workers do not wait for bytes
            self._give_up()
        finally:
            self._stop.set()  # no unit is left, or none may be taken any more

    def _take(self) -> list[Unit]:
        """Return the next units that adjoin, worth one request."""
        with self._taking:
            first = self._ahead or next(self._units, None)
            self._ahead = None
            if first is None:
                return []
            taken, end, unfolded = [first], first.end, unfolded_by(first)
            most = self._attempt.bytes_at_once()
            while end - first.start < most and unfolded < SHARE:
                unit = next(self._units, None)
                if unit is None or not end - OVERLAP <= unit.start <= end + _GAP:
                    self._ahead = unit
                    break
                taken.append(unit)
                end = max(end, unit.end)
                unfolded += unfolded_by(unit)
            return taken

    def _transfer(self, units: list[Unit]) -> None:
        start, end = units[0].start, max(unit.end for unit in units)
        passing = Passing(start, self._received(start, end))
        for unit in units:
            if self._stop.is_set() and self._failure is not None:
                return
            pieces = passing.arriving(unit.start, unit.end)
            self._write(self._meter.timed("fetch+decode", unit.decode(pieces)))
            deque(pieces, maxlen=0)  # what the format has no use for
            if unit.covers:
                self._job.journal.done(unit.covers)
            self._meter.reached(unit.end)

    def _write(self, writes: Iterator[Change]) -> None:
        """Write what a unit holds; note parts of it where it comes slowly."""
        job, held, since = self._job, list[Change](), time.monotonic()
        for write in writes:
            held.append(write)
            if time.monotonic() - since > _NOTE_EVERY:
                job.journal.done(job.target.write(held))
                held, since = [], time.monotonic()
        job.target.write(held)

    def _received(self, start: int, end: int) -> Iterator[bytes]:
        offset = start
        for piece in self._meter.timed("fetch", self._attempt.source.stream(start, end)):
            self._meter.received(len(piece))
            if self._offer is not None:
                self._offer(offset, piece)
            offset += len(piece)
            yield piece


def unfolded_by(unit: Unit) -> int:
    """Return how many guest bytes the host bytes of a unit decode to."""
    return sum(end - start for start, end in unit.covers) if unit.start < unit.end else 0
