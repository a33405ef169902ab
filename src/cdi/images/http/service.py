"""
What a kind of server wants beyond plain HTTP: who is asking, and what its refusals mean.

A plain web server wants nothing; an object store wants signed requests, and says in the body of
a refusal what is wrong. One service belongs to one source and is used by all its threads. Nothing
but `headers` does I/O, and only where a token has to be fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cdi.images import errors
from cdi.images.http import refusals, semantics
from cdi.images.http.response import Response
from cdi.images.http.urls import Route

Fields = tuple[tuple[str, str], ...]


class Service(Protocol):
    """One kind of server."""

    def headers(self, route: Route, fields: Fields) -> Mapping[str, str]:
        """Headers that let a GET with `fields` pass. They go to trusted routes only."""

    def retry_route(self, route: Route, response: Response) -> Route | None:
        """Where to ask again at once, if a refusal (300 and more) tells how it would succeed."""

    def unchanged(self, version: str) -> Fields:
        """Headers that ask for a range only if the object still is `version`."""

    def unwanted_coding(self, headers: Mapping[str, str], path: str) -> str:
        """The coding that stands between the answer's body and the object, or nothing."""

    def refusal(self, shown: str, response: Response) -> errors.SourceError:
        """The error that an answer without the object stands for."""


class Plain:
    """A web server."""

    def headers(self, route: Route, fields: Fields) -> Mapping[str, str]:
        del route, fields
        return {}

    def retry_route(self, route: Route, response: Response) -> Route | None:
        del route, response
        return None

    def unchanged(self, version: str) -> Fields:
        return (("If-Range", version),)

    def unwanted_coding(self, headers: Mapping[str, str], path: str) -> str:
        return semantics.unwanted_coding(headers, path)

    def refusal(self, shown: str, response: Response) -> errors.SourceError:
        wish = refusals.retry_after(response.headers)
        return refusals.error_for(shown, response.status, response.phrase, wish)


PLAIN = Plain()
