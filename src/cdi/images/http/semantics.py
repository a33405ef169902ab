"""
What the headers of an answer mean: ranges, validators and codings, as values. No I/O.

Elsewhere: what an answer without the object stands for (`refusals`). Facts: RFC 9110.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

REDIRECTS = frozenset({301, 302, 303, 307, 308})
# A signed or short-lived URL that was resolved earlier answers so once it has expired.
EXPIRED = frozenset({401, 403, 404, 410})
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

# No object has more bytes than 63 bits count, and Python refuses to read numbers without end.
MOST_DIGITS = 18
_NUMBER = rf"[0-9]{{1,{MOST_DIGITS}}}"
_CONTENT_RANGE = re.compile(
    rf"\s*bytes\s+(?:({_NUMBER})-({_NUMBER})|\*)/({_NUMBER}|\*)\s*", re.IGNORECASE
)


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
    return parse_number((value or "").strip())


def parse_number(text: str) -> int | None:
    """Read a number of a header, None if it is none that anybody could mean."""
    sane = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    return int(text) if sane else None


def validators_of(headers: Mapping[str, str]) -> Validators:
    return Validators(headers.get("ETag", "").strip(), headers.get("Last-Modified", "").strip())


def unwanted_coding(headers: Mapping[str, str], path: str) -> str:
    """Return the Content-Encoding that the server added although asked not to, or nothing.

    Some servers put `gzip` on every file called *.gz: it then tells what the file is.
    """
    coding = headers.get("Content-Encoding", "").strip().lower()
    own = coding == "identity" or path.lower().endswith(_SUFFIXES.get(coding, ()))
    return "" if own else coding


def _opaque(etag: str) -> str:
    return etag.removeprefix("W/")
