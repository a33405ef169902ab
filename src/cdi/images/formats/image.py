"""
What inspection says about an image, and the limits that every format shares.

Only values: the reading is in `window`, the checks in one module per format, the choice between
formats in `inspect`. Sizes are in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdi.images import errors

# 1 PiB. No hypervisor writes larger disks, and every product of two header fields that has
# passed this limit stays far from 64-bit overflow in the tools that come after us.
MAX_VIRTUAL_SIZE = 1 << 50

# A converter holds one table of this kind in memory. 64 MiB maps 16 TiB in the smallest usual
# blocks; a larger one is made to exhaust memory, not to hold a disk.
MAX_TABLE_SIZE = 64 << 20


@dataclass(frozen=True, slots=True)
class Image:
    """An image whose header was found harmless.

    `format` is qemu's name for it. `virtual_size` is None as long as it cannot be known from the
    bytes at hand: a raw stream of unknown length, or a header that comes later than the head.
    `native` images are decoded by this package; the others go through `qemu.convert`, and only
    after `inspect.inspect_file` has passed the complete file. `checks_left` names the checks that
    needed bytes out of reach. `flat` says that the first `virtual_size` bytes of the file are
    the disk itself, whatever follows them (a fixed VHD): they may be copied like a raw disk.
    """

    format: str
    virtual_size: int | None
    native: bool = False
    flat: bool = False
    detail: object = None  # the parsed header, of a type of the format's own module
    checks_left: tuple[str, ...] = ()


def check_virtual_size(name: str, size: int) -> int:
    """Return `size` if it could be a disk; raise UnsafeImage for an absurd one."""
    if size > MAX_VIRTUAL_SIZE:
        raise errors.UnsafeImage(
            f"the {name} image claims a disk of {size} bytes, more than the limit of "
            f"{MAX_VIRTUAL_SIZE}; it is damaged or made to harm"
        )
    if size == 0:
        raise errors.CorruptImage(f"the {name} image says that its disk has no bytes")
    return size


def check_table_size(name: str, table: str, length: int) -> int:
    """Return `length` in bytes if a table of it fits into memory; raise UnsafeImage if not."""
    if length > MAX_TABLE_SIZE:
        raise errors.UnsafeImage(
            f"the {table} of the {name} image would take {length} bytes, more than the limit of "
            f"{MAX_TABLE_SIZE}; it is damaged or made to exhaust memory"
        )
    return length
