"""What the schedule of a DataImportCron has to look like."""

import pytest

from cdi.api import schedules


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "* * * * *",
        "0 3 * * *",
        "*/15 0-6,22 1,15 jan-MAR mon",
        "0 0 ? * ?",
        "5/10 * * * *",
        "@daily",
        "@every 1h30m",
        "CRON_TZ=Europe/Rome 0 3 * * *",
        "TZ=UTC @hourly",
    ],
)
def test_good_schedule(schedule: str) -> None:
    assert schedules.problem_with(schedule) == ""


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        ("* * * *", "want 5 fields"),
        ("* * * * * *", "want 5 fields"),
        ("60 * * * *", "is no minute"),
        ("* 24 * * *", "is no hour"),
        ("* * 0 * *", "is no day of month"),
        ("* * * 13 *", "is no month"),
        ("* * * * 7", "is no day of week"),
        ("* * * foo *", "is no month"),
        ("10-5 * * * *", "is no minute"),
        ("*/0 * * * *", "is no minute"),
        ("1,,2 * * * *", "is no minute"),
        ("-1 * * * *", "is no minute"),
        ("@sometimes", "unknown descriptor"),
        ("@every now", "unknown descriptor"),
        ("TZ=Mars/Base 0 3 * * *", "unknown time zone"),
        ("every day", "want 5 fields"),
    ],
)
def test_bad_schedule(schedule: str, text: str) -> None:
    assert text in schedules.problem_with(schedule)
