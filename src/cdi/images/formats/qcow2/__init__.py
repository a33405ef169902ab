"""
qcow2, read natively: at random (`RandomQcow2`) or in file order (`ForwardQcow2`).

Here: versions 2 and 3 as the format's specification describes them. Not here: writing, backing
files, external data files and encryption, all of which are refused; snapshots and bitmaps, which
are no part of the disk. An image of changes may name the disk that it builds on, if that is the
one expected: the name is compared, and nothing is opened. All input is taken for hostile.
"""

from cdi.images.formats.qcow2.forward import ForwardQcow2
from cdi.images.formats.qcow2.header import HEAD_BYTES, Compression, Header, parse_header
from cdi.images.formats.qcow2.ranged import RandomQcow2, inspect

__all__ = [
    "HEAD_BYTES",
    "Compression",
    "ForwardQcow2",
    "Header",
    "RandomQcow2",
    "inspect",
    "parse_header",
]
