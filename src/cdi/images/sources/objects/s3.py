"""
Objects in S3, of Amazon's or anybody else's.

Requests are signed one by one, so a moved clock or another region is taken up by the next one.
"""

from __future__ import annotations

import email.utils
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from cdi.images.http import urls
from cdi.images.http.client import Fields
from cdi.images.http.options import HttpOptions
from cdi.images.http.response import Response
from cdi.images.http.urls import Route
from cdi.images.sources.http import HttpSource
from cdi.images.sources.objects import address, refusals, regions, sigv4
from cdi.images.sources.objects.access import Keys, S3Access
from cdi.images.sources.objects.store import Store

log = logging.getLogger(__name__)

VERSION = "versionId"

_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
_SKEW = 30.0  # seconds that two clocks may differ


def open_object(
    url: str,
    access: S3Access,
    options: HttpOptions | None = None,
    cancel: threading.Event | None = None,
) -> HttpSource:
    """Open s3://bucket/key. Raises SourceError, InvalidRequest."""
    region = access.region or regions.USUAL
    endpoint = access.endpoint or f"https://s3.{region}.amazonaws.com"
    return _opened(address.parse_named(url, VERSION, endpoint), access, options, cancel)


def open_at_host(
    url: str,
    access: S3Access,
    options: HttpOptions | None = None,
    cancel: threading.Event | None = None,
) -> HttpSource:
    """Open scheme://host/bucket/key. Raises SourceError, InvalidRequest."""
    host = url.partition("://")[2].partition("/")[0]
    named = regions.names_bucket(host.lower())
    return _opened(address.parse_at_host(url, VERSION, named=named), access, options, cancel)


def _opened(
    found: address.Address,
    access: S3Access,
    options: HttpOptions | None,
    cancel: threading.Event | None,
) -> HttpSource:
    url = found.url(VERSION)
    region = access.region or regions.region_of(urls.parse_url(url).host)
    return HttpSource(url, options, service=S3(access.keys, region), cancel=cancel)


class S3(Store):
    """The service of one S3 object; see `service.Service`. `now` is Unix time."""

    def __init__(
        self, keys: Keys | None, region: str, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(anonymous=keys is None)
        self._keys = keys
        self._region = region
        self._now = now
        self._ahead = 0.0  # seconds that the service's clock is ahead of ours

    def headers(self, route: Route, fields: Fields) -> Mapping[str, str]:
        del fields
        if self._keys is None:
            return {}
        now = datetime.fromtimestamp(self._now() + self._ahead, UTC)
        return sigv4.headers_for(self._keys, self._region, route.location, now)

    def retry_route(self, route: Route, response: Response) -> Route | None:
        if response.status in {301, 307, 308, 400, 403} and (moved := self._moved(route, response)):
            return moved
        if response.status == 403 and self._adjusted(response):
            return route
        return None

    def _moved(self, route: Route, response: Response) -> Route | None:
        region = regions.named_in(response)
        if not region or region == self._region:
            return None
        log.info("The bucket is in another region", extra={"region": region})
        self._region = region
        return Route(regions.moved(route.location, region))

    def _adjusted(self, response: Response) -> bool:
        """Take over the service's clock, if it refuses ours."""
        if self._keys is None or refusals.code_in(response) not in _SKEWED:
            return False
        try:
            there = email.utils.parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
        except (ValueError, OverflowError):
            return False
        ahead = there - self._now()
        if abs(ahead - self._ahead) < _SKEW:
            return False
        log.warning("The clocks here and at the service differ", extra={"seconds": round(ahead)})
        self._ahead = ahead
        return True
