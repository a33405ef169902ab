"""
Which compression an object has, by its first bytes, and a decoder for it.

Nested compression (a qcow2.gz inside an .xz) is the caller's: ask again with the output.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cdi.images.codecs.decoder import Decoder, Restart

__all__ = ["HEAD", "Codec", "Decoder", "Restart", "codec_for", "codec_named"]

HEAD = 10  # bytes that suffice to tell the compression


@dataclass(frozen=True, slots=True)
class Codec:
    """One compression: `name` as in file names, and as journals keep it."""

    name: str
    magic: re.Pattern[bytes]

    def decoder(self, at: Restart | None = None, *, marking: bool = False) -> Decoder:
        """Return a decoder for the object from its beginning, or from `at.source` on.

        With `marking` it passes as many restart points as the compression can have, although it may
        be slower for that.
        """
        from cdi.images.codecs import decoders

        return decoders.decoder_of(self.name, at, marking=marking)


CODECS = (
    Codec("gz", re.compile(rb"\x1f\x8b")),
    Codec("xz", re.compile(rb"\xfd7zXZ\x00")),
    Codec("zst", re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")),
    # Followed by a block, or by the end of an empty stream: text may begin with BZh too.
    Codec("bz2", re.compile(rb"BZh[1-9](\x31\x41\x59\x26\x53\x59|\x17\x72\x45\x38\x50\x90)")),
    Codec("lz4", re.compile(rb"\x04\x22\x4d\x18")),
)


def codec_for(head: bytes) -> Codec | None:
    """Return the compression of an object that begins with `head` (HEAD bytes, if it has them)."""
    return next((codec for codec in CODECS if codec.magic.match(head)), None)


def codec_named(name: str) -> Codec:
    """Return the codec called `name`. Raises KeyError."""
    return {codec.name: codec for codec in CODECS}[name]
