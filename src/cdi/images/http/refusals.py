"""
What an answer without the object stands for: an error for people, and when to come back.

Elsewhere: what the stores and registries say beyond the status (their own rooms).
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from cdi.images import errors
from cdi.images.http import semantics

# Worth another try: the server is busy, or a gateway before it is. 408 and 425 ask for it.
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


def error_for(
    shown: str, status: int, phrase: str, retry_after: float | None = None
) -> errors.SourceError:
    """The error that a status other than 200 and 206 stands for. `shown` is the printable URL."""
    # Existing clients look for exactly this sentence.
    said = f"{shown}: expected status code 200, got {status}. Status: {status} {phrase}".rstrip()
    if status in {404, 410}:
        return errors.NotFound(f"{said}; check the address")
    if status in {401, 403}:
        return errors.AccessDenied(f"{said}; check user, password and headers")
    if status == 407:
        return errors.AccessDenied(f"{said}; check the credentials in the proxy's URL")
    if status in BUSY:
        wish = "" if retry_after is None else f" in {retry_after:.0f} s, as the server asks"
        return errors.SourceUnavailable(f"{said}; try again{wish or ' later'}", retry_after)
    return errors.SourceRefused(f"{said}; the server does not serve this request as a file")


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header in both forms; seconds from `now` (Unix time), at least 0."""
    text = (value or "").strip()
    if (seconds := semantics.parse_number(text)) is not None:
        return float(seconds)
    moment = _parse_date(text)
    return None if moment is None else max(0.0, moment - now)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How many seconds the server wants to be left alone, by its own clock if it shows one."""
    now = _parse_date(headers.get("Date", ""))
    return parse_retry_after(headers.get("Retry-After"), time.time() if now is None else now)


def _parse_date(text: str) -> float | None:
    if not text:
        return None
    # Loaded when a server wants to be left alone: it takes longer than many a request.
    from email.utils import parsedate_to_datetime

    try:
        return float(parsedate_to_datetime(text).timestamp())
    except (ValueError, OverflowError):
        return None
