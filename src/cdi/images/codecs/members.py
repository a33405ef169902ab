"""
Compressions that are a row of independent members: gzip, bzip2, lz4.

Their libraries share one interface (that of the standard library's decompressors) and verify
checks and lengths themselves; each member's end is a point to restart from.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Generator
from typing import ClassVar, Protocol

from cdi.images.codecs import decoder

log = logging.getLogger(__name__)


class Unpacker(Protocol):
    """One member's decompressor, as bz2, lzma, isal and lz4 have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes | None: ...
    def decompress(self, data: bytes | memoryview, max_length: int) -> bytes: ...


def unpack(
    scripted: decoder.Scripted,
    unpacker: Unpacker,
    data: bytes | memoryview,
    failures: tuple[type[Exception], ...],
) -> decoder.Script:
    """Yield all that `data` unfolds to, in bounded pieces."""
    while True:
        try:
            out = unpacker.decompress(data, decoder.PIECE)
        except failures as broken:
            raise scripted.corrupt(broken) from broken
        if out:
            yield out
        if unpacker.eof or unpacker.needs_input:
            return
        data = b""


class MembersDecoder(decoder.Scripted):
    """Decode member after member, to the end of the object."""

    MAGIC: ClassVar[bytes]
    failures: ClassVar[tuple[type[Exception], ...]]

    @abstractmethod
    def _unpacker(self) -> Unpacker:
        """Return a decompressor for the next member."""

    def _decode(self) -> decoder.Script:
        if self.restart is None:
            yield from self._need()
        while (yield from self._more()):
            head = yield from self._take_up_to(len(self.MAGIC))
            if head == self.MAGIC:
                yield from self._member(head)
                self._mark()
            elif self.restart is not None and (yield from self._between(head)):
                continue
            elif self.MAGIC.startswith(head):
                yield from self._need()
            else:
                raise self.corrupt("not the start of a member")

    def _header(self, head: bytes) -> Generator[None, None, bytes]:
        """Read what the decompressor does not, behind `head`; return what it begins with."""
        yield from ()
        return head

    def _between(self, head: bytes) -> Generator[None, None, bool]:
        """Whether `head`, found after a member, was dealt with; it is not a member's magic."""
        if self.MAGIC.startswith(head):
            return False
        log.warning(
            "ignored what follows the compressed data",
            extra={"codec": self.name, "offset": self._offset - len(head)},
        )
        yield from self._skip_rest()
        return True

    def _member(self, head: bytes) -> decoder.Script:
        unpacker = self._unpacker()
        if begin := (yield from self._header(head)):
            yield from unpack(self, unpacker, begin, self.failures)
        while not unpacker.eof:
            yield from self._need()
            data = self._some(decoder.SLICE)
            yield from unpack(self, unpacker, data, self.failures)
        self._unread(len(unpacker.unused_data or b""))
