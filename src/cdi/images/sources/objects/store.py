"""
What all object stores have in common as a service; see `service.Service`.
"""

from __future__ import annotations

from collections.abc import Mapping

from cdi.images import errors
from cdi.images.http.client import Fields
from cdi.images.http.response import Response
from cdi.images.http.urls import Route
from cdi.images.sources.objects import refusals


class Store:
    """A store that is asked with or without credentials, and sends objects as they are stored."""

    def __init__(self, *, anonymous: bool) -> None:
        self.anonymous = anonymous

    def headers(self, route: Route, fields: Fields) -> Mapping[str, str]:
        del route, fields
        return {}

    def retry_route(self, route: Route, response: Response) -> Route | None:
        del route, response
        return None

    def unchanged(self, version: str) -> Fields:
        # Unlike If-Range, which not every store knows, it never makes a store send all of it.
        return (("If-Match", version),) if version.startswith('"') else ()

    def unwanted_coding(self, headers: Mapping[str, str], path: str) -> str:
        # A coding is what somebody wrote beside the object, and true or not.
        del headers, path
        return ""

    def refusal(self, shown: str, response: Response) -> errors.SourceError:
        return refusals.error_for(shown, response, anonymous=self.anonymous)
