"""
How far an unpacking is, as a document, and when it is kept.

Here: what a later run needs to go on: where the source's content can be begun anew, the walk over
the archive, what is known of directories, the digest so far. Elsewhere: where the document lies
(`partial`). Every doubt means that nothing was noted. Raises OSError.
"""

from __future__ import annotations

import base64
import dataclasses
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from cdi.images.archive import tree
from cdi.images.archive.partial import Partial
from cdi.images.archive.unpack import Unpacked
from cdi.images.codecs.decoder import Restart
from cdi.images.formats import tar
from cdi.images.transfer.forward import Chunk

log = logging.getLogger(__name__)

EVERY: Final = 16 << 20  # bytes of the archive that a kill may cost
DURABLY_EVERY: Final = 5.0  # seconds of work that a power cut may cost

Digested = tuple[int, bytes | None]  # bytes of the source, and the state of their digest


@dataclass(frozen=True, slots=True)
class Place:
    """Where to go on. `restart` is in the source, at or before where the archive was read to."""

    restart: Restart
    compression: str | None  # of the source, all layers of it
    digested: Digested | None  # if a digest is computed
    unpacked: Unpacked


class Passing:
    """Content on its way, with the latest place in it at which one can begin anew."""

    def __init__(self, chunks: Iterable[Chunk], restart: Restart | None) -> None:
        self._chunks = chunks
        self.restart = restart

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.restart = chunk.restart or self.restart
            yield chunk.data


class Keeping:
    """Keeps, now and then, how far the unpacking of one archive is; see `unpack.Notes`."""

    def __init__(
        self,
        partial: Partial,
        key: dict[str, Any],
        compression: str | None,
        passing: Passing,
        digested: Callable[[], Digested | None],
    ) -> None:
        self._partial, self._key, self._compression = partial, key, compression
        self._passing, self._digested = passing, digested
        self._kept_at = passing.restart.output if passing.restart else 0
        self._durable_at = time.monotonic()

    def are_due(self, position: int) -> bool:
        """Whether enough of the archive has been read since the last time."""
        return position - self._kept_at >= EVERY

    def keep(self, unpacked: Unpacked) -> bool:
        """Keep it, if one could go on there; what is on storage for certain less often."""
        restart, digested = self._passing.restart, self._digested()
        if restart is None or (digested is not None and digested[1] is None):
            return False
        self._kept_at = unpacked.standing.at
        place = Place(restart, self._compression, digested, unpacked)
        said = {"archive": self._key, "place": _document_of(place)}
        durable = time.monotonic() - self._durable_at >= DURABLY_EVERY
        self._partial.note(said, durable=durable)
        if durable:
            self._durable_at = time.monotonic()
        return True

    def forget(self) -> None:
        """Nothing that was kept holds any more."""
        self._partial.forget_notes()


class Nowhere:
    """Keeps nothing: of a source without a version nobody could tell whether it is the same."""

    def are_due(self, position: int) -> bool:
        del position
        return False

    def keep(self, unpacked: Unpacked) -> bool:
        del unpacked
        return False

    def forget(self) -> None: ...


def found(partial: Partial, key: dict[str, Any]) -> Place | None:
    """Return where an earlier run for the archive `key` has come to, None if nobody knows."""
    for said in partial.noted():
        if said.get("archive") != key:
            continue
        try:
            return _place_of(said["place"])
        except (LookupError, TypeError, ValueError) as wrong:
            log.warning("notes of an unpacking make no sense", extra={"cause": repr(wrong)})
    return None


def _document_of(place: Place) -> dict[str, Any]:
    unpacked, restart = place.unpacked, place.restart
    standing, digested = unpacked.standing, place.digested
    return {
        "restart": [restart.source, restart.output, restart.detail, _text(restart.state)],
        "compression": place.compression,
        "digested": None if digested is None else [digested[0], _text(digested[1] or b"")],
        "at": standing.at,
        "headers": standing.headers,
        "records": {name: _text(value) for name, value in standing.records.items()},
        "entry": None if standing.entry is None else dataclasses.asdict(standing.entry),
        "done": [unpacked.entries, unpacked.size, unpacked.written],
        "folders": [
            [[_text(part) for part in path], facts.mode, facts.mtime]
            for path, facts in unpacked.folders.items()
        ],
    }


def _place_of(said: dict[str, Any]) -> Place:
    source, output, detail, state = said["restart"]
    entries, size, written = said["done"]
    entry = said["entry"]
    standing = tar.Standing(
        said["at"],
        said["headers"],
        {name: _bytes(value) for name, value in said["records"].items()},
        None if entry is None else tar.Entry(**{**entry, "kind": tar.Kind(entry["kind"])}),
    )
    folders = {_path(path): tree.Facts(mode, mtime) for path, mode, mtime in said["folders"]}
    digested = said["digested"]
    return Place(
        Restart(source, output, detail, _bytes(state)),
        said["compression"],
        None if digested is None else (digested[0], _bytes(digested[1])),
        Unpacked(standing, entries, size, written, folders),
    )


def _path(parts: list[str]) -> tuple[bytes, ...]:
    """Read a path back; the document lies where others may write. Raises ValueError."""
    path = tuple(map(_bytes, parts))
    if any(part in (b"", b".", b"..") or b"/" in part for part in path):
        raise ValueError("a directory leads elsewhere")
    return path


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
