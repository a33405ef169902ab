"""
What a server's answer means: status, ranges, validators and wishes, as values. No I/O.

Elsewhere: how the answer is fetched (`session`) and what follows from it (`http`).
"""

from __future__ import annotations

import importlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from cdi.images import errors

REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A signed or short-lived URL that was resolved earlier answers so once it has expired.
EXPIRED = frozenset({401, 403, 404, 410})
# Worth another try: the server is busy, or a gateway before it is. 408 and 425 ask for it.
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})

_GZIP = (".gz", ".tgz")
_BZIP2 = (".bz2", ".tbz2")
_XZ = (".xz", ".txz")
_SUFFIXES = {
    "gzip": _GZIP,
    "x-gzip": _GZIP,
    "bzip2": _BZIP2,
    "x-bzip2": _BZIP2,
    "xz": _XZ,
    "x-xz": _XZ,
    "zstd": (".zst", ".tzst"),
}

_CONTENT_RANGE = re.compile(r"\s*bytes\s+(?:(\d+)-(\d+)|\*)/(\d+|\*)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """Bytes [start, end) of `total`; an unsatisfied range has start and end 0."""

    start: int
    end: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Validators:
    """What the server says about the version of an object."""

    etag: str = ""
    modified: str = ""

    @property
    def strong(self) -> str:
        """What If-Range may hold: a strong ETag, else the date, else nothing."""
        return self.modified if not self.etag or self.etag.startswith("W/") else self.etag

    def contradict(self, other: Validators) -> bool:
        """Whether both say something, and not the same."""
        if self.etag and other.etag:
            return _opaque(self.etag) != _opaque(other.etag)
        return bool(self.modified and other.modified and self.modified != other.modified)


def parse_content_range(value: str | None) -> ContentRange | None:
    """Read a Content-Range header; None if there is none, or none that makes sense."""
    match = _CONTENT_RANGE.fullmatch(value or "")
    if not match:
        return None
    first, last, total = match.groups()
    size = None if total == "*" else int(total)
    if first is None:
        return ContentRange(0, 0, size)
    start, end = int(first), int(last) + 1
    if start >= end or (size is not None and end > size):
        return None
    return ContentRange(start, end, size)


def parse_length(value: str | None) -> int | None:
    """Read a Content-Length header; None if it says nothing usable."""
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header in both forms; seconds from `now` (Unix time), at least 0."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
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
    parse = importlib.import_module("email.utils").parsedate_to_datetime
    try:
        return float(parse(text).timestamp())
    except (ValueError, OverflowError):
        return None


def validators_of(headers: Mapping[str, str]) -> Validators:
    return Validators(headers.get("ETag", "").strip(), headers.get("Last-Modified", "").strip())


def unwanted_coding(headers: Mapping[str, str], path: str) -> str:
    """Return the Content-Encoding that the server added although asked not to, or nothing.

    Some servers put `gzip` on every file called *.gz: it then tells what the file is.
    """
    coding = headers.get("Content-Encoding", "").strip().lower()
    own = coding == "identity" or path.lower().endswith(_SUFFIXES.get(coding, ()))
    return "" if own else coding


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


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/")
