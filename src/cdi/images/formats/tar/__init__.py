"""
tar archives, read forward (`Walker`) or at random (`walk_at`).

Here: what an archive says of its entries, and where their bytes are. v7, ustar, pax and GNU
archives, with long names, large numbers and sparse files of every kind. Not here: writing files
(`images.archive`), compression, volumes that span several archives. All input is taken for
hostile: no field is believed before it has been checked, and memory is bounded.
"""

from cdi.images.formats.tar.block import BLOCK, matches
from cdi.images.formats.tar.entry import Entry, Kind
from cdi.images.formats.tar.walk import ENTRIES, Standing, Walker, walk_at

__all__ = ["BLOCK", "ENTRIES", "Entry", "Kind", "Standing", "Walker", "matches", "walk_at"]
