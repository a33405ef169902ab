"""What the URL of a source has to look like: an absolute one, of a scheme that its source knows."""

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

HTTP: Final = ("http", "https")
GCS: Final = ("gs", "http", "https")
REGISTRY: Final = ("docker", "oci-archive")

_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def problem_with(url: str, schemes: Collection[str]) -> str:
    """Return what is wrong with the URL of a source; empty if nothing is."""
    if not url:
        return "it is empty"
    if _UNPRINTABLE.search(url):
        return f"{url!r} contains a blank or a control character"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"{url!r}: {error}"
    if _BROKEN_ESCAPE.search(parts.path):
        return f"{url!r} has a % that is not followed by two hexadecimal digits"
    if parts.scheme not in schemes:
        return f"{url!r}: want a URL that begins with {_listed(schemes)}"
    if parts.scheme != "oci-archive" and not host:
        return f"{url!r} names no host"
    if parts.scheme == "oci-archive" and not (parts.netloc or parts.path):
        return f"{url!r} names no file"
    return ""


def _listed(schemes: Collection[str]) -> str:
    return " or ".join(f"{scheme}:" for scheme in schemes)
