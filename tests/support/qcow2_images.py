"""
qcow2 images for tests: built byte by byte in layouts that no program makes, and read back whole.

`Image` places tables and data in any order and knows what the disk must hold; its positions let
a test damage one field. `read_at_random` and `read_forward` run the two readers to the end.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

import zstandard

from cdi.images.formats import qcow2
from cdi.images.formats.image import Ranged
from cdi.images.layout import Unit
from support import readers

COMPRESSED = 1 << 62
COPIED = 1 << 63


@dataclass(frozen=True)
class Plain:
    data: bytes


@dataclass(frozen=True)
class Packed:
    data: bytes


@dataclass(frozen=True)
class Zero:
    held: bool = False  # whether a host cluster is kept for it


@dataclass(frozen=True)
class Parts:
    """A cluster of an image with extended L2 entries: bitmaps of 32 subclusters."""

    data: bytes
    allocated: int
    zero: int = 0


@dataclass
class Image:
    """One image. `clusters` maps guest cluster numbers to what they hold."""

    clusters: dict[int, Plain | Packed | Zero | Parts]
    virtual_size: int
    version: int = 3
    cluster_bits: int = 9
    zstd: bool = False
    extended: bool = False
    junk: dict[str, bytes] = field(default_factory=dict)  # clusters that nothing maps, by name
    positions: dict[object, int] = field(default_factory=dict)  # where `build` put each item

    @property
    def size(self) -> int:
        return 1 << self.cluster_bits

    @property
    def per_table(self) -> int:
        return self.size // (16 if self.extended else 8)

    @property
    def tables(self) -> list[int]:
        return sorted({guest // self.per_table for guest in self.clusters})

    def items(self) -> list[object]:
        """Return what has a place in the file, in the order in which programs write it."""
        order: list[object] = ["refcounts", "l1"]
        for table in self.tables:
            order.append(("l2", table))
            order += [g for g in sorted(self.clusters) if g // self.per_table == table]
        order = [item for item in order if self.clusters.get(item) != Zero()]
        return order + list(self.junk)

    def build(self, order: Iterable[object] | None = None, align_end: int = 1) -> bytes:
        """Return the file, with its items in `order`."""
        self.positions = {}
        out = bytearray(self.size)
        inside = False  # whether compressed data may go on where the file ends
        blobs: dict[int, bytes] = {}
        for item in self.items() if order is None else order:
            cluster = self.clusters.get(item) if isinstance(item, int) else None
            if isinstance(cluster, Packed):
                blob = self.packed(cluster.data)
                blobs[item] = blob
            else:
                blob = self._blob(item, cluster)
            if not (inside and isinstance(cluster, Packed)):
                out += bytes(-len(out) % self.size)
            self.positions[item] = len(out)
            out += blob
            inside = isinstance(cluster, Packed)
        out += bytes(-len(out) % (align_end if inside else self.size))
        for guest in self.clusters:
            self._map(out, guest, blobs)
        for table in self.tables:
            struct.pack_into(">Q", out, self.l1_entry(table), self.positions["l2", table] | COPIED)
        out[: len(self.header())] = self.header()
        return bytes(out)

    def _blob(self, item: object, cluster: object) -> bytes:
        if item == "l1":
            return bytes(-(-self.l1_size * 8 // self.size) * self.size)
        if isinstance(item, str) and item in self.junk:
            return self.junk[item]
        if isinstance(cluster, Plain | Parts):
            return cluster.data
        return bytes(self.size)

    def packed(self, data: bytes) -> bytes:
        if self.zstd:
            return zstandard.compress(data)
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -12)
        return squeeze.compress(data) + squeeze.flush()

    @property
    def l1_size(self) -> int:
        return -(-self.virtual_size // (self.per_table * self.size))

    def l1_entry(self, table: int) -> int:
        """Return where the L1 entry of a table lies in the file."""
        return self.positions["l1"] + table * 8

    def l2_entry(self, guest: int) -> int:
        """Return where the L2 entry of a guest cluster lies in the file."""
        table, index = divmod(guest, self.per_table)
        return self.positions["l2", table] + index * (self.size // self.per_table)

    def descriptor(self, offset: int, length: int) -> int:
        """Return the L2 entry of compressed data."""
        width = 62 - (self.cluster_bits - 8)
        sectors = (offset + length - 1) // 512 - offset // 512
        return COMPRESSED | sectors << width | offset

    def _map(self, out: bytearray, guest: int, blobs: dict[int, bytes]) -> None:
        cluster = self.clusters[guest]
        offset = self.positions.get(guest, 0)
        bitmap = 0
        if isinstance(cluster, Packed):
            entry = self.descriptor(offset, len(blobs[guest]))
        elif isinstance(cluster, Zero):
            entry = offset | (0 if self.extended else 1)
            bitmap = 0xFFFFFFFF << 32
        else:
            entry = offset | COPIED
            bitmap = 0xFFFFFFFF
            if isinstance(cluster, Parts):
                bitmap = cluster.zero << 32 | cluster.allocated
        struct.pack_into(">Q", out, self.l2_entry(guest), entry)
        if self.extended:
            struct.pack_into(">Q", out, self.l2_entry(guest) + 8, bitmap)

    def header(self) -> bytes:
        fixed = struct.pack(
            ">4sIQIIQIIQQIIQ",
            b"QFI\xfb", self.version, 0, 0, self.cluster_bits, self.virtual_size, 0,
            self.l1_size, self.positions["l1"], self.positions["refcounts"], 1, 0, 0,
        )  # fmt: skip
        if self.version == 2:
            return fixed
        features = (8 if self.zstd else 0) | (16 if self.extended else 0)
        return fixed + struct.pack(">QQQIIB7x", features, 0, 0, 4, 112, int(self.zstd))

    def content(self) -> bytes:
        """Return what the disk holds."""
        disk = bytearray(-(-self.virtual_size // self.size) * self.size)
        for guest, cluster in self.clusters.items():
            at = guest * self.size
            if isinstance(cluster, Plain | Packed):
                disk[at : at + self.size] = cluster.data
            elif isinstance(cluster, Parts):
                part = self.size // 32
                for index in range(32):
                    if cluster.allocated >> index & 1:
                        start, end = index * part, (index + 1) * part
                        disk[at + start : at + end] = cluster.data[start:end]
        return bytes(disk[: self.virtual_size])


def units_of(file: bytes, done: object = None, **options: int) -> list[Unit]:
    """Return all units of an image."""
    header = qcow2.parse_header(file[: qcow2.HEAD_BYTES], len(file))
    source = Ranged(lambda offset, length: file[offset : offset + length], len(file), **options)
    layout = qcow2.RandomQcow2(source, header)
    return list(layout.units(done or readers.Nothing()))


def read_at_random(file: bytes, seed: int = 0, **options: int) -> bytes:
    """Read a whole disk from its units in any order."""
    header = qcow2.parse_header(file[: qcow2.HEAD_BYTES], len(file))
    return readers.at_random(file, units_of(file, **options), header.virtual_size, seed)


def read_forward(file: bytes, seed: int = 0, resume: bool = False, **options: int) -> bytes:
    """Read a whole disk in file order; with `resume`, by many decoders one after the other."""
    return readers.forward(
        lambda state: qcow2.ForwardQcow2(state=state, **options), file, seed, resume
    )
