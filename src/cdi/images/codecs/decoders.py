"""The decoder of each codec. It and its library are loaded when there is one to make."""

from __future__ import annotations

from cdi.images.codecs.decoder import Decoder, Restart


def decoder_of(name: str, at: Restart | None, *, marking: bool = False) -> Decoder:
    """Return a decoder of the codec called `name`; see `Codec.decoder`. Raises KeyError."""
    match name:
        case "gz" if marking or (at is not None and at.state):
            from cdi.images.codecs import gzipmarks

            return gzipmarks.decoder_of(at)
        case "gz":
            from cdi.images.codecs.gzip import GzipDecoder

            return GzipDecoder(at)
        case "xz":
            from cdi.images.codecs.xz import XzDecoder

            return XzDecoder(at)
        case "zst":
            from cdi.images.codecs.zstd import ZstdDecoder

            return ZstdDecoder(at)
        case "bz2":
            from cdi.images.codecs.bzip2 import Bzip2Decoder

            return Bzip2Decoder(at)
        case "lz4":
            from cdi.images.codecs.lz4 import Lz4Decoder

            return Lz4Decoder(at)
    raise KeyError(name)
