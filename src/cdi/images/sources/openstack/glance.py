"""
The image service of an OpenStack: what it says of an image, and the bytes.

The service knows a digest of every image that is active. The bytes are ranged where the store
behind it can do that, else a stream.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.images import digest, errors
from cdi.images.http import client, connection, urls
from cdi.images.http.client import Fields
from cdi.images.http.options import HttpOptions
from cdi.images.http.response import Response
from cdi.images.http.urls import Route
from cdi.images.sources.http import HttpSource
from cdi.images.sources.objects.tokens import Keeper
from cdi.images.sources.openstack import keystone

_ACTIVE: Final = "active"


@dataclass(frozen=True, slots=True)
class Image:
    """One image, as the service describes it."""

    url: str  # of its bytes
    checksum: tuple[str, str] | None  # algorithm and lower-case hex digits


class Glance(client.Service):
    """The service of one image; see `client.Service`. The token goes to trusted routes only."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def headers(self, route: Route, fields: Fields) -> Mapping[str, str]:
        del route, fields
        return {"X-Auth-Token": self._keeper.value()}

    def retry_route(self, route: Route, response: Response) -> Route | None:
        return route if response.status == 401 and self._keeper.refused() else None

    def refusal(self, shown: str, response: Response) -> errors.SourceError:
        if response.status in {401, 403}:
            return errors.AccessDenied(
                f"{shown}: the image service answers {response.status}; check that the project of "
                "the Secret may read the image"
            )
        if response.status == 404:
            return errors.NotFound(
                f"{shown}: the project has no such image; check imageId, and the project"
            )
        if response.status == 204:
            return errors.NotFound(f"{shown}: the image has no bytes yet; upload them, or wait")
        return super().refusal(shown, response)


def image_at(
    base: str, image_id: str, service: Glance, options: HttpOptions, cancel: threading.Event
) -> Image:
    """Ask for one image. Raises SourceError, InvalidRequest, Cancelled."""
    if not image_id or "/" in image_id:
        raise errors.InvalidRequest("imageId is the ID of an image: it has no slashes")
    place = urls.parse_url(keystone.joined(base, f"images/{image_id}"))
    watch = connection.Watch(cancel, options.stall, time.monotonic)
    asked = client.Client(place, options, watch, service)
    try:
        answer, _ = asked.follow(urls.Route(place), (("Accept", "application/json"),))
        with answer:
            if answer.status != 200:
                raise service.refusal(place.printable, answer)
            found = keystone.read_json(place.printable, answer, "the image service")
    finally:
        asked.close()
    if found.get("status") != _ACTIVE:
        raise errors.NotFound(
            f"{place.printable}: the image is {found.get('status')}; wait until it is active"
        )
    return Image(keystone.joined(base, f"images/{image_id}/file"), _checksum(found))


def open_bytes(
    image: Image, service: Glance, options: HttpOptions, cancel: threading.Event
) -> HttpSource:
    """Open the bytes of an image, which never change under its ID."""
    version = f"{image.checksum[0]}:{image.checksum[1]}" if image.checksum else ""
    return HttpSource(image.url, options, service=service, version=version, cancel=cancel)


def _checksum(found: Mapping[str, Any]) -> tuple[str, str] | None:
    """The best digest that the service has and that is known here."""
    named = f"{found.get('os_hash_algo')}:{found.get('os_hash_value')}"
    for text in (named, f"md5:{found.get('checksum')}"):
        try:
            return digest.parse_checksum(text)
        except ValueError:
            continue
    return None
