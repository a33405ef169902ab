"""
The coding of a body (RFC 9110, 8.4), where it is not the object's own compression.
"""

from __future__ import annotations

_GZIP = (".gz", ".tgz")
_BZIP2 = (".bz2", ".tbz2")
_XZ = (".xz", ".txz")
_SUFFIXES = {
    "gzip": _GZIP,
    "x-gzip": _GZIP,
    "bzip2": _BZIP2,
    "x-bzip2": _BZIP2,
    "xz": _XZ,
    "x-xz": _XZ,
    "zstd": (".zst", ".tzst"),
}


def unwanted(coding: str, path: str) -> str:
    """Return the coding that the server added although asked not to, or nothing.

    Some servers put `gzip` on every file called *.gz: it then tells what the file is.
    """
    own = coding == "identity" or path.lower().endswith(_SUFFIXES.get(coding, ()))
    return "" if own else coding
