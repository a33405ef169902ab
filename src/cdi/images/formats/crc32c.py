"""
CRC-32C (Castagnoli), the checksum of VHDX structures.

zlib has another polynomial. Only headers of some ten KiB are summed here, so a table of 256
entries is fast enough and saves a dependency.
"""

from __future__ import annotations

_REVERSED_POLYNOMIAL = 0x82F6_3B78


def _table() -> tuple[int, ...]:
    entries = []
    for byte in range(256):
        entry = byte
        for _ in range(8):
            entry = (entry >> 1) ^ (_REVERSED_POLYNOMIAL if entry & 1 else 0)
        entries.append(entry)
    return tuple(entries)


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of `data`."""
    crc = 0xFFFF_FFFF
    for byte in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFF_FFFF
