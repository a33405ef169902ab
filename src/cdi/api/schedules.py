"""
What the schedule of a DataImportCron has to look like: five cron fields, or a word such as
@daily, perhaps after a time zone (`CRON_TZ=Europe/Rome 0 3 * * *`).
"""

import re
import zoneinfo
from typing import Final, NamedTuple

DESCRIPTORS: Final = frozenset(
    {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}
)
_EVERY = re.compile(r"@every\s+([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+")
_ZONE = re.compile(r"(?:CRON_TZ|TZ)=(\S*)\s+(.*)", re.DOTALL)


class _Field(NamedTuple):
    name: str
    lowest: int
    highest: int
    words: tuple[str, ...] = ()  # for the numbers from `lowest` on


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field(
        "month", 1, 12,
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"),
    ),
    _Field("day of week", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)  # fmt: skip


def problem_with(schedule: str) -> str:
    """Return what is wrong with a schedule; empty if nothing is, or if there is none."""
    if not schedule:
        return ""
    zoned = _ZONE.fullmatch(schedule)
    if zoned:
        zone, schedule = zoned.groups()
        if not _is_zone(zone):
            return f"unknown time zone {zone!r}"
    schedule = schedule.strip()
    if schedule.startswith("@"):
        known = schedule in DESCRIPTORS or _EVERY.fullmatch(schedule)
        return "" if known else f"unknown descriptor {schedule!r}"
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        return f"want {len(_FIELDS)} fields separated by blanks, got {len(fields)}: {schedule!r}"
    for text, field in zip(fields, _FIELDS, strict=True):
        for part in text.split(","):
            if not _is_part(part, field):
                return f"{part!r} is no {field.name} ({field.lowest}-{field.highest})"
    return ""


def _is_zone(zone: str) -> bool:
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zone == "Local"
    return True


def _is_part(text: str, field: _Field) -> bool:
    """Tell whether a text is `*`, a number or a range, perhaps with a step."""
    bounds, slash, step = text.partition("/")
    if slash and not (step.isdecimal() and step.isascii() and int(step) > 0):
        return False
    if bounds in ("*", "?"):
        return True
    first, dash, last = bounds.partition("-")
    low = _number(first, field)
    high = _number(last, field) if dash else low
    return low is not None and high is not None and low <= high


def _number(text: str, field: _Field) -> int | None:
    word = text.lower()
    if word in field.words:
        return field.lowest + field.words.index(word)
    if not (text.isascii() and text.isdecimal()):
        return None
    number = int(text)
    return number if field.lowest <= number <= field.highest else None
