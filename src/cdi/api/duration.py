"""Durations as Go writes them: `48h0m0s`, `90s`, `1.5h`. Raises InvalidDuration."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_TERM: Final = r"(\d+(?:\.\d*)?|\.\d+)(h|ms|m|us|µs|ns|s)"
_WHOLE: Final = re.compile(rf"[-+]?(?:{_TERM})+")


class InvalidDuration(ValueError):
    """The text is not a duration."""


def parse(text: str) -> timedelta:
    """The duration that a text stands for; `0` needs no unit."""
    if text in ("0", "+0", "-0"):
        return timedelta()
    if not _WHOLE.fullmatch(text):
        raise InvalidDuration(f"{text!r} is not a duration such as 48h0m0s")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_TERM, text))
    try:
        return timedelta(seconds=-seconds if text.startswith("-") else seconds)
    except OverflowError as error:
        raise InvalidDuration(f"{text!r} is too long for a duration") from error


def show(duration: timedelta) -> str:
    """The text for a duration of whole seconds, as Go prints it."""
    total = round(duration.total_seconds())
    sign, total = ("-", -total) if total < 0 else ("", total)
    hours, minutes, seconds = total // 3600, total // 60 % 60, total % 60
    if hours:
        return f"{sign}{hours}h{minutes}m{seconds}s"
    return f"{sign}{minutes}m{seconds}s" if minutes else f"{sign}{seconds}s"
