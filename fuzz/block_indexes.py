"""Fuzz what finds blocks of xz and frames of zstd, and the decoding of each by itself."""

from __future__ import annotations

import lzma
import struct

import zstandard

from fuzz import harness

with harness.instrumented():
    from cdi.images import errors
    from cdi.images.codecs import blocks
    from cdi.images.codecs.codec import codec_for

_TEXT = b"some text that packs well, " * 40
_ENOUGH = 4 << 20
_MOST_UNITS = 200


class _Nothing:
    def covers(self, _start: int, _end: int) -> bool:
        return False


def seekable(parts: list[bytes]) -> bytes:
    """Return zstd frames with a table of them at the end."""
    frames = [zstandard.compress(part) for part in parts]
    sizes = zip(frames, parts, strict=True)
    table = b"".join(struct.pack("<II", len(frame), len(part)) for frame, part in sizes)
    table += struct.pack("<IB4s", len(frames), 0, b"\xb1\xea\x92\x8f")
    return b"".join(frames) + b"\x5e\x2a\x4d\x18" + struct.pack("<I", len(table)) + table


def seeds() -> list[bytes]:
    streams = lzma.compress(_TEXT) + lzma.compress(_TEXT[:50]) + bytes(4)
    return [streams, lzma.compress(_TEXT) * 3, seekable([_TEXT, _TEXT[:99], b"x"])]


def check(data: bytes) -> None:
    codec = codec_for(data)
    if codec is None:
        return

    def read(offset: int, length: int) -> bytes:
        assert offset >= 0, "asks for bytes before the start"
        assert offset + length <= len(data), "asks for bytes beyond the end"
        return data[offset : offset + length]

    layout = blocks.layout_of(codec.name, read, len(data))
    if layout is None:
        return
    made = 0
    for number, unit in enumerate(layout.units(_Nothing())):
        assert 0 <= unit.start <= unit.end <= len(data)
        try:
            for write in unit.decode([data[unit.start : unit.end]]):
                made += len(write.data)
                assert write.end <= layout.virtual_size
                if made > _ENOUGH:
                    return
        except errors.TransferError:
            return
        if number > _MOST_UNITS:
            return


if __name__ == "__main__":
    harness.run(seeds, check)
