"""
Kubernetes quantities (`1Gi`, `500m`) for comparing: parsing only.

Formatting and arithmetic for CDI's own sizes are in `cdi.api`; this module only ever compares.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))([eE][+-]?\d+|[KMGTPE]i|[numkMGTPE])?")
_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


_LONGEST = 100  # characters; what anybody can count to has fewer


class InvalidQuantity(ValueError):
    """The value is no quantity."""


def parse_quantity(value: Any) -> Decimal:
    """The number that a quantity stands for."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value))
    sane = isinstance(value, str) and len(value) <= _LONGEST
    shape = _QUANTITY.fullmatch(value) if sane else None
    if shape is None:
        raise InvalidQuantity(f"{value!r} is no quantity")
    number, suffix = Decimal(shape[1]), shape[2] or ""
    if suffix in _FACTORS:
        return number * _FACTORS[suffix]
    try:
        return number.scaleb(int(suffix[1:])) if suffix else number
    except (InvalidOperation, ValueError):  # beyond what anybody can count to
        raise InvalidQuantity(f"{value!r} is no quantity") from None
