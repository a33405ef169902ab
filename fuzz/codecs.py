"""Fuzz the decoders of compressed sources: bounded output a piece, and one kind of error."""

from __future__ import annotations

import bz2
import gzip
import lzma

import lz4.frame
import zstandard

from fuzz import harness

with harness.instrumented():
    from cdi.images.codecs.codec import codec_for

_TEXT = b"some text that packs well, " * 99
_ENOUGH = 4 << 20  # bytes of output of one input
_PIECE = 512


def seeds() -> list[bytes]:
    packed = [
        gzip.compress(_TEXT), gzip.compress(b"") + gzip.compress(_TEXT), bz2.compress(_TEXT),
        lzma.compress(_TEXT), lzma.compress(_TEXT, check=lzma.CHECK_CRC32),
        zstandard.compress(_TEXT), lz4.frame.compress(_TEXT),
        lz4.frame.compress(_TEXT, content_checksum=True),
    ]  # fmt: skip
    return [*packed, *(raw + raw for raw in packed), *(raw[:-3] for raw in packed)]


def check(data: bytes) -> None:
    codec = codec_for(data)
    if codec is None:
        return
    decoder, made = codec.decoder(), 0
    for at in range(0, len(data), _PIECE):
        for out in decoder.feed(data[at : at + _PIECE]):
            made += len(out)
            if made > _ENOUGH:
                return
    for out in decoder.finish():
        made += len(out)


if __name__ == "__main__":
    harness.run(seeds, check)
