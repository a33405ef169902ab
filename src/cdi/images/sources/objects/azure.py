"""
Blobs in Azure Storage: az://account/container/blob.

Asked with an account key, which signs each request; with a shared access signature, which is part
of the URL; or anonymously.
"""

from __future__ import annotations

import base64
import binascii
import email.utils
import hmac
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping

from cdi.images import errors
from cdi.images.http.client import Fields
from cdi.images.http.options import HttpOptions
from cdi.images.http.urls import Route, Url
from cdi.images.sources.http import HttpSource
from cdi.images.sources.objects import address
from cdi.images.sources.objects.access import AzureAccess
from cdi.images.sources.objects.store import Store

VERSION = "versionid"
_API = "2021-08-06"  # of the interface: what its answers look like


def open_object(
    url: str,
    access: AzureAccess,
    options: HttpOptions | None = None,
    cancel: threading.Event | None = None,
) -> HttpSource:
    """Open az://account/container/blob. Raises SourceError, InvalidRequest."""
    named = address.parse_named(url, VERSION, "")
    account, (container, _, blob) = named.bucket, named.key.partition("/")
    if not blob:
        raise errors.InvalidRequest("write az://account/container/blob")
    if access.account and access.account != account:
        raise errors.InvalidRequest(
            f"the credentials are for the account {access.account}, not {account}"
        )
    endpoint = access.endpoint or f"https://{account}.blob.core.windows.net"
    found = address.Address(endpoint, container, blob, named.version).url(VERSION)
    if access.sas and not access.key:
        found += ("&" if "?" in found else "?") + access.sas.lstrip("?&")
    service = Azure(account, access.key, anonymous=not (access.key or access.sas))
    return HttpSource(found, options, service=service, cancel=cancel)


class Azure(Store):
    """The service of one blob; see `service.Service`. Raises InvalidRequest for a bad key."""

    def __init__(
        self, account: str, key: str, *, anonymous: bool, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(anonymous=anonymous)
        self._account = account
        self._key = _decoded(key)
        self._now = now

    def headers(self, route: Route, fields: Fields) -> Mapping[str, str]:
        given = {"x-ms-version": _API}
        if not self._key:
            return given
        given["x-ms-date"] = email.utils.formatdate(self._now(), usegmt=True)
        text = text_to_sign(self._account, route.location, {**dict(fields), **given})
        signature = base64.b64encode(hmac.digest(self._key, text.encode(), "sha256")).decode()
        return {**given, "Authorization": f"SharedKey {self._account}:{signature}"}


# The headers that are signed by value, in this order; we send only the last ones.
_STANDARD = (
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-MD5",
    "Content-Type",
    "Date",
    "If-Modified-Since",
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "Range",
)


def text_to_sign(account: str, place: Url, headers: Mapping[str, str]) -> str:
    """What a SharedKey signature of a GET covers."""
    path, _, query = place.target.partition("?")
    own = sorted((name, value) for name, value in headers.items() if name.startswith("x-ms-"))
    lines = ["GET", *(headers.get(name, "") for name in _STANDARD)]
    lines += [f"{name}:{value}" for name, value in own]
    lines.append(f"/{account}{path}")
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    return "\n".join(lines + [f"{name.lower()}:{value}" for name, value in sorted(pairs)])


def _decoded(key: str) -> bytes:
    try:
        return base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise errors.InvalidRequest(
            "the Azure account key is not base64; copy it from the account's access keys"
        ) from None
