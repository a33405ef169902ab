"""Whole numbers as annotations hold them, which anybody may have written."""

from __future__ import annotations

from typing import Final

_MOST_DIGITS: Final = 18  # so many fit 64 bits; Python refuses to read thousands of them


def parse_count(text: str | None) -> int | None:
    """Return the number that is nothing but decimal digits, None for anything else."""
    if text is None or len(text) > _MOST_DIGITS or not (text.isascii() and text.isdecimal()):
        return None
    return int(text)
