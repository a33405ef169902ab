"""
What every decoder promises, and the frame in which all of ours are written.

A decoder is pushed: it takes pieces of a compressed object of any size and yields decompressed
pieces of at most PIECE bytes as soon as they exist, so a few kilobytes that unfold into
terabytes cost no more memory than honest ones. `Scripted` turns that around for the authors of
decoders: they write one sequential script that reads on, and is suspended where input is short.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from cdi.images import errors

PIECE = 1 << 20  # the largest piece a decoder yields
SLICE = 1 << 16  # most input handed to a library at once: what follows a stream's end is copied
MEMORY = 160 << 20  # most a stream may ask for: admits windows of 128 MiB, the largest in use

Script: TypeAlias = Generator[bytes | None, None, None]  # None: suspended until input arrives


@dataclass(frozen=True, slots=True)
class Restart:
    """A point where decoding can begin anew, without anything that came before it.

    `source` counts in the compressed object, `output` in the decompressed one. `detail` and `state`
    are what else the codec must know to begin there; they have to be kept with the rest.
    """

    source: int
    output: int
    detail: int = 0
    state: bytes = b""


@dataclass(frozen=True, slots=True)
class Block:
    """Compressed bytes [start, end) that decode alone to [output_start, output_end)."""

    start: int
    end: int
    output_start: int
    output_end: int
    detail: int = 0  # as in Restart
    memory: int = 0  # bytes of a dictionary or window, as far as the table and its object tell

    @property
    def first(self) -> Restart:
        return Restart(self.start, self.output_start, self.detail)

    @property
    def last(self) -> Restart:
        return Restart(self.end, self.output_end, self.detail)


class Decoder(Protocol):
    """One pass over a compressed object. What `feed` returns must be exhausted before the next."""

    @property
    def restart(self) -> Restart | None:
        """The latest point passed; everything before its `output` has been yielded already."""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """Take the next bytes and yield what they decompress to. Raises ContentError."""

    def finish(self) -> Iterator[bytes]:
        """The object has ended: yield the rest. TruncatedSource if the stream is incomplete."""

    def close(self) -> None:
        """Give back its memory, which may be large; nothing can be fed any more."""


class Scripted(ABC):
    """A decoder written as a script that reads its input in order.

    A script that began at a `Restart` has that as `self.restart` from the start, and may find
    the object ending there.
    """

    name: ClassVar[str]

    def __init__(self, at: Restart | None = None) -> None:
        self.restart = at
        self._output = at.output if at else 0  # yielded so far
        self._base = at.source if at else 0  # where _view begins in the object
        self._view = memoryview(b"")
        self._position = 0  # in _view
        self._ended = False
        self._failed = False
        self._script = self._decode()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        self._base += len(self._view)
        self._view = memoryview(piece)
        self._position = 0
        yield from self._advance()

    def finish(self) -> Iterator[bytes]:
        self._ended = True
        yield from self._advance()

    def close(self) -> None:
        # The script refers to this object: left alone, both would wait for the garbage collector.
        self._script.close()
        self._view = memoryview(b"")

    @abstractmethod
    def _decode(self) -> Script:
        """Read the whole object; yield its output, and None to wait for input."""

    def _advance(self) -> Iterator[bytes]:
        if self._failed:
            raise self.corrupt("decoding had failed before")
        self._failed = True  # until this step has ended well
        for out in self._script:
            if out is None:
                break
            self._output += len(out)
            yield out
        self._failed = False

    @property
    def _offset(self) -> int:
        """How much of the compressed object has been read."""
        return self._base + self._position

    def _mark(self, detail: int = 0) -> None:
        """Everything up to here has been read and yielded, and decoding could begin here."""
        self.restart = Restart(self._offset, self._output, detail)

    def corrupt(self, why: object) -> errors.CorruptImage:
        return errors.CorruptImage(
            f"the {self.name} data is damaged near offset {self._offset}: {why}; "
            "check the file at the source"
        )

    def _more(self) -> Generator[None, None, bool]:
        """Whether there is another byte; waits until that is known."""
        while self._position == len(self._view):
            if self._ended:
                return False
            yield None
        return True

    def _need(self) -> Generator[None, None, None]:
        """Wait for another byte. Raises TruncatedSource if there is none."""
        if not (yield from self._more()):
            raise errors.TruncatedSource(
                f"the {self.name} data ends too early, at offset {self._offset}; "
                "check that the file at the source is complete"
            )

    def _some(self, most: int) -> memoryview:
        """Read what is there, up to `most` bytes; to be called after `_more` or `_need`."""
        got = self._view[self._position : self._position + most]
        self._position += len(got)
        return got

    def _unread(self, count: int) -> None:
        """Give back the last `count` bytes of what `_some` returned last."""
        self._position -= count

    def _take(self, count: int) -> Generator[None, None, bytes]:
        """Read exactly `count` bytes, which must be few."""
        got = b""
        while len(got) < count:
            yield from self._need()
            got += self._some(count - len(got))
        return got

    def _take_up_to(self, count: int) -> Generator[None, None, bytes]:
        """Read `count` bytes, or fewer at the end of the object."""
        got = b""
        while len(got) < count and (yield from self._more()):
            got += self._some(count - len(got))
        return got

    def _skip(self, count: int) -> Generator[None, None, None]:
        while count:
            yield from self._need()
            count -= len(self._some(count))

    def _skip_zeros(self) -> Generator[None, None, None]:
        """Read zero bytes until another one, or the end."""
        while (yield from self._more()):
            rest = bytes(self._some(SLICE)).lstrip(b"\0")
            if rest:
                self._unread(len(rest))
                return

    def _skip_rest(self) -> Generator[None, None, None]:
        while (yield from self._more()):
            self._some(PIECE)
