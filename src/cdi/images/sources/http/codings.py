"""
An object that comes in a content coding, although none was asked for.

That of the object's own compression does no harm, as it is decompressed like any other. Elsewhere:
which coding is the object's own for certain (`Service.unwanted_coding`).
"""

from __future__ import annotations

from cdi.images import errors
from cdi.images.codecs import codec
from cdi.images.http.client import PLAIN, Service
from cdi.images.http.response import Response

# Content codings that are decompressed here, as the object itself may be.
_CODECS = {"gzip": "gz", "x-gzip": "gz", "xz": "xz", "x-xz": "xz", "zstd": "zst", "bzip2": "bz2"}


def check(
    shown: str, answer: Response, service: Service = PLAIN, *, seen: bytes = b"", known: str = ""
) -> str:
    """Return in which coding the object comes that it should not have, if it can be read so.

    That is one whose first bytes, `seen`, are what they should be, so that it is decompressed
    like any other; or the one `known` of an answer before. Raises SourceRefused for others.
    """
    coding = service.unwanted_coding(answer.headers, shown.partition("?")[0])
    if not coding or coding == known:
        return coding
    found = codec.codec_for(seen) if coding in _CODECS else None
    if found is None or found.name != _CODECS[coding]:
        raise errors.SourceRefused(
            f"{shown}: the server compresses its answer ({coding}) although asked not to; "
            "switch Content-Encoding off for this file"
        )
    return coding
