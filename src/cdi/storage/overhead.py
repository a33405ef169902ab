"""
What a file system needs for itself, and how much to ask for so that a disk still fits.

Sizes are in bytes. An overhead is a share of the disk's size between 0 and 1; in the API it is
decimal text. The arithmetic is in double precision on purpose: sizes of claims are compared
with what other versions computed, to the byte.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from cdi.api.kinds import config
from cdi.storage import classes, documents, modes

Object = dict[str, Any]

MIB: Final = 1 << 20
DEFAULT: Final = "0.06"  # of a file system such as ext4 or xfs, with its journal and reserve
NONE: Final = "0"

_PATTERN: Final = re.compile(config.OVERHEAD_PATTERN)


def is_valid(text: str) -> bool:
    """Tell whether a text is an overhead: 0, 1, or up to three decimals between them."""
    return _PATTERN.fullmatch(text) is not None


def ceil_mib(size: int) -> int:
    """Return `size` rounded up to whole MiB."""
    return -(-size // MIB) * MIB


def floor_mib(size: int) -> int:
    """Return `size` rounded down to whole MiB."""
    return size // MIB * MIB


def required(size: int, overhead: float) -> int:
    """Return the bytes to ask for so that `size` bytes are usable. Not a multiple of a MiB."""
    return math.ceil(ceil_mib(size) * (1 + overhead))


def usable(size: int, overhead: float) -> int:
    """Return the bytes that are usable in a volume of `size` bytes; a multiple of a MiB."""
    return floor_mib(math.ceil(size / (1 + overhead)))


def overhead_for(
    config_object: Mapping[str, Any] | None,
    storage_classes: Iterable[Object],
    class_name: str | None,
    volume_mode: str | None,
) -> str:
    """Return the overhead of a volume, as the decimal text of the CDIConfig.

    It is 0 for a Block volume, for a claim that refuses every class, and as long as CDIConfig
    says nothing. A class that does not exist counts as the cluster's default.
    """
    said = documents.at(config_object, "status", "filesystemOverhead")
    if volume_mode == modes.BLOCK or class_name == "" or not said:
        return NONE
    found = classes.choose_as_kubernetes(storage_classes, class_name)
    found = found or classes.default(storage_classes)
    of_class = documents.at(said, "storageClass") or {}
    return str(of_class.get(documents.name(found or {})) or said.get("global") or NONE)
