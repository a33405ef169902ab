r"""
pax records: `length key=value\n`, for what a header block has no room for.

Only the keys that matter are kept. An empty value takes a key back. Keys of sparse files may come
many times; they are joined into one map.
"""

from __future__ import annotations

import re
from decimal import Decimal

from cdi.images.formats.tar.block import LARGEST
from cdi.images.formats.tar.faults import corrupt

Records = dict[str, bytes]

SPARSE = "GNU.sparse."

_KEPT = frozenset(
    {"path", "linkpath", "size", "mtime", "uid", "gid"}
    | {SPARSE + key for key in ("name", "size", "realsize", "map", "major", "minor")}
)
_PAIRS = {SPARSE + "offset", SPARSE + "numbytes"}
_LENGTH = re.compile(rb"([1-9][0-9]{0,7}) ")
_DECIMAL = re.compile(rb"[0-9]{1,20}\Z")
_SECONDS = re.compile(rb"-?[0-9]{1,18}(\.[0-9]{0,40})?\Z")


def parse_records(data: bytes, at: int) -> Records:
    """Return the records that matter in one pax header. Raises CorruptImage."""
    records: Records = {}
    pairs: list[bytes] = []
    position = 0
    while position < len(data):
        found = _LENGTH.match(data, position)
        end = position + int(found[1]) if found else 0
        if found is None or not found.end() < end <= len(data) or data[end - 1 : end] != b"\n":
            if not any(data[position:]):
                break  # padding that was counted in
            raise corrupt(at, "a pax record has a wrong length")
        key, separator, value = data[found.end() : end - 1].partition(b"=")
        if not separator:
            raise corrupt(at, "a pax record has no value")
        name = key.decode("utf-8", "replace")
        if name in _KEPT:
            records[name] = value
        elif name in _PAIRS:
            pairs.append(value)
        position = end
    if pairs:
        records[SPARSE + "map"] = b",".join(pairs)
    return records


def number(records: Records, key: str, at: int) -> int | None:
    """Return a count of bytes, None where there is none. Raises CorruptImage."""
    value = records.get(key)
    if not value:
        return None
    if _DECIMAL.match(value) is None or int(value) > LARGEST:
        raise corrupt(at, f"the pax record {key!r} is no sensible number")
    return int(value)


def owner(records: Records, key: str, at: int) -> int | None:
    """Return a user or group, None where there is none. Raises CorruptImage."""
    if records.get(key, b"").startswith(b"-"):
        return -(number({key: records[key][1:]}, key, at) or 0)
    return number(records, key, at)


def nanoseconds(records: Records, key: str, at: int) -> int | None:
    """Return a time since 1970, None where there is none. Raises CorruptImage."""
    value = records.get(key)
    if not value:
        return None
    if _SECONDS.match(value) is None:
        raise corrupt(at, f"the pax record {key!r} is no time")
    return int(Decimal(value.decode("ascii")).scaleb(9).to_integral_value())


def text(records: Records, key: str, at: int) -> bytes | None:
    """Return a name, None where there is none. Raises CorruptImage."""
    value = records.get(key)
    if value and b"\0" in value:
        raise corrupt(at, f"the pax record {key!r} holds a NUL")
    return value or None
