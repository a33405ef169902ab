"""
What the schedule of a DataImportCron has to look like: five cron fields, or a word such as
@daily, perhaps after a time zone (`CRON_TZ=Europe/Rome 0 3 * * *`); and when it is due next.
"""

import re
import zoneinfo
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple

from cronsim import CronSim, CronSimError

from cdi.api import duration
from cdi.api.counts import parse_count

DESCRIPTORS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
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


def next_after(schedule: str, moment: datetime) -> datetime | None:
    """When a schedule is due next, strictly after `moment`; UTC. None: never again.

    The schedule is one that `problem_with` finds nothing wrong with; others are never due.
    """
    zone: tzinfo = UTC
    zoned = _ZONE.fullmatch(schedule)
    if zoned:
        name, schedule = zoned.groups()
        zone = UTC if name == "Local" else zoneinfo.ZoneInfo(name)
    schedule = schedule.strip()
    if _EVERY.fullmatch(schedule):
        return _after_interval(schedule.removeprefix("@every").strip(), moment)
    fields = DESCRIPTORS.get(schedule, schedule).replace("?", "*")
    try:
        return next(CronSim(fields, moment.astimezone(zone))).astimezone(UTC)
    except (CronSimError, StopIteration):
        return None


def _after_interval(text: str, moment: datetime) -> datetime | None:
    whole = moment.astimezone(UTC).replace(microsecond=0)
    try:
        return whole + max(timedelta(seconds=1), duration.parse(text))
    except (duration.InvalidDuration, OverflowError):
        return None


def _is_zone(zone: str) -> bool:
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return zone == "Local"
    return True


def _is_part(text: str, field: _Field) -> bool:
    """Tell whether a text is `*`, a number or a range, perhaps with a step."""
    bounds, slash, step = text.partition("/")
    if slash and not parse_count(step):
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
    number = parse_count(text)
    if number is None:
        return None
    return number if field.lowest <= number <= field.highest else None
