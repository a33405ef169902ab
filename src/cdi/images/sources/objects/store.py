"""
What all object stores have in common as a service; see `client.Service`.
"""

from __future__ import annotations

from collections.abc import Mapping

from cdi.images import errors
from cdi.images.http.client import Fields, Service
from cdi.images.http.response import Response
from cdi.images.sources.objects import refusals


class Store(Service):
    """A store that is asked with or without credentials, and sends objects as they are stored."""

    def __init__(self, *, anonymous: bool) -> None:
        self.anonymous = anonymous

    def unchanged(self, version: str) -> Fields:
        # Unlike If-Range, which not every store knows, it never makes a store send all of it.
        return (("If-Match", version),) if version.startswith('"') else ()

    def unwanted_coding(self, headers: Mapping[str, str], path: str) -> str:
        # A coding is what somebody wrote beside the object, and true or not.
        del headers, path
        return ""

    def refusal(self, shown: str, response: Response) -> errors.SourceError:
        return refusals.error_for(shown, response, anonymous=self.anonymous)
