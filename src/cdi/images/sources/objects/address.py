"""
The name of one object, and the URL at which its store serves it.

Objects are always asked for as endpoint/bucket/key: every store understands that, and a bucket
needs no name in DNS. Names in URLs are percent-encoded, as in all URLs: `%20` is a space, `%3F` a
question mark, `%25` a percent sign; a plain space is taken too. Raises InvalidRequest.
"""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.http import urls

# A server or proxy may resolve these two, as in a file's path; encoded ones are left alone.
_DOTS = {".": "%2E", "..": "%2E%2E"}


@dataclass(frozen=True, slots=True)
class Address:
    """One object of one bucket, called container by Azure."""

    endpoint: str  # scheme://host[:port][/prefix]
    bucket: str  # may be empty where the endpoint's host names it
    key: str
    version: str = ""  # the newest one if empty

    def url(self, version_parameter: str) -> str:
        """The URL of the object; `version_parameter` is what the store calls a version."""
        path = "/".join(filter(None, (self.endpoint.rstrip("/"), encoded(self.bucket))))
        query = (
            f"?{version_parameter}={urllib.parse.quote(self.version, safe='')}"
            if self.version
            else ""
        )
        return f"{path}/{encoded(self.key)}{query}"


def encoded(name: str) -> str:
    """Encode a name for a URL's path; slashes stay."""
    parts = urllib.parse.quote(name, safe="/-_.~", errors="surrogateescape").split("/")
    return "/".join(_DOTS.get(part, part) for part in parts)


def parse_named(url: str, version_parameter: str, endpoint: str) -> Address:
    """Read scheme://bucket/key, of a store at `endpoint`."""
    _, bucket, key, version = _parts(url, version_parameter)
    return _checked(Address(endpoint, urllib.parse.unquote(bucket), key, version))


def parse_at_host(url: str, version_parameter: str, *, named: bool = False) -> Address:
    """Read scheme://host[:port]/bucket/key; TLS is used unless the scheme is http.

    `named` says that the host may stand for the bucket, so that the path may be a key alone.
    """
    scheme, host, path, version = _parts(url, version_parameter)
    scheme = "http" if scheme == "http" else "https"
    place = urls.parse_url(f"{scheme}://{host}/")
    if place.user or place.password:
        raise errors.InvalidRequest(
            "the URL of an object holds credentials; give them as a Secret or in the environment"
        )
    bucket, slash, key = path.partition("/")
    if named and not slash:
        bucket, key = "", path
    return _checked(Address(place.url.rstrip("/"), bucket, key, version))


def _parts(url: str, version_parameter: str) -> tuple[str, str, str, str]:
    """Return scheme, host, path without its first slash and unquoted, and version."""
    scheme, separator, rest = url.strip(" ").partition("://")
    rest, _, _ = rest.partition("#")
    rest, _, query = rest.partition("?")
    host, _, path = rest.partition("/")
    if not separator or not host:
        raise errors.InvalidRequest("the URL of an object names no host or bucket")
    given = urllib.parse.parse_qs(query)
    version = (given.get(version_parameter) or [""])[0]
    return scheme.lower(), host, urllib.parse.unquote(path, errors="surrogateescape"), version


def _checked(address: Address) -> Address:
    if not address.key:
        raise errors.InvalidRequest(
            "the URL of an object names a bucket only; write bucket and object: .../bucket/object"
        )
    if any(ord(letter) < 0x20 or ord(letter) == 0x7F for letter in address.bucket):
        raise errors.InvalidRequest("the name of the bucket holds control characters")
    return address
