"""
Whether the grain tables of a stream-optimised disk name just the grains that have passed.

A reader in file order believes the markers, one at random the tables: were they to differ, the
same file would hold two disks. So for each table a fingerprint is kept of what it says, and one
of what passed, and both must be the same. A fingerprint is a product over all (entry, sector) of
a table, in any order, of a secret number less the pair: two different sets agree by chance only,
about once in 2^50.

Raises CorruptImage, TruncatedSource; NeedsScratch for more tables than any usual disk has.
"""

from __future__ import annotations

import secrets
import struct
from array import array
from collections.abc import Iterable

from cdi.images import errors
from cdi.images.formats.vmdk import tables
from cdi.images.formats.vmdk.header import Header

_PRIME = (1 << 61) - 1
_MAX_FINGERPRINTS = 1 << 18  # of some 100 bytes each; 8 TiB in grains of 64 KiB
_STATE = struct.Struct("<QIII")
_ITEM = struct.Struct("<IQ")


class Fingerprints:
    """Fingerprints by table: of grains that passed, of tables, of tables not yet numbered."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._key = secrets.randbelow(_PRIME >> 1) + (_PRIME >> 2)
        self._grains: dict[int, int] = {}
        self._tables: dict[int, int] = {}
        self._placed: dict[int, int] = {}

    def grain(self, number: int, sector: int) -> None:
        """Note that grain `number` of the disk was at a sector of the file."""
        table, entry = divmod(number, self._header.entries)
        before = self._grains.get(table, 1)
        self._grains[table] = before * self._factor(entry, sector) % _PRIME
        self._check_limit()

    def table(self, number: int, entries: array[int]) -> None:
        """Note what table `number` of the directory says."""
        self._tables[number] = self._fingerprint(entries)
        self._check_limit()

    def table_at(self, sector: int, entries: array[int]) -> None:
        """Note what a table says before the directory tells its number."""
        self._placed[sector] = self._fingerprint(entries)
        self._check_limit()

    def directory(self, first: int, sectors: Iterable[int]) -> None:
        """Number the tables seen so far, from `first` on."""
        for number, sector in enumerate(sectors, first):
            if not sector:
                continue
            if sector not in self._placed:
                raise errors.CorruptImage(
                    f"the VMDK's directory names a table at sector {sector}, where none was"
                )
            self._tables[number] = self._placed.pop(sector)

    def check(self) -> None:
        """Insist that tables and grains agree. Called at the end of the file."""
        said = {number: mark for number, mark in self._tables.items() if mark != 1}
        if said == self._grains:
            return
        missing = min(set(said.items()) ^ set(self._grains.items()))[0]
        raise errors.CorruptImage(
            "the VMDK's grain tables do not name just the grains that are in the file, first at "
            f"guest offset {missing * self._header.span} or soon after; it may have been cut short"
        )

    def state(self) -> bytes:
        """Return what `restore` takes."""
        parts = (self._grains, self._tables, self._placed)
        head = _STATE.pack(self._key, *map(len, parts))
        return head + b"".join(_ITEM.pack(*item) for part in parts for item in part.items())

    def restore(self, state: bytes) -> None:
        """Go on from the state of others."""
        self._key, *lengths = _STATE.unpack_from(state)
        items = _ITEM.iter_unpack(state[_STATE.size :])
        self._grains, self._tables, self._placed = (
            dict(next(items) for _ in range(length)) for length in lengths
        )

    def _factor(self, entry: int, sector: int) -> int:
        return self._key - (entry << 32 | sector)

    def _fingerprint(self, entries: array[int]) -> int:
        mark, header = 1, self._header
        for entry, sector in enumerate(entries):
            if sector and tables.mapped(header, sector):
                mark = mark * self._factor(entry, sector) % _PRIME
        return mark

    def _check_limit(self) -> None:
        if len(self._grains) + len(self._tables) + len(self._placed) > _MAX_FINGERPRINTS:
            raise errors.NeedsScratch(
                "the VMDK is so large that its tables cannot be checked in one pass; it needs "
                "scratch space, or a source that can be read at any offset"
            )
