"""
Fuzz the inspection of VDI, VHD, VHDX, QED and QCOW with changes of sound images.

After it a tool would run, so that its verdict is the last word: all checks are made.
"""

from __future__ import annotations

import struct

from fuzz import harness, patches

with harness.instrumented():
    from cdi.images.formats import crc32c, inspect, limits, window
    from support import hostile

IMAGES = [
    hostile.vdi(),
    hostile.vhd(),
    bytes(1 << 20) + hostile.vhd_footer(kind=2, size=1 << 20),
    hostile.vhdx(),
    hostile.qed(),
    hostile.qcow(),
]
_SEALED = ((64 << 10, 4096), (128 << 10, 4096), (192 << 10, 65536), (256 << 10, 65536))


def seeds() -> list[bytes]:
    places = (0x40, 0x48, 0x154, 0x170, 512, 528, 1024, 1536, 2 << 20, 3 << 20, 64 << 10, 4096)
    return patches.seeds(IMAGES, places)


def resealed(raw: bytes) -> bytes:
    """Return a VHDX whose checksums fit: a mutation cannot hit four bytes by chance."""
    file = bytearray(raw)
    for start, length in _SEALED:
        part = raw[start : start + length]
        if len(part) == length:
            whole = part[:4] + bytes(4) + part[8:]
            struct.pack_into("<I", file, start + 4, crc32c.crc32c(whole))
    return bytes(file)


def check(data: bytes) -> None:
    raw = patches.applied(data, IMAGES)
    if raw.startswith(b"vhdxfile") and len(data) % 2:
        raw = resealed(raw)

    def read(offset: int, length: int) -> bytes:
        assert offset + length <= len(raw), "asks for bytes beyond the end"
        return raw[offset : offset + length]

    view = window.Window(raw[: inspect.HEAD], len(raw), read)
    seen = inspect._inspect(view, deep=True)  # noqa: SLF001 - what `copying.inspect_file` does with a file
    assert seen.checks_left == ()
    assert seen.virtual_size is not None
    assert 0 < seen.virtual_size <= limits.MAX_VIRTUAL_SIZE


if __name__ == "__main__":
    harness.run(seeds, check)
