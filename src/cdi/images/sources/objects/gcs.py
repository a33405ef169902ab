"""
Objects in Google Cloud Storage, by its XML interface, which serves plain bytes in ranges.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from cdi.images import errors
from cdi.images.http.client import Fields
from cdi.images.http.options import HttpOptions
from cdi.images.http.response import Response
from cdi.images.http.urls import Route
from cdi.images.sources.http import HttpSource
from cdi.images.sources.objects import address, google
from cdi.images.sources.objects.access import GoogleAccess
from cdi.images.sources.objects.store import Store
from cdi.images.sources.objects.tokens import Keeper

VERSION = "generation"


def open_object(
    url: str,
    access: GoogleAccess,
    options: HttpOptions | None = None,
    cancel: threading.Event | None = None,
) -> HttpSource:
    """Open gs://bucket/object, or http(s)://host/bucket/object with that host as endpoint.

    Raises SourceError, InvalidRequest.
    """
    options = options or HttpOptions()
    cancel = cancel or threading.Event()
    found = _address(url, access.endpoint)
    service = Gcs(_keeper(access, options, cancel))
    return HttpSource(found.url(VERSION), options, service=service, cancel=cancel)


def _address(url: str, endpoint: str) -> address.Address:
    scheme = url.partition("://")[0].strip().lower()
    if scheme == "gs":
        return address.parse_named(url, VERSION, endpoint)
    if scheme in {"http", "https"}:
        return address.parse_at_host(url, VERSION)
    # The rest of the URL is not repeated: it may hold a password.
    raise errors.InvalidRequest(
        f"{scheme!r} is not a scheme of Google Cloud Storage; write gs://bucket/object"
    )


def _keeper(access: GoogleAccess, options: HttpOptions, cancel: threading.Event) -> Keeper | None:
    granter = google.Granter(options, cancel)
    if access.credentials:
        credentials = google.parse_credentials(access.credentials)
        return Keeper(granter.for_credentials(credentials))
    if access.metadata_host:
        return Keeper(granter.for_metadata(access.metadata_host))
    return None


class Gcs(Store):
    """The service of one object; see `service.Service`. Without a keeper it asks anonymously."""

    def __init__(self, keeper: Keeper | None) -> None:
        super().__init__(anonymous=keeper is None)
        self._keeper = keeper

    def headers(self, route: Route, fields: Fields) -> Mapping[str, str]:
        del route, fields
        # Whoever does not take gzip gets objects that are stored so unpacked, and no ranges.
        given = {"Accept-Encoding": "gzip"}
        if self._keeper is not None:
            given["Authorization"] = f"Bearer {self._keeper.value()}"
        return given

    def retry_route(self, route: Route, response: Response) -> Route | None:
        if response.status == 401 and self._keeper is not None and self._keeper.refused():
            return route
        return None

    def unwanted_coding(self, headers: Mapping[str, str], path: str) -> str:
        # Asked for gzip, a gateway might pack what is stored plain; Google says what is stored.
        del path
        coding = headers.get("Content-Encoding", "").strip().lower()
        stored = headers.get("x-goog-stored-content-encoding", coding).strip().lower()
        return "" if coding in {"", stored} else coding
