"""
A second copy of a journal's durable records, on the device itself, for when the first is lost.

The journal of a device lies with whoever fills it, and goes with a pod. The last RESERVE bytes of
the device have them as well, until the commit, which puts there what the disk has in that place: a
finished disk carries none. They are known by what names the device wherever it is attached, which
the kernel's own names do not; by the source's version; and by the sizes of device and disk.

    2 slots of half of RESERVE, written in turn, so that one torn by a kill leaves the other:
    magic (16 bytes), sequence (8), length (4), SHA-256 of those two and the text (32), the text,
    which is zlib over JSON: {"key": ..., "records": [...]}

Every doubt means that nothing was noted. Raises OSError, TargetError where a device refuses.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from cdi.images.target import RESERVE
from cdi.images.transfer import resuming
from cdi.images.transfer.progress import Progress

log = logging.getLogger(__name__)

_MAGIC: Final = b"cdi journal \x00\x01\x0d\x0a"
_HEADER: Final = struct.Struct(">16sQI32s")
_SLOT: Final = RESERVE // 2
_LONGEST: Final = 16 << 20  # bytes of JSON

Put = Callable[[int, bytes], None]  # an offset within the reserve, and what goes there, durably


class Mirror:
    """Where the durable records of one running transfer are copied to."""

    def __init__(self, key: dict[str, Any], put: Put, *, after: int) -> None:
        """Write by `put`, with sequence numbers above `after`."""
        self._key, self._put, self._sequence = key, put, after

    def write(self, records: list[dict[str, Any]]) -> None:
        """Copy `records`. Too many for a slot are left out: what stands there still holds."""
        text = zlib.compress(json.dumps({"key": self._key, "records": records}).encode(), 1)
        if _HEADER.size + len(text) > _SLOT:
            return
        self._sequence += 1
        counted = struct.pack(">QI", self._sequence, len(text))
        digest = hashlib.sha256(counted + text).digest()
        slot = _HEADER.pack(_MAGIC, self._sequence, len(text), digest) + text
        self._put(self._sequence % 2 * _SLOT, slot)


def load(device: Path, key: dict[str, Any]) -> Progress | None:
    """Return the progress noted on `device` for the transfer `key`; None if there is none."""
    for _, text in sorted(_slots(device), reverse=True):
        if (records := _records(text, key)) is not None:
            log.info("goes on by the notes on the device")
            return resuming.replayed(records)
    return None


def last(device: Path) -> int:
    """Return the highest sequence number on `device`, 0 if it has no notes."""
    return max((sequence for sequence, _ in _slots(device)), default=0)


def _records(text: bytes, key: dict[str, Any]) -> list[dict[str, Any]] | None:
    try:
        said = json.loads(zlib.decompressobj().decompress(text, _LONGEST))
        return list(said["records"]) if said["key"] == key else None
    except (zlib.error, ValueError, LookupError, TypeError):
        return None


def _slots(device: Path) -> Iterator[tuple[int, bytes]]:
    """Yield sequence and text of every whole slot."""
    with contextlib.suppress(OSError), device.open("rb") as file:
        begin = file.seek(0, os.SEEK_END) - RESERVE
        for at in (begin, begin + _SLOT) if begin >= 0 else ():
            magic, sequence, length, digest = _HEADER.unpack(_read(file.fileno(), at, _HEADER.size))
            if magic != _MAGIC or length > _SLOT - _HEADER.size:
                continue
            text = _read(file.fileno(), at + _HEADER.size, length)
            if hashlib.sha256(struct.pack(">QI", sequence, length) + text).digest() == digest:
                yield sequence, text


def _read(fd: int, at: int, length: int) -> bytes:
    return os.pread(fd, length, at).ljust(length, b"\0")
