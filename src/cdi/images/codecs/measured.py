"""
How much a compressed object holds, where it says so without being decompressed.

xz has an index at its end, zstd a length in the header of a frame; a seek table names all frames.
gzip keeps a length modulo 4 GiB of its last member only, bzip2 none at all. Sizes in bytes.
"""

from __future__ import annotations

from cdi.images import layout

_FRAME_HEADER = 18  # bytes at most, of zstd


def output_size(codec: str, reader: layout.Reader, size: int) -> int | None:
    """Return how many bytes the object of `size` bytes decompresses to; None if it is not said.

    Raises CorruptImage or TruncatedSource where the object's end shows that it is damaged.
    """
    match codec:
        case "xz":
            from cdi.images.codecs import xzindex

            return xzindex.output_size(reader, size)
        case "zst":
            return _of_zstd(reader, size)
        case _:
            return None


def _of_zstd(reader: layout.Reader, size: int) -> int | None:
    import zstandard

    from cdi.images.codecs import zstdindex
    from cdi.images.codecs.blocks import MEMORY

    if frames := zstdindex.frames(reader, size, MEMORY):
        return frames[-1].output_end
    try:
        said = zstandard.frame_content_size(reader(0, min(size, _FRAME_HEADER)))
    except zstandard.ZstdError:
        return None
    # A frame that is skipped says 0; others follow it.
    return int(said) if said > 0 else None
