"""
AWS Signature Version 4 of a GET without a body. Pure: no clock, no I/O.

Facts: Amazon's "Authenticating requests (AWS Signature Version 4)". Only what identifies the
object is signed; headers that a gateway may rewrite, such as Range, are not.
"""

from __future__ import annotations

import hashlib
import hmac
import urllib.parse
from datetime import datetime

from cdi.images.http.urls import PORTS, Url
from cdi.images.sources.objects.access import Keys

_ALGORITHM = "AWS4-HMAC-SHA256"
_EMPTY = hashlib.sha256(b"").hexdigest()


def headers_for(keys: Keys, region: str, place: Url, now: datetime) -> dict[str, str]:
    """Return the headers that sign a GET of `place` at `now` (UTC)."""
    moment = now.strftime("%Y%m%dT%H%M%SZ")
    signed = {"host": _host(place), "x-amz-content-sha256": _EMPTY, "x-amz-date": moment}
    if keys.token:
        signed["x-amz-security-token"] = keys.token
    names = ";".join(signed)
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    request = hashlib.sha256(_canonical(place, signed).encode()).hexdigest()
    text = f"{_ALGORITHM}\n{moment}\n{scope}\n{request}"
    signature = _mac(_key(keys.secret, scope), text).hex()
    sent = {name: value for name, value in signed.items() if name != "host"}
    sent["Authorization"] = (
        f"{_ALGORITHM} Credential={keys.key_id}/{scope}, "
        f"SignedHeaders={names}, Signature={signature}"
    )
    return sent


def _canonical(place: Url, signed: dict[str, str]) -> str:
    path, _, query = place.target.partition("?")
    lines = [f"{name}:{value.strip()}" for name, value in signed.items()]
    return "\n".join(
        (
            "GET",
            _encoded(urllib.parse.unquote_to_bytes(path), "/"),
            _sorted(query),
            *lines,
            "",
            ";".join(signed),
            _EMPTY,
        )
    )


def _sorted(query: str) -> str:
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    return "&".join(sorted(f"{_encoded(name)}={_encoded(value)}" for name, value in pairs))


def _encoded(text: str | bytes, safe: str = "") -> str:
    return urllib.parse.quote(text, safe=f"{safe}-_.~")


def _host(place: Url) -> str:
    return place.host if place.port == PORTS[place.scheme] else f"{place.host}:{place.port}"


def _key(secret: str, scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
