"""
Zstandard (RFC 8878), several frames and skippable ones too, checksums verified.

The library's own push interface returns everything that its input unfolds to at once, which a
hostile file makes unbounded. So the decoder follows the frame's structure: a block unfolds to at
most 128 KiB, hence a handful of them fits one piece. Following also finds each frame's end, a
point to restart from.
"""

from __future__ import annotations

from collections.abc import Generator

import zstandard

from cdi.images import errors
from cdi.images.codecs import decoder

MAGIC = b"\x28\xb5\x2f\xfd"
BLOCK = 128 << 10  # most that a block unfolds to
AT_ONCE = decoder.PIECE // BLOCK - 1  # blocks a call; one more may wait inside the library
WINDOW = 128 << 20  # the largest window that the zstd program accepts unasked
HEADER_MAX = 18  # of a frame, with its magic
RLE, RESERVED = 1, 3


def is_skippable(magic: bytes) -> bool:
    return magic[0] >> 4 == 5 and magic[1:] == b"\x2a\x4d\x18"


def _field_sizes(descriptor: int) -> tuple[int, int, int]:
    """Return the lengths of a frame header's window, dictionary and content size fields."""
    single = descriptor >> 5 & 1
    return 1 - single, (0, 1, 2, 4)[descriptor & 3], (single, 2, 4, 8)[descriptor >> 6]


def window_of(frame: bytes) -> int:
    """Return the memory that a frame needs to be decoded, by its whole header (with magic)."""
    window_size, dictionary_size, content_size = _field_sizes(frame[4])
    if window_size:
        return (8 + (frame[5] & 7)) << (7 + (frame[5] >> 3))
    start = 5 + dictionary_size
    content = int.from_bytes(frame[start : start + content_size], "little")
    return content + 256 if content_size == 2 else content


class ZstdDecoder(decoder.Scripted):
    name = "zst"

    def __init__(self, at: decoder.Restart | None = None, window: int = WINDOW) -> None:
        super().__init__(at)
        self._window = window

    def _decode(self) -> decoder.Script:
        if self.restart is None:
            yield from self._need()
        while (yield from self._more()):
            magic = yield from self._take(4)
            if magic == MAGIC:
                yield from self._frame()
            elif is_skippable(magic):
                size = yield from self._take(4)
                yield from self._skip(int.from_bytes(size, "little"))
            else:
                raise self.corrupt("not the start of a frame")
            self._mark()

    def _frame(self) -> decoder.Script:
        header = yield from self._header()
        unpacker = zstandard.ZstdDecompressor(max_window_size=self._window).decompressobj(
            write_size=decoder.PIECE
        )
        yield from self._unpack(unpacker, MAGIC + header)
        last = False
        while not last:
            run, last = self._whole_blocks()
            if run:
                yield from self._unpack(unpacker, run)
            else:
                last = yield from self._block(unpacker)
        if header[0] & 4:
            yield from self._unpack(unpacker, (yield from self._take(4)))
        if not unpacker.eof:
            raise self.corrupt("the frame does not end with its last block")

    def _header(self) -> Generator[None, None, bytes]:
        """Read the frame header behind its magic, and refuse what it should not ask for."""
        descriptor = yield from self._take(1)
        window_size, dictionary_size, content_size = _field_sizes(descriptor[0])
        rest = yield from self._take(window_size + dictionary_size + content_size)
        if any(rest[window_size : window_size + dictionary_size]):
            raise errors.UnsupportedFormat(
                "the zst data needs a dictionary that it does not hold; compress it without one"
            )
        window = window_of(MAGIC + descriptor + rest)
        if window > self._window:
            raise errors.UnsafeImage(
                f"the zst data needs too much memory: a window of {window} bytes, while "
                f"{self._window} are allowed; compress it with a smaller --long"
            )
        return descriptor + rest

    def _whole_blocks(self) -> tuple[memoryview, bool]:
        """Read the whole blocks that are here already, up to AT_ONCE; and whether one is the last.

        The blocks of a frame are small: a call for each would cost more than its decoding.
        """
        view, start, end = self._view, self._position, self._position
        last = False
        for _ in range(AT_ONCE):
            if last or end + 3 > len(view):
                break
            last_here, size = self._block_header(bytes(view[end : end + 3]))
            if end + 3 + size > len(view):
                break
            last, end = last_here, end + 3 + size
        return self._some(end - start), last

    def _block(
        self, unpacker: zstandard.ZstdDecompressionObj
    ) -> Generator[bytes | None, None, bool]:
        """Decode one block that arrives in parts; return whether it is the last."""
        header = yield from self._take(3)
        last, left = self._block_header(header)
        yield from self._unpack(unpacker, header)
        while left:
            yield from self._need()
            part = self._some(left)
            left -= len(part)
            yield from self._unpack(unpacker, part)
        return last

    def _block_header(self, header: bytes) -> tuple[bool, int]:
        """Return whether the block is the last, and how long its body is."""
        fields = int.from_bytes(header, "little")
        kind, size = fields >> 1 & 3, fields >> 3
        if kind == RESERVED or size > BLOCK:
            raise self.corrupt("a block of an impossible kind or size")
        return bool(fields & 1), 1 if kind == RLE else size

    def _unpack(
        self, unpacker: zstandard.ZstdDecompressionObj, data: bytes | memoryview
    ) -> decoder.Script:
        try:
            out = unpacker.decompress(data)
        except zstandard.ZstdError as broken:
            raise self.corrupt(broken) from broken
        if out:
            yield out
