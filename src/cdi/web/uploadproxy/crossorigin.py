"""
Pages of other origins that upload: which may, and what they may read of answers.

Uploads carry a token that a page must have been given, and no cookies count, so by default every
origin may; an installation can name those that may. Nothing else here is for other origins.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

ANY: Final = "*"
_METHODS: Final = "HEAD, GET, POST, PUT, PATCH, DELETE"
_READABLE: Final = (
    "Location, Upload-Offset, Upload-Length, Upload-Metadata, Tus-Resumable, Tus-Version, "
    "Tus-Extension, Tus-Checksum-Algorithm, Retry-After, Cdi-Reason"
)
_DAY: Final = "86400"  # seconds that a browser need not ask again; it may well take less


@dataclass(frozen=True, slots=True)
class Origins:
    """Those whose pages may upload: ANY, or each by scheme, host and port as browsers say it."""

    allowed: Collection[str] = (ANY,)

    def headers_for(self, origin: str) -> Mapping[str, str]:
        """What answers to a page of this origin say; nothing if it may not."""
        if not origin:
            return {}
        if ANY in self.allowed:
            return {"Access-Control-Allow-Origin": ANY, "Access-Control-Expose-Headers": _READABLE}
        if origin not in self.allowed:
            return {"Vary": "Origin"}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": _READABLE,
            "Vary": "Origin",
        }

    def preflight(self, origin: str, asked: Mapping[str, str]) -> Mapping[str, str] | None:
        """What is added to the answer to a preflight; None if the page may not upload."""
        if ANY not in self.allowed and origin not in self.allowed:
            return None
        return {
            "Access-Control-Allow-Methods": asked.get("Access-Control-Request-Method") or _METHODS,
            "Access-Control-Allow-Headers": asked.get("Access-Control-Request-Headers") or ANY,
            "Access-Control-Max-Age": _DAY,
        }
