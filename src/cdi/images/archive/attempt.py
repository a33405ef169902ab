"""
One archive, from a source into a directory: fetch, verify, unpack, commit.

Nothing of the archive is in its place before the bytes of the source have been read to their end
and their digest, if one was given, has been found right. After a failure nothing is left behind;
after a kill, what `partial` says.
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
from cdi.images.archive import moving
from cdi.images.archive.partial import Partial
from cdi.images.archive.unpack import Unpacking
from cdi.images.codecs.codec import Codec, codec_for
from cdi.images.formats import inspect, tar, unclaimed
from cdi.images.sources.source import Source, Unpacked, read
from cdi.images.sources.spec import SourceSpec
from cdi.images.target import target_error
from cdi.images.transfer import fetch, forward, pipeline
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.progress import StreamPoint
from cdi.images.transfer.request import Result
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
    except errors.TransferError:
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
        return {**done, "resumed": True}
    partial.begin()
    done = _unpack(wanted, source, partial, meter, halt)
    meter.stage = "syncing"
    partial.commit(key, done)
    return done


def _unpack(
    wanted: UnpackRequest, source: Source, partial: Partial, meter: Meter, halt: threading.Event
) -> dict[str, Any]:
    """Fill the tree and verify the source; return what was done, as the marker keeps it."""
    meter.stage = "transferring"
    codec, pieces = _opened(wanted, source, meter)
    tap = None
    if wanted.algorithm is not None:
        tap = forward.Tap(digests.new(wanted.algorithm), 0, lambda _at, _state: None, meter)
    with ExitStack() as stack:
        stack.callback(halt.set)  # before the threads are waited for
        tapped = pieces if tap is None else tap.pass_on(pieces, 0)
        fetched = stack.enter_context(closing(pipeline.ahead(tapped, forward.AHEAD, "fetch")))
        content = forward.content(codec, fetched, 0, StreamPoint(0, 0), meter)
        chunks: Iterator[forward.Chunk] = stack.enter_context(
            closing(pipeline.ahead(content, forward.AHEAD, "decompress"))
        )
        head, chunks, name = fetch.unwrapped(
            codec.name if codec else None, chunks, inspect.HEAD, stack
        )
        _insist_archive(head)
        unpacking = Unpacking(partial.tree, wanted.limit, halt)
        unpacking.run(tar.Walker(chunk.data for chunk in chunks))
    digest = None if tap is None else _verified(wanted, tap.hexdigest())
    return {
        "compression": name,
        "digest": digest,
        "size": unpacking.size,
        "entries": unpacking.entries,
        "written": unpacking.written,
        "resumed": False,
    }


def _opened(
    wanted: UnpackRequest, source: Source, meter: Meter
) -> tuple[Codec | None, Iterator[bytes]]:
    """Return the compression of a source, and all of its bytes in order."""
    if not source.ranged or not source.size:
        pieces = source.stream()
        first = fetch.beginning(pieces)
        codec = None if isinstance(source, Unpacked) else codec_for(first)
        return codec, fetch.received(chain((first,), pieces), 0, meter)
    codec = codec_for(read(source, 0, min(_HEAD, source.size)))
    pieces = fetch.in_order(source, 0, source.size, _REQUEST, wanted.connections, meter)
    return codec, fetch.received(pieces, 0, meter)


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
        written=0 if done["resumed"] else done["written"],
        digest=tuple(done["digest"]) if done["digest"] else None,
        resumed=done["resumed"],
        seconds=dict(meter.seconds),
    )
