"""
Snappy's framing format: what copies of volumes travel in.

A row of chunks, each with the CRC-32C of what it unfolds to, at most 64 KiB. Any end of a chunk is
a point to restart from. Not among `codec.CODECS`: nobody publishes disks in it, and whoever is
sent a copy knows. Format: framing_format.txt of google/snappy.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

import cramjam

from cdi.images.codecs import decoder

BEGIN: Final = b"\xff\x06\x00\x00sNaPpY"  # every stream begins so

_COMPRESSED, _PLAIN = 0, 1
_SKIPPABLE: Final = 0x80  # and above; the beginning of a stream among them
_LONGEST: Final = 4 + 76_490  # of a chunk with data: its checksum, and 64 KiB that grow
_TOGETHER: Final = 16  # chunks that one call decodes: a MiB, as a piece is at most


class SnappyDecoder(decoder.Scripted):
    name = "snappy"

    def _decode(self) -> decoder.Script:
        if self.restart is None and (yield from self._take(len(BEGIN))) != BEGIN:
            raise self.corrupt("it does not begin as a framed stream does")
        chunks: list[bytes] = []
        while (yield from self._more()):
            if chunk := (yield from self._chunk()):
                chunks.append(chunk)
            if len(chunks) == _TOGETHER:
                yield from self._unfolded(chunks)
                chunks = []
        yield from self._unfolded(chunks)

    def _chunk(self) -> Generator[None, None, bytes]:
        """Read one chunk; empty for one without data."""
        header = yield from self._take(4)
        kind, length = header[0], int.from_bytes(header[1:], "little")
        if kind >= _SKIPPABLE:
            yield from self._skip(length)
            return b""
        if kind not in (_COMPRESSED, _PLAIN) or not 4 <= length <= _LONGEST:
            raise self.corrupt(f"a chunk of kind {kind} with {length} bytes")
        return header + (yield from self._take(length))

    def _unfolded(self, chunks: list[bytes]) -> decoder.Script:
        if not chunks:
            return
        try:
            yield bytes(cramjam.snappy.decompress(BEGIN + b"".join(chunks)))
        except cramjam.DecompressionError as broken:
            raise self.corrupt(broken) from broken
        self._mark()
