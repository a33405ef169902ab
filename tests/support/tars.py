"""tar archives for tests: honest ones by the tools, dishonest ones header by header."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path
from typing import Any

END = bytes(1024)
FORMATS = {
    "v7": ["--format=v7"],
    "ustar": ["--format=ustar"],
    "oldgnu": ["--format=oldgnu", "--sparse"],
    "gnu": ["--format=gnu", "--sparse"],
    "pax": ["--format=pax", "--sparse"],
    "pax-0.0": ["--format=pax", "--sparse", "--sparse-version=0.0"],
    "pax-0.1": ["--format=pax", "--sparse", "--sparse-version=0.1"],
}  # GNU tar's formats, as sparse as each can be
LONG_NAMES = {name for name in FORMATS if name not in {"v7", "ustar"}}


def packed(folder: Path, kind: str = "pax") -> bytes:
    """Return what GNU tar makes of everything in a folder."""
    command = ["tar", "-C", str(folder), *FORMATS[kind], "-cf", "-", "."]
    return subprocess.run(command, check=True, capture_output=True).stdout


def archive(*members: bytes) -> bytes:
    """Join members to an archive."""
    return b"".join(members) + END


def member(name: str, data: bytes = b"", **fields: Any) -> bytes:
    """Return one entry: header, data, padding. `fields` are those of `TarInfo`."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.GNU_FORMAT) + padded(data)


def folder(name: str, mode: int = 0o755) -> bytes:
    return member(name, type=tarfile.DIRTYPE, mode=mode)


def symlink(name: str, target: str) -> bytes:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def hardlink(name: str, target: str) -> bytes:
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def pax(records: bytes, flag: bytes = b"x") -> bytes:
    """Return an extended header with records as they are."""
    return member("pax", records, type=flag)


def record(key: str, value: bytes | str) -> bytes:
    """Return one well-formed pax record."""
    rest = b" " + key.encode() + b"=" + (value if isinstance(value, bytes) else value.encode())
    length = len(rest) + 1
    while len(str(length)) + len(rest) + 1 != length:
        length = len(str(length)) + len(rest) + 1
    return str(length).encode() + rest + b"\n"


def patched(header: bytes, offset: int, field: bytes) -> bytes:
    """Overwrite bytes of a header block, and make its checksum right again."""
    block = bytearray(header[:512])
    block[offset : offset + len(field)] = field
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + header[512:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def listing(data: bytes) -> list[tarfile.TarInfo]:
    """Return what Python's own reader finds."""
    with tarfile.open(fileobj=io.BytesIO(data)) as found:
        return found.getmembers()
