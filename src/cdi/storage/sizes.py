"""
The size that a claim asks for: reading it, bounding it, writing it back.

Sizes are whole bytes; a quantity with a fraction of a byte is rounded up.
"""

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import annotations, quantity
from cdi.storage import documents

Object = dict[str, Any]

# Kinds of source whose disks say how large they are, so that a claim need not.
MEASURABLE: Final = ("http", "registry", "s3", "gcs", "imageio")
SMALLEST: Final = 1 << 20  # bytes; below it no disk is of any use


def requested(claim: Mapping[str, Any]) -> int | None:
    """Return what the spec of a claim asks for, or None where it says nothing.

    Raises InvalidQuantity.
    """
    asked = documents.at(claim, "resources", "requests", "storage")
    return None if asked is None else quantity.parse(asked).value()


def with_request(claim: Mapping[str, Any], size: int) -> Object:
    """Return the spec of a claim with the given size, as a plain number of bytes."""
    resources = dict(claim.get("resources") or {})
    requests = dict(resources.get("requests") or {})
    requests["storage"] = str(size)
    return {**claim, "resources": {**resources, "requests": requests}}


def minimum_of(profile: Mapping[str, Any] | None) -> int:
    """Return the smallest volume that a StorageProfile's storage makes; 0 where it does not say.

    A text that is no quantity counts as saying nothing: it is written by hand.
    """
    said = documents.annotation(profile, annotations.MINIMUM_PVC_SIZE)
    if not said:
        return 0
    try:
        return quantity.parse(said).value()
    except quantity.InvalidQuantity:
        return 0


def effective(size: int, profile: Mapping[str, Any] | None) -> int:
    """Return the size that the storage will make at least, if `size` is asked for."""
    return max(size, minimum_of(profile))
