"""Runs of host bytes, and what they mean. Only values."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Kind(IntEnum):
    """What lies in a run of host bytes."""

    PLAIN = 0  # guest bytes as they are, in whole blocks
    PACKED = 1  # one compressed block, up to the end of its last sector
    HELD = 2  # clusters that are taken, and not read: zero, or PART runs tell what is in them
    PART = 3  # guest bytes as they are, in subclusters of a held cluster

    # Met in file order only.
    L1 = 4  # the table of tables; VMDK calls it the grain directory
    L2 = 5  # a table of blocks
    REFCOUNT_TABLE = 6
    IGNORED = 7  # known to be no data
    MARKER = 8  # tells what follows it
    FOOTER = 9


class Run(NamedTuple):
    """Host bytes [start, end) that mean something for the guest bytes from `guest` on.

    Sorts by place in the file. Plain runs end where the disk ends, within their last block.
    """

    start: int
    end: int
    guest: int
    kind: Kind
