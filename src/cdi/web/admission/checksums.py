"""What a promised digest has to look like: `sha256:<hex>`."""

import re
from typing import Final

# algorithm -> hexadecimal digits of a digest
ALGORITHMS: Final = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}

_HEX = re.compile(r"[0-9a-f]*")


def problem_with(checksum: str) -> str:
    """Return what is wrong with a checksum; empty if nothing is, or if there is none."""
    if not checksum:
        return ""
    algorithm, colon, digest = (part.strip().lower() for part in checksum.partition(":"))
    if not colon:
        return f"{checksum!r}: want <algorithm>:<hex digest>"
    if algorithm not in ALGORITHMS:
        return f"unknown algorithm {algorithm!r}: want one of {', '.join(ALGORITHMS)}"
    if len(digest) != ALGORITHMS[algorithm]:
        length = ALGORITHMS[algorithm]
        return f"a {algorithm} digest has {length} hexadecimal digits, this one has {len(digest)}"
    if not _HEX.fullmatch(digest):
        return f"the {algorithm} digest is not hexadecimal"
    return ""
