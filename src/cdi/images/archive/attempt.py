"""
One archive, from a source into a directory: fetch, verify, unpack, commit.

Nothing of the archive is in its place before the bytes of the source have been read to their end
and their digest, if one was given, has been found right. After a failure nothing is left behind,
but where the source could not be read and may be another time: then, and after a kill, what
`partial` says.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from cdi.images import digest as digests
from cdi.images import errors
from cdi.images.archive import moving, places
from cdi.images.archive.partial import Partial
from cdi.images.archive.unpack import Unpacking
from cdi.images.codecs.codec import Codec, codec_for, codec_named
from cdi.images.formats import inspect, tar, unclaimed
from cdi.images.sources.source import Continued, Source, Unpacked, read
from cdi.images.sources.spec import SourceSpec
from cdi.images.target import target_error
from cdi.images.transfer import fetch, forward, pipeline
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.progress import StreamPoint
from cdi.images.transfer.result import Result
from cdi.images.transfer.threads import Halt

log = logging.getLogger(__name__)

_HEAD = 64 << 10  # of the source, to tell its compression
_REQUEST = 1 << 20  # bytes asked for at a time


@dataclass(frozen=True)
class UnpackRequest:
    """One archive wanted in one directory."""

    # Opens the source, whose waits end when the event is set; called again if it changed.
    source: Callable[[threading.Event], Source]
    directory: Path
    limit: int | None = None  # bytes of files that are accepted; None: what the volume has
    checksum: tuple[str, str] | None = None  # algorithm and lower-case hex digits, of the source
    sha256: bool = False  # report the source's sha256
    connections: int = 16  # at most
    # Called with what will be answered, when every file is in its place, durably.
    committing: Callable[[Result], None] = lambda _: None

    @property
    def algorithm(self) -> str | None:
        """Which digest of the source is computed, if any."""
        if self.checksum is not None:
            return self.checksum[0]
        return "sha256" if self.sha256 else None

    def of(self, spec: SourceSpec) -> UnpackRequest:
        """Return the same for the source in `spec`. Raises InvalidRequest for a disk."""
        if spec.part is not None or spec.as_is or spec.update:
            raise errors.InvalidRequest("the source holds a disk and no archive")
        if self.checksum and spec.checksum and self.checksum != spec.checksum:
            raise errors.InvalidRequest(
                "the source is verified by a digest of its own already; leave the checksum out"
            )
        checksum = self.checksum or spec.checksum
        return dataclasses.replace(self, source=spec.open, checksum=checksum)


def run(wanted: UnpackRequest, meter: Meter, cancel: threading.Event) -> Result:
    """Unpack the archive. Raises TransferError; Cancelled soon after `cancel` is set."""
    with Partial(wanted.directory) as partial:
        try:
            return _run_once(wanted, partial, meter, cancel)
        except errors.SourceChanged as error:
            log.warning("source changed, starting anew", extra={"cause": str(error)})
            return _run_once(wanted, partial, meter, cancel)


def clear(directory: Path) -> None:
    """Remove what an unpacking left that was stopped after it had committed."""
    with Partial(directory) as partial:
        partial.remove()


def _run_once(
    wanted: UnpackRequest, partial: Partial, meter: Meter, cancel: threading.Event
) -> Result:
    halt = Halt(cancel)
    source = wanted.source(halt)
    meter.total = source.size
    try:
        done = prepare(wanted, source, partial, meter, halt)
        moving.move(partial.tree, partial.root)
        partial.settle()
        wanted.committing(_result(done, meter))
        partial.finish()
    except OSError as error:
        raise target_error(error, str(wanted.directory)) from error
    except errors.Cancelled:
        raise  # there may be little time: the next run clears up
    except errors.TransferError as error:
        if not _may_go_on(error, source):
            partial.remove()
        raise
    finally:
        halt.set()
        source.close()
    return _result(done, meter)


def prepare(
    wanted: UnpackRequest, source: Source, partial: Partial, meter: Meter, halt: threading.Event
) -> dict[str, Any]:
    """Have the archive complete, verified and durable in `partial`, none of it in its place.

    What an earlier run has prepared is taken. Returns what was done.
    """
    key = _key(wanted, source)
    done = partial.verified(key) if source.identity.version else None
    if done is not None:
        log.info("an earlier run had unpacked and verified everything")
        return {**done, "written": 0, "resumed": True}
    place = places.found(partial, key) if _can_go_on(source) else None
    place = _begun(partial, place)
    done = _unpack(wanted, source, _Into(partial, key, place), meter, halt)
    meter.stage = "syncing"
    partial.commit(key, done)
    return done


@dataclass(frozen=True, slots=True)
class _Into:
    """What is unpacked into, for the archive `key`; `place` is where to go on."""

    partial: Partial
    key: dict[str, Any]
    place: places.Place | None


def _may_go_on(error: errors.TransferError, source: Source) -> bool:
    """Whether a later run may find what is there of use."""
    unread = isinstance(error, errors.SourceError) and error.kind is errors.Kind.TRANSIENT
    return unread and _can_go_on(source)


def _can_go_on(source: Source) -> bool:
    """Whether a source can be read from the middle, and is known to be the same then."""
    return bool(source.identity.version) and (source.ranged or isinstance(source, Continued))


def _begun(partial: Partial, place: places.Place | None) -> places.Place | None:
    """Take what an earlier run has left, or begin; return where to go on."""
    if place is not None:
        try:
            partial.go_on()
        except OSError as error:
            log.warning("what was unpacked is gone", extra={"cause": str(error)})
        else:
            log.info("goes on where an earlier run has come to")
            return place
    partial.begin()
    return None


class _Digest:
    """The digest of a source, if one is wanted, as it is computed while bytes pass."""

    def __init__(self, algorithm: str | None, before: places.Digested | None, meter: Meter) -> None:
        self.so_far = before
        self._tap: forward.Tap | None = None
        if algorithm is not None:
            at, state = before or (0, None)
            self._tap = forward.Tap(digests.new(algorithm, state), at, self._note, meter)
            self.so_far = before or (0, None)

    def _note(self, offset: int, state: bytes | None) -> None:
        self.so_far = (offset, state)

    def tapped(self, pieces: Iterator[bytes], start: int) -> Iterator[bytes]:
        """Yield `pieces`, which begin at `start` of the source."""
        return pieces if self._tap is None else self._tap.pass_on(pieces, start)

    def verified(self, wanted: UnpackRequest) -> tuple[str, str] | None:
        """Return the digest, None if none was wanted. Raises ChecksumMismatch."""
        return None if self._tap is None else _verified(wanted, self._tap.hexdigest())


def _unpack(
    wanted: UnpackRequest, source: Source, into: _Into, meter: Meter, halt: threading.Event
) -> dict[str, Any]:
    """Fill the tree and verify the source; return what was done, as the marker keeps it."""
    meter.stage = "transferring"
    place, may_go_on = into.place, _can_go_on(source)
    codec, start, pieces = _opened(wanted, source, place, meter)
    digest = _Digest(wanted.algorithm, place.digested if place else None, meter)
    with ExitStack() as stack:
        stack.callback(halt.set)  # before the threads are waited for
        tapped = digest.tapped(pieces, start)
        fetched = stack.enter_context(closing(pipeline.ahead(tapped, forward.AHEAD, "fetch")))
        point = _point_of(place)
        marking = may_go_on and not source.ranged
        content = forward.content(codec, fetched, start, point, meter, marking=marking)
        chunks: Iterator[forward.Chunk] = stack.enter_context(
            closing(pipeline.ahead(content, forward.AHEAD, "decompress"))
        )
        if place is None:
            head, chunks, name = fetch.unwrapped(
                codec.name if codec else None, chunks, inspect.HEAD, stack
            )
            _insist_archive(head)
        else:
            name = place.compression
        passing = places.Passing(chunks, place.restart if place else None)
        notes = _notes(into, name, passing, digest) if may_go_on else places.Nowhere()
        begun = place.unpacked if place else None
        unpacking = Unpacking(into.partial.tree, wanted.limit, halt, notes, begun)
        standing = begun.standing if begun else None
        unpacking.run(tar.Walker(iter(passing), point.output, standing=standing))
    return {
        "compression": name,
        "digest": digest.verified(wanted),
        "size": unpacking.size,
        "entries": unpacking.entries,
        "written": unpacking.written - (begun.written if begun else 0),
        "resumed": place is not None,
    }


def _notes(
    into: _Into, compression: str | None, passing: places.Passing, digest: _Digest
) -> places.Keeping:
    return places.Keeping(into.partial, into.key, compression, passing, lambda: digest.so_far)


def _point_of(place: places.Place | None) -> StreamPoint:
    if place is None:
        return StreamPoint(0, 0)
    restart = place.restart
    return StreamPoint(restart.source, restart.output, restart.detail, state=restart.state)


def _opened(
    wanted: UnpackRequest, source: Source, place: places.Place | None, meter: Meter
) -> tuple[Codec | None, int, Iterator[bytes]]:
    """Return the compression of a source, where its bytes begin that are read, and those."""
    if place is not None:
        codec = codec_named(place.compression) if place.compression else None
        start = place.restart.source
        if place.digested is not None:
            start = min(start, place.digested[0])
        return codec, start, fetch.received(_from(wanted, source, start, meter), start, meter)
    if not source.ranged or not source.size:
        pieces = source.stream()
        first = fetch.beginning(pieces)
        codec = None if isinstance(source, Unpacked) else codec_for(first)
        return codec, 0, fetch.received(chain((first,), pieces), 0, meter)
    codec = codec_for(read(source, 0, min(_HEAD, source.size)))
    return codec, 0, fetch.received(_from(wanted, source, 0, meter), 0, meter)


def _from(wanted: UnpackRequest, source: Source, start: int, meter: Meter) -> Iterator[bytes]:
    if not source.ranged or not source.size:
        return source.stream(start)
    return fetch.in_order(source, start, source.size, _REQUEST, wanted.connections, meter)


def _insist_archive(head: bytes) -> None:
    """Raise NotAnArchive for anything else, in words that tell what it is."""
    if tar.matches(head):
        return
    # An archive of nothing is a few blocks of zeros; so is the beginning of many a disk.
    if head and not any(head) and len(head) < inspect.HEAD:
        return
    raise errors.NotAnArchive(
        f"the source is no tar archive, it looks like {_guess(head)}; check the URL, or leave "
        "out the content type archive if it is a disk"
    )


def _guess(head: bytes) -> str:
    if seen := unclaimed.looks_like(head):
        return seen
    try:
        return f"a {inspect.inspect(head, None).format} disk"
    except errors.TransferError:
        return "something that cannot be read here"


def _verified(wanted: UnpackRequest, got: str) -> tuple[str, str]:
    algorithm = wanted.algorithm or "sha256"
    if wanted.checksum is not None and wanted.checksum[1] != got:
        raise errors.ChecksumMismatch(algorithm, wanted.checksum[1], got)
    return algorithm, got


def _key(wanted: UnpackRequest, source: Source) -> dict[str, Any]:
    return {
        "source": dataclasses.asdict(source.identity),
        "algorithm": wanted.algorithm,
        "checksum": None if wanted.checksum is None else wanted.checksum[1],
    }


def _result(done: dict[str, Any], meter: Meter) -> Result:
    return Result(
        format="tar",
        compression=done["compression"],
        virtual_size=done["size"],
        size=done["size"],
        fetched=meter.fetched,
        written=done["written"],
        digest=tuple(done["digest"]) if done["digest"] else None,
        resumed=done["resumed"],
        seconds=dict(meter.seconds),
    )
