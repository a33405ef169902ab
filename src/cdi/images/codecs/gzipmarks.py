"""
gzip with places to begin anew inside of its members, for uploads that may break.

Such a place is the end of a deflate block: what has to be kept of it are the bits that are left of
the last byte, the 32 KiB of content before it, and the checksum so far. It takes zlib, which is
half as fast as igzip: too slow for a file that can be fetched again at will, and faster than any
sender whose line breaks.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

from isal import isal_zlib

from cdi.images.codecs import decoder, inflate
from cdi.images.codecs.decoder import Restart
from cdi.images.codecs.gzip import GzipDecoder

EVERY: Final = 8 << 20  # bytes of content from one place to the next
_STATE: Final = struct.Struct(">BBIQ")  # bits left, their value, CRC and length of the member
_TRAILER: Final = struct.Struct("<II")
_MODULO: Final = 1 << 32


def decoder_of(at: Restart | None) -> decoder.Decoder:
    """Return a decoder that marks such places; one that does not where there is no zlib.

    Raises CorruptImage for a place inside of a member that cannot be gone on from.
    """
    if inflate.is_there():
        return MarkingGzipDecoder(at)
    if at is not None and at.state:
        raise GzipDecoder(at).corrupt("there is no zlib to go on in the middle")
    return GzipDecoder(at)


class MarkingGzipDecoder(GzipDecoder):
    def _decode(self) -> decoder.Script:
        if self.restart is not None and self.restart.state:
            yield from self._rest_of_member(self.restart.state)
            self._mark()
        yield from super()._decode()

    def _rest_of_member(self, state: bytes) -> decoder.Script:
        try:
            bits, rest, crc, size = _STATE.unpack_from(state)
            window = zlib.decompressobj().decompress(state[_STATE.size :], inflate.WINDOW)
            inflater = inflate.Inflater(decoder.PIECE, bits=bits, rest=rest, window=window)
        except (struct.error, zlib.error, ValueError) as error:
            raise self.corrupt(f"the place to go on from makes no sense: {error}") from error
        yield from self._inflated(inflater, crc, size)

    def _member(self, head: bytes) -> decoder.Script:
        yield from self._header(head)
        yield from self._inflated(inflate.Inflater(decoder.PIECE), 0, 0)

    def _inflated(self, inflater: inflate.Inflater, crc: int, size: int) -> decoder.Script:
        marked = self._output
        while not inflater.ended:
            due = self._output - marked >= EVERY
            out = self._take_from(inflater, to_block_end=due)
            if out:
                crc, size = isal_zlib.crc32(out, crc), size + len(out)
                yield out
            elif not (inflater.left or inflater.ended):
                yield from self._need()
                inflater.give(bytes(self._some(decoder.SLICE)))
                continue
            if due and (place := inflater.place):
                marked = self._output
                self.restart = Restart(
                    self._offset - inflater.left, marked, 0, _state_of(place, crc, size)
                )
        self._unread(inflater.left)
        if _TRAILER.unpack((yield from self._take(_TRAILER.size))) != (crc, size % _MODULO):
            raise self.corrupt("checksum or length of a member do not match")

    def _take_from(self, inflater: inflate.Inflater, *, to_block_end: bool) -> bytes:
        try:
            return inflater.take(to_block_end=to_block_end)
        except inflate.InflateError as broken:
            raise self.corrupt(broken) from broken


def _state_of(place: tuple[int, int, bytes], crc: int, size: int) -> bytes:
    bits, rest, window = place
    return _STATE.pack(bits, rest, crc, size) + zlib.compress(window, 1)
