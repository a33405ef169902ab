"""
How one compressed cluster is unpacked.

Here: deflate and zstd, each one call per cluster that lets go of the interpreter lock and gives
at most one cluster, whatever the input says. Elsewhere: where the packed bytes are (`tables`).
Packed bytes may be followed by others, up to the end of their last sector. Any thread may call.
Raises UnpackError; `unpacked` says which guest offset that was. The libraries are loaded for the
images that need them.
"""

from __future__ import annotations

import threading
from typing import Any, Protocol

from cdi.images import errors
from cdi.images.formats.qcow2.header import Compression, Header
from cdi.images.writes import Buffer

# Frames of unknown length may ask for a window of this size: four times what programs use.
_MAX_ZSTD_WINDOW = 8 << 20
_RAW_DEFLATE = -15


class UnpackError(Exception):
    """The bytes do not hold exactly one cluster."""


class Unpacker(Protocol):
    """One kind of compression, for clusters of one size."""

    def unpack(self, data: Buffer) -> Buffer:
        """Return the cluster that `data` begins with."""

    def used(self, data: Buffer) -> int:
        """Return how many bytes of `data`, which holds a sane cluster, belong to it. Slower."""


def unpacker_for(header: Header) -> Unpacker:
    """Return what unpacks the clusters of an image."""
    if header.compression is Compression.ZSTD:
        return _Zstd(header.cluster_size)
    return _Deflate(header.cluster_size)


def unpacked(unpacker: Unpacker, data: Buffer, guest: int) -> Buffer:
    """Unpack the cluster at guest offset `guest`. Raises CorruptImage."""
    try:
        return unpacker.unpack(data)
    except UnpackError as error:
        raise errors.CorruptImage(
            f"the compressed cluster at guest offset {guest} cannot be unpacked: {error}"
        ) from error


class _Deflate:
    """libdeflate wants all input at once and knows the size of the output: just what a cluster is.

    For clusters of 64 KiB it takes about two thirds of the processor time of isal, and two fifths
    of zlib's; isal remains for finding out where a stream ends.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        import deflate

        self._library: Any = deflate

    def unpack(self, data: Buffer) -> Buffer:
        try:
            cluster: bytearray = self._library.deflate_decompress(data, self._size)
        except self._library.DeflateError as error:
            raise UnpackError(str(error)) from error
        if len(cluster) != self._size:
            raise UnpackError(f"{len(cluster)} bytes came out")
        return cluster

    def used(self, data: Buffer) -> int:
        from isal import isal_zlib

        stream = isal_zlib.decompressobj(_RAW_DEFLATE)
        stream.decompress(data, self._size)
        if not stream.eof:  # the output is complete, the mark of its end was not read yet
            stream.decompress(stream.unconsumed_tail, 1)
        return len(data) - len(stream.unused_data)


class _Zstd:
    """zstandard, with one decompressor per thread."""

    def __init__(self, size: int) -> None:
        self._size = size
        import zstandard

        self._library: Any = zstandard
        self._local = threading.local()

    def _decompressor(self) -> Any:
        if not hasattr(self._local, "decompressor"):
            made = self._library.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW)
            self._local.decompressor = made
        return self._local.decompressor

    def unpack(self, data: Buffer) -> Buffer:
        try:
            # The frame's own claim decides how much is allocated, so it is looked at first.
            if self._library.frame_content_size(data) not in (-1, self._size):
                raise UnpackError("the frame announces another size")
            cluster: bytes = self._decompressor().decompress(
                data, max_output_size=self._size, allow_extra_data=True
            )
        except self._library.ZstdError as error:
            raise UnpackError(str(error)) from error
        if len(cluster) != self._size:
            raise UnpackError(f"{len(cluster)} bytes came out")
        return cluster

    def used(self, data: Buffer) -> int:
        stream = self._decompressor().decompressobj()
        stream.decompress(data)
        return len(data) - len(stream.unused_data)
