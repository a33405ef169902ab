"""
Which compression an object has, by its first bytes, and a decoder for it.

Nested compression (a qcow2.gz inside an .xz) is the caller's: ask again with the output.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from cdi.images.codecs.decoder import Decoder, Restart

__all__ = ["HEAD", "Codec", "Decoder", "Restart", "codec_for", "codec_named"]

HEAD = 10  # bytes that suffice to tell the compression


@dataclass(frozen=True, slots=True)
class Codec:
    """One compression: `name` as in file names, and as journals keep it."""

    name: str
    magic: re.Pattern[bytes]
    make: Callable[[Restart | None], Decoder]

    def decoder(self, at: Restart | None = None) -> Decoder:
        """Return a decoder for the object from its beginning, or from `at.source` on."""
        return self.make(at)


def _codec(name: str, magic: bytes, make: Callable[[Restart | None], Decoder]) -> Codec:
    return Codec(name, re.compile(magic, re.DOTALL), make)


# The decoders and their libraries are loaded when there is one to make.


def _gzip(at: Restart | None) -> Decoder:
    from cdi.images.codecs.gzip import GzipDecoder

    return GzipDecoder(at)


def _xz(at: Restart | None) -> Decoder:
    from cdi.images.codecs.xz import XzDecoder

    return XzDecoder(at)


def _zstd(at: Restart | None) -> Decoder:
    from cdi.images.codecs.zstd import ZstdDecoder

    return ZstdDecoder(at)


def _bzip2(at: Restart | None) -> Decoder:
    from cdi.images.codecs.bzip2 import Bzip2Decoder

    return Bzip2Decoder(at)


def _lz4(at: Restart | None) -> Decoder:
    from cdi.images.codecs.lz4 import Lz4Decoder

    return Lz4Decoder(at)


CODECS = (
    _codec("gz", rb"\x1f\x8b", _gzip),
    _codec("xz", rb"\xfd7zXZ\x00", _xz),
    _codec("zst", rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18", _zstd),
    # Followed by a block, or by the end of an empty stream: text may begin with BZh too.
    _codec("bz2", rb"BZh[1-9](\x31\x41\x59\x26\x53\x59|\x17\x72\x45\x38\x50\x90)", _bzip2),
    _codec("lz4", rb"\x04\x22\x4d\x18", _lz4),
)


def codec_for(head: bytes) -> Codec | None:
    """Return the compression of an object that begins with `head` (HEAD bytes, if it has them)."""
    return next((codec for codec in CODECS if codec.magic.match(head)), None)


def codec_named(name: str) -> Codec:
    """Return the codec called `name`. Raises KeyError."""
    return {codec.name: codec for codec in CODECS}[name]
