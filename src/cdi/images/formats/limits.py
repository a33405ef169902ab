"""The limits that every format shares: beyond them an image is damaged, or made to harm."""

from __future__ import annotations

from typing import Final

from cdi.images import errors

# 1 PiB. No hypervisor writes larger disks, and every product of two header fields that has
# passed this limit stays far from 64-bit overflow in the tools that come after us.
MAX_VIRTUAL_SIZE: Final = 1 << 50

# A converter holds one table of this kind in memory. 64 MiB maps 16 TiB in the smallest usual
# blocks; a larger one is made to exhaust memory, not to hold a disk.
MAX_TABLE_SIZE: Final = 64 << 20


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
