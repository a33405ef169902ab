"""
Sparse VMDKs for tests, in layouts that qemu-img does not make, and both readers run to the end.

`Image` knows what the disk must hold; its `positions` (in sectors) let a test damage one field.
It shares no code with the product.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from cdi.images.formats import inspect, vmdk
from cdi.images.formats.image import Ranged
from cdi.images.layout import Unit
from support import hostile, readers

SECTOR = 512
PER_TABLE = 512
AT_END = 0xFFFF_FFFF_FFFF_FFFF
ZERO = b""  # a grain of zeros that has no bytes in the file


def marker(value: int, kind: int) -> bytes:
    """Return the sector that announces what follows."""
    return struct.pack("<QII", value, 0, kind).ljust(SECTOR, b"\0")


def sectors(data: bytes) -> bytes:
    """Return `data` filled up to whole sectors."""
    return data + bytes(-len(data) % SECTOR)


@dataclass
class Image:
    """One image. `grains` maps grain numbers to what they hold, or to ZERO."""

    grains: dict[int, bytes]
    capacity: int  # sectors
    grain: int = 8
    packed: bool = False
    footer: bool = False  # directory and tables behind the grains, found through a footer
    redundant: bool = False
    unclean: bool = False
    kind: str = ""
    positions: dict[object, int] = field(default_factory=dict)

    @property
    def tables(self) -> int:
        return -(-self.capacity // (self.grain * PER_TABLE))

    @property
    def named(self) -> list[int]:
        """Numbers of the tables that name a grain."""
        return sorted({number // PER_TABLE for number in self.grains})

    def build(self, order: Iterable[int] | None = None) -> bytes:
        """Return the file, with its grains in `order`."""
        stored = [number for number in self.grains if self.grains[number]]
        order = stored if order is None else list(order)
        assert sorted(order) == sorted(stored)
        self.positions = {"descriptor": 1}
        out = bytearray(21 * SECTOR)
        if not self.footer:
            self._reserve_tables(out)
        out += bytes(-len(out) % (self.grain * SECTOR))
        metadata = len(out) // SECTOR
        left = {table: sum(n // PER_TABLE == table for n in order) for table in self.named}
        for number in order:
            self.positions["grain", number] = len(out) // SECTOR
            out += self._stored(number)
            left[number // PER_TABLE] -= 1
            if self.footer and not left[number // PER_TABLE]:
                self._append_table(out, number // PER_TABLE)
        if self.footer:
            self._append_end(out, metadata)
        else:
            self._fill_tables(out)
        directory = AT_END if self.footer else self.positions["directory"]
        out[:SECTOR] = self.header(directory, metadata)
        text = hostile.descriptor(
            kind=self.kind or ("streamOptimized" if self.packed else "monolithicSparse"),
            extents=f'RW {self.capacity} SPARSE "disk.vmdk"',
        )
        out[SECTOR : SECTOR + len(text)] = text
        return bytes(out)

    def header(self, directory: int, metadata: int) -> bytes:
        flags = 1 | self.redundant << 1 | (ZERO in self.grains.values()) << 2
        return struct.pack(
            "<4sIIQQQQIQQQB4sH", b"KDMV", 3 if self.packed else 1,
            flags | (0x30000 if self.packed else 0), self.capacity, self.grain, 1, 20, PER_TABLE,
            self.positions.get("redundant", 0), directory, metadata, self.unclean, b"\n \r\n",
            int(self.packed),
        ).ljust(SECTOR, b"\0")  # fmt: skip

    def _stored(self, number: int) -> bytes:
        data = self.grains[number]
        if not self.packed:
            return data
        blob = zlib.compress(data)
        return sectors(struct.pack("<QI", number * self.grain, len(blob)) + blob)

    def _entries(self, table: int) -> bytes:
        """Return the grain table: where its grains were placed."""
        entries = [0] * PER_TABLE
        for number, data in self.grains.items():
            if number // PER_TABLE == table:
                place = self.positions["grain", number] if data else 1
                entries[number % PER_TABLE] = place
        return struct.pack(f"<{PER_TABLE}I", *entries)

    def _directory(self, name: str) -> bytes:
        places = [self.positions.get((name, table), 0) for table in range(self.tables)]
        return sectors(struct.pack(f"<{self.tables}I", *places))

    def _reserve_tables(self, out: bytearray) -> None:
        copies = [("redundant", "copy")] * self.redundant + [("directory", "table")]
        for directory, table in copies:
            self.positions[directory] = len(out) // SECTOR
            out += bytes(len(self._directory(table)))
            for number in self.named:
                self.positions[table, number] = len(out) // SECTOR
                out += bytes(4 * PER_TABLE)

    def _fill_tables(self, out: bytearray) -> None:
        for name, at in self.positions.items():
            blob = b""
            if name in ("directory", "redundant"):
                blob = self._directory("table" if name == "directory" else "copy")
            elif isinstance(name, tuple) and name[0] in ("table", "copy"):
                blob = self._entries(name[1])
            out[at * SECTOR : at * SECTOR + len(blob)] = blob

    def _append_table(self, out: bytearray, table: int) -> None:
        out += marker(4 * PER_TABLE // SECTOR, 1)
        self.positions["table", table] = len(out) // SECTOR
        out += self._entries(table)

    def _append_end(self, out: bytearray, metadata: int) -> None:
        for table in self.named:
            if ("table", table) not in self.positions:  # nothing but grains of zeros
                self._append_table(out, table)
        directory = self._directory("table")
        out += marker(len(directory) // SECTOR, 2)
        self.positions["directory"] = len(out) // SECTOR
        out += directory + marker(1, 3)
        self.positions["footer"] = len(out) // SECTOR
        out += self.header(self.positions["directory"], metadata) + bytes(SECTOR)

    def content(self) -> bytes:
        """Return what the disk holds."""
        size = self.grain * SECTOR
        disk = bytearray(-(-self.capacity // self.grain) * size)
        for number, data in self.grains.items():
            disk[number * size : number * size + len(data)] = data
        return bytes(disk[: self.capacity * SECTOR])


def units_of(file: bytes, done: object = None, **options: int) -> list[Unit]:
    """Return all units of an image that inspection has passed."""

    def read(offset: int, length: int) -> bytes:
        return file[offset : offset + length]

    image = inspect.inspect(file[: inspect.HEAD], len(file), read)
    usual = {"unit_bytes": 512 << 10, "table_readers": 1}
    layout = image.layout(Ranged(read, len(file), **usual | options))
    return list(layout.units(done or readers.Nothing()))


def read_at_random(file: bytes, seed: int = 0, **options: int) -> bytes:
    """Read a whole disk from its units in any order."""
    units = units_of(file, **options)
    return readers.at_random(file, units, vmdk.parse_header(file[:SECTOR]).virtual_size, seed)


def read_forward(file: bytes, seed: int = 0, resume: bool = False, **options: int) -> bytes:
    """Read a whole disk in file order; with `resume`, by many decoders one after the other."""
    inspect.inspect(file[: inspect.HEAD], None)
    return readers.forward(
        lambda state: vmdk.ForwardVmdk(state=state, **options), file, seed, resume
    )
