"""
The markers of a stream-optimised VMDK, and the compressed grains behind them.

A marker begins a sector. With a length it tells the disk address of a compressed grain, whose
bytes follow at once; without one it tells what the next sectors are. Pure functions, any thread.
Raises CorruptImage.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import deflate

from cdi.images import errors
from cdi.images.formats.vmdk.header import SECTOR, Header
from cdi.images.writes import Buffer

END, TABLE, DIRECTORY, FOOTER = range(4)

_MARKER = struct.Struct("<QII")
_GRAIN = struct.Struct("<QI")


class Marker(NamedTuple):
    """`value` is a grain's first guest sector, or how many sectors follow."""

    value: int
    length: int  # bytes of a compressed grain; 0 where no grain follows
    kind: int  # without a length: END, TABLE, ...


def marker_of(sector: Buffer) -> Marker:
    """Return the marker that a sector begins with."""
    return Marker(*_MARKER.unpack_from(sector))


def longest(header: Header) -> int:
    """Return how many bytes a grain can take with its marker.

    No sane compressor lets data grow by more than an eighth.
    """
    return _whole_sectors(_GRAIN.size + header.grain_bytes + header.grain_bytes // 8 + SECTOR)


def end_of_grain(header: Header, start: int, marker: Marker) -> int:
    """Return where the sectors of the grain end whose marker is at host offset `start`."""
    length = _whole_sectors(_GRAIN.size + marker.length)
    if length > longest(header):
        raise errors.CorruptImage(
            f"the VMDK's grain at byte {start} has {marker.length} compressed bytes, which no "
            f"grain of {header.grain_bytes} bytes takes"
        )
    if marker.value % header.grain or marker.value >= header.capacity:
        raise errors.CorruptImage(
            f"the VMDK's grain at byte {start} belongs to sector {marker.value}, where none begins"
        )
    return start + length


def unpacked(header: Header, data: Buffer, guest: int) -> Buffer:
    """Return the grain at guest offset `guest`, whose marker and bytes `data` begins with."""
    if len(data) < _GRAIN.size:
        raise errors.CorruptImage(f"the VMDK's grain of guest offset {guest} lacks its marker")
    address, length = _GRAIN.unpack_from(data)
    if address * SECTOR != guest or not 0 < length <= len(data) - _GRAIN.size:
        raise errors.CorruptImage(
            f"the VMDK maps guest offset {guest} to a grain of {length} bytes that belongs to "
            f"guest offset {address * SECTOR}"
        )
    packed = memoryview(data)[_GRAIN.size : _GRAIN.size + length]
    try:
        grain: bytearray = deflate.zlib_decompress(packed, header.grain_bytes)
    except deflate.DeflateError as error:
        raise errors.CorruptImage(
            f"the VMDK's grain of guest offset {guest} cannot be unpacked: {error}"
        ) from error
    if len(grain) < min(header.grain_bytes, header.virtual_size - guest):
        raise errors.CorruptImage(
            f"the VMDK's grain of guest offset {guest} has only {len(grain)} bytes"
        )
    return grain


def _whole_sectors(length: int) -> int:
    return -(-length // SECTOR) * SECTOR
