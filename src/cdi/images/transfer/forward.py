"""
The stages of one forward pass: hash, decompress, look, decode, write.

For sources that cannot be read at random, and for compressed files. Each stage is an iterable;
`one_pass` gives the slow ones threads of their own.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from cdi.images import digest as digests
from cdi.images import errors
from cdi.images.codecs.codec import Codec
from cdi.images.codecs.decoder import Decoder, Restart
from cdi.images.formats import native
from cdi.images.layout import ForwardDecoder, Part
from cdi.images.transfer import pipeline
from cdi.images.transfer.attempt import Work
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.progress import StreamPoint
from cdi.images.writes import Change

AHEAD = 8 << 20  # bytes that may wait between two stages

_ZEROS = bytes(1 << 20)
_BATCH = 2 << 20  # guest bytes that a thread unpacks and writes at a time
_WRITERS = min(4, 1 + (os.cpu_count() or 1))  # one may wait for the disk
_LAST_WRITES = 1.0  # seconds that a pass which ends early may wait for what is being written
_PLACE_EVERY = 16 << 20  # content bytes between two notes of a place to begin anew
# The same while the disk's end is held back for the sake of notes on the device: it is the last
# that most disks write, and with those that do not, a new pod is rarer than so many bytes.
_LATER_EVERY = 64 << 20
# The state of a large image takes some 10 ms to write down: no more than this share of the time.
_NOTING = 0.02


@dataclass(frozen=True, slots=True)
class Chunk:
    """Content bytes; `restart` is set where decoding can begin anew right before them."""

    data: bytes
    restart: Restart | None = None

    def __len__(self) -> int:
        return len(self.data)


class Tap:
    """Hashes the bytes that pass by. `offset` bytes are in the digest already."""

    def __init__(
        self,
        digest: digests.Digest,
        offset: int,
        note: Callable[[int, bytes | None], None],
        meter: Meter,
    ) -> None:
        self._digest, self._note, self._meter = digest, note, meter
        self._at = offset

    def pass_on(self, pieces: Iterable[bytes], offset: int) -> Iterator[bytes]:
        """Yield `pieces`, which begin at `offset` of the source, hashing what is new."""
        for piece in pieces:
            offset += len(piece)
            fresh = offset - self._at
            if fresh > 0:
                began = time.perf_counter()
                self._digest.update(piece[-fresh:] if fresh < len(piece) else piece)
                self._meter.spent("digest", time.perf_counter() - began)
                self._at = offset
                self._note(offset, self._digest.state())
            yield piece

    def hexdigest(self) -> str:
        """The digest of all that has passed."""
        return self._digest.hexdigest()


def content(
    codec: Codec | None,
    pieces: Iterable[bytes],
    start: int,
    point: StreamPoint,
    meter: Meter,
    *,
    marking: bool = False,
) -> Iterator[Chunk]:
    """Yield what `pieces`, which begin at `start` of the source, hold from `point` on.

    Without a codec that is the pieces themselves, and every one a place to begin anew. `marking` is
    for transfers that are likely to be interrupted; see `Codec.decoder`.
    """
    pieces = _behind(pieces, point.source - start)
    if codec is None:
        offset = point.source
        for piece in pieces:
            yield Chunk(piece, Restart(offset, offset))
            offset += len(piece)
        return
    at = None
    if point.source:
        at = Restart(point.source, point.output, point.detail, point.state)
    decoder = codec.decoder(at, marking=marking)
    yield from _marked(meter.timed("decompress", _decoded(decoder, pieces)), decoder, point.output)


def content_again(codec: Codec, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield what compressed content holds; there is no place to begin anew inside."""
    return map(Chunk, _decoded(codec.decoder(), (chunk.data for chunk in chunks)))


def cut_out(part: Part, chunks: Iterable[Chunk], at: int, *, drain: bool) -> Iterator[Chunk]:
    """Yield the file `part` of content whose `chunks` begin at `at`; `drain` reads on to the end.

    Places to begin anew are passed on, but for a sparse file, whose holes are filled in. Raises
    TruncatedSource if the content ends within the file.
    """
    stored = _within(part, chunks, at, drain=drain)
    return stored if part.extents is None else _filled(part, part.extents, stored)


def _within(part: Part, chunks: Iterable[Chunk], at: int, *, drain: bool) -> Iterator[Chunk]:
    end = part.start + part.stored
    for chunk in chunks:
        start, at = at, at + len(chunk)
        if start >= end:
            if drain:
                continue
            return
        low, high = max(part.start - start, 0), min(end - start, len(chunk))
        if low < high:
            whole = low == 0 and high == len(chunk)
            yield chunk if whole else Chunk(chunk.data[low:high], None if low else chunk.restart)
    if at < end:
        raise errors.TruncatedSource(f"the source ended {end - at} bytes before the disk in it did")


def _filled(
    part: Part, extents: Iterable[tuple[int, int]], stored: Iterable[Chunk]
) -> Iterator[Chunk]:
    """Yield a sparse file whole, from what is stored of it."""
    at, rest, pieces = 0, b"", (chunk.data for chunk in stored)
    for offset, length in extents:
        yield from _hole(offset - at)
        at, end = offset, offset + length
        while at < end:
            rest = rest or next(pieces, b"")
            if not rest:
                raise errors.TruncatedSource("the source ended before the disk in it did")
            piece, rest = rest[: end - at], rest[end - at :]
            yield Chunk(piece)
            at += len(piece)
    yield from _hole(part.size - at)
    deque(pieces, maxlen=0)  # what follows in the source may still have to be hashed


def _hole(length: int) -> Iterator[Chunk]:
    while length > 0:
        count = min(length, len(_ZEROS))
        yield Chunk(_ZEROS if count == len(_ZEROS) else _ZEROS[:count])
        length -= count


def peek(chunks: Iterator[Chunk], count: int) -> tuple[bytes, Iterator[Chunk]]:
    """Return up to `count` first content bytes, and all chunks, the ones looked at included."""
    seen: list[Chunk] = []
    held = 0
    for chunk in chunks:
        seen.append(chunk)
        held += len(chunk)
        if held >= count:
            break
    return b"".join(chunk.data for chunk in seen)[:count], chain(seen, chunks)


class Disk:
    """A format's forward decoder, with the name that restores it from a journal."""

    def __init__(self, name: str, state: bytes | None = None) -> None:
        self.name = name
        self.decoder: ForwardDecoder = native.decoder_of(name, state)

    @classmethod
    def restored(cls, state: bytes) -> Disk:
        """Return the disk that gave this `snapshot`."""
        name, _, rest = state.partition(b"\n")
        return cls(name.decode(), rest)

    def snapshot(self) -> bytes | None:
        """Everything needed to continue, or None where that is not possible just now."""
        state = self.decoder.snapshot()
        return None if state is None else self.name.encode() + b"\n" + state


def write(
    chunks: Iterable[Chunk],
    disk: Disk,
    work: Work,
    insist_fits: Callable[[int], None],
    codec: str | None,
) -> int:
    """Decode and write all of `chunks`; return the disk's virtual size.

    `insist_fits` is called with what is known of the size, and raises TooSmall. Notes in the
    journal where a later run can begin anew; `codec` is the source's compression.
    """
    decoder, length = disk.decoder, 0
    with (
        pipeline.Crew(work.target.write, _WRITERS, "write") as crew,
        _Places(work, crew, disk, codec) as places,
    ):
        for chunk in chunks:
            places.pass_by(chunk.restart)
            for batch in _batches(decoder.feed(chunk.data)):
                length = max(length, *(item.end for item in batch))
                insist_fits(decoder.virtual_size or length)
                crew.put(batch)
        for batch in _batches(decoder.finish()):
            crew.put(batch)
        crew.wait()
    if decoder.virtual_size is None:
        raise errors.TruncatedSource("the source ended before the disk's header was complete")
    insist_fits(decoder.virtual_size)
    return decoder.virtual_size


class _Places:
    """Notes places to begin anew, once all that lies before them has been written.

    Nobody waits for that. Use as a context manager: leaving it notes the last place if it can.
    """

    def __init__(
        self, work: Work, crew: pipeline.Crew[Iterable[Change]], disk: Disk, codec: str | None
    ) -> None:
        self._work, self._crew, self._disk, self._codec = work, crew, disk, codec
        self._passed = 0  # content bytes before the latest place that was, or is to be, noted
        self._not_before = 0.0
        self._next: tuple[StreamPoint, pipeline.Begun] | None = None

    def __enter__(self) -> _Places:
        return self

    def __exit__(self, *_: object) -> None:
        if self._next is not None:
            self._next[1].wait(_LAST_WRITES)
            self._note_next()

    def pass_by(self, place: Restart | None) -> None:
        """Content from `place` on comes next, if decoding could begin there."""
        self._note_next()
        if place is None or self._next is not None or not self._is_due(place):
            return
        if time.monotonic() < self._not_before:
            return
        state = self._state()
        if state is None:
            return
        self._next = self._point_at(place, state), self._crew.begun()
        if not self._work.target.holds_content:
            self._passed = place.output
            return
        self._crew.wait()
        if self._is_due(place):  # what is held may have become less, or more
            self._passed = place.output
            self._note_next()
        self._next = None

    def _state(self) -> bytes | None:
        began = time.thread_time()
        state = self._disk.snapshot()
        self._not_before = time.monotonic() + (time.thread_time() - began) / _NOTING
        return state

    def _is_due(self, place: Restart) -> bool:
        """Whether it is far enough from the place before."""
        every = _LATER_EVERY if self._work.target.holds_content else _PLACE_EVERY
        return place.output - self._passed >= every

    def _note_next(self) -> None:
        """Note the next place if all before it is written, and where it belongs."""
        if self._next is None or not self._next[1].is_done:
            return
        point, _ = self._next
        self._next = None
        if self._work.target.holds_content:
            self._work.journal.let_go(self._work.target.let_go)
        if put := self._work.target.put():
            self._work.journal.done(put)
        self._work.journal.at(point)

    def _point_at(self, place: Restart, state: bytes) -> StreamPoint:
        return StreamPoint(
            place.source, place.output, place.detail, state, self._codec, place.state
        )


def _batches(changes: Iterable[Change]) -> Iterator[list[Change]]:
    """Put together what one thread had better write at once."""
    batch: list[Change] = []
    held = 0
    for change in changes:
        batch.append(change)
        held += change.end - change.offset
        if held >= _BATCH:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _behind(pieces: Iterable[bytes], skip: int) -> Iterator[bytes]:
    """Leave out the first `skip` bytes."""
    for piece in pieces:
        if skip >= len(piece):
            skip -= len(piece)
            continue
        yield piece[skip:] if skip else piece
        skip = 0


def _decoded(decoder: Decoder, pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield from decoder.feed(piece)
    yield from decoder.finish()


def _marked(content: Iterable[bytes], decoder: Decoder, output: int) -> Iterator[Chunk]:
    """Mark each piece of content that begins at a new restart point."""
    seen = decoder.restart
    for data in content:
        here = decoder.restart
        fresh = here if here is not None and here != seen and here.output == output else None
        seen = here
        yield Chunk(data, fresh)
        output += len(data)
