"""Times as the API writes them. A clock is any callable that returns an aware datetime."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


def rfc3339(moment: datetime) -> str:
    """Seconds precision, in UTC: 2026-01-31T12:00:00Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str) -> datetime:
    """The moment that `text` names. Raises ValueError."""
    return datetime.fromisoformat(text)
