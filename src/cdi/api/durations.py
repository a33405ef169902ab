"""Durations as Kubernetes' objects state them, in Go's words: `1h30m`, `90s`, `0`. In seconds."""

from __future__ import annotations

import re
from typing import Final

PATTERN: Final = r"^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h))+)$"
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class InvalidDuration(ValueError):
    """A text is no duration."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is no duration; want something like 30m, 1h30m or 0")


def parse(text: str) -> float:
    """Return the seconds that a text means. Raises InvalidDuration."""
    if not re.fullmatch(PATTERN, text, re.ASCII):
        raise InvalidDuration(text)
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
