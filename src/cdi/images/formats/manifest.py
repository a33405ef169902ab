"""
The manifest of a virtual appliance: a digest of each of its files, `SHA256(disk.vmdk)= 0a1b...`.
"""

from __future__ import annotations

import re
from typing import Final

from cdi.images import digest

LONGEST: Final = 1 << 20  # bytes

_LINE = re.compile(r"\s*([A-Za-z0-9-]+)\s*\((.+)\)\s*=\s*([0-9A-Fa-f]+)\s*\Z")

Digests = dict[str, tuple[str, str]]  # by file name: algorithm, lower-case hex digits


def parse_manifest(text: bytes) -> Digests:
    """Return the digests that can be checked here; other lines are ignored."""
    found: Digests = {}
    for line in text.decode("utf-8", "replace").splitlines():
        parts = _LINE.match(line)
        if parts is None:
            continue
        algorithm, digits = parts[1].lower().replace("-", ""), parts[3].lower()
        if len(digits) == digest.HEX_DIGITS.get(algorithm):
            found[parts[2]] = (algorithm, digits)
    return found
