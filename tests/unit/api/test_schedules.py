"""What the schedule of a DataImportCron has to look like."""

from datetime import UTC, datetime, timedelta

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
        pytest.param("9" * 5000 + " * * * *", "is no minute", id="digits-without-end"),
        pytest.param("*/" + "9" * 5000 + " * * * *", "is no minute", id="steps-without-end"),
        ("@sometimes", "unknown descriptor"),
        ("@every now", "unknown descriptor"),
        ("TZ=Mars/Base 0 3 * * *", "unknown time zone"),
        ("every day", "want 5 fields"),
    ],
)
def test_bad_schedule(schedule: str, text: str) -> None:
    assert text in schedules.problem_with(schedule)


@pytest.mark.parametrize(
    ("schedule", "due"),
    [
        ("* * * * *", "2030-01-01T12:01:00"),
        ("30 3 * * *", "2030-01-02T03:30:00"),
        ("0 0 ? * sun", "2030-01-06T00:00:00"),
        ("@hourly", "2030-01-01T13:00:00"),
        ("@every 1h30m", "2030-01-01T13:30:30"),
        ("@every 1ms", "2030-01-01T12:00:31"),
        ("CRON_TZ=Asia/Tokyo 0 3 * * *", "2030-01-01T18:00:00"),
        ("0 0 31 feb *", None),
        ("@every 99999999999999h", None),
    ],
)
def test_a_schedule_is_due_next(schedule: str, due: str | None) -> None:
    now = datetime(2030, 1, 1, 12, 0, 30, 500_000, tzinfo=UTC)
    found = schedules.next_after(schedule, now)
    assert (found and found.isoformat()) == (due and f"{due}+00:00")


def test_a_schedule_is_due_after_the_moment_itself() -> None:
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    assert schedules.next_after("0 12 * * *", noon) == noon + timedelta(days=1)
