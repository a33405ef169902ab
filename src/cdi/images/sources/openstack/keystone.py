"""
The identity service of an OpenStack: a token, and where the image service is.

Asked with one POST, which is repeated while the service cannot answer. Raises SourceError,
InvalidRequest, Cancelled. Durations in seconds; moments are Unix time.
"""

from __future__ import annotations

import datetime
import json
import random
import re
import threading
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from cdi.images import errors
from cdi.images.http import client, connection, failures, retry, urls
from cdi.images.http.options import HttpOptions
from cdi.images.http.response import Response
from cdi.images.sources.objects.tokens import Token
from cdi.images.sources.openstack.credentials import Credentials

_LONGEST: Final = 4 << 20  # bytes: the catalogue of a large installation takes a few hundred KiB
_GOOD: Final = frozenset({200, 201})
_LIFE: Final = 3600.0  # of a token that does not say how long it is good
_JSON: Final = (("Content-Type", "application/json"), ("Accept", "application/json"))
_PASSING: Final = (errors.SourceUnavailable, errors.ConnectionLost, errors.Stalled)


@dataclass(frozen=True, slots=True)
class Granted:
    """A token, and what its owner may use."""

    token: Token
    catalog: tuple[dict[str, Any], ...]

    def image_service(self, shown: str, region: str, interface: str) -> str:
        """The address of the image service. Raises SourceRefused where there is none."""
        for endpoint in _endpoints(self.catalog):
            there = str(endpoint.get("region_id") or endpoint.get("region") or "")
            if endpoint.get("interface") == interface and region in ("", there):
                return str(endpoint.get("url") or "")
        where = f" in region {region}" if region else ""
        raise errors.SourceRefused(
            f"{shown}: the catalogue has no image service{where} with interface {interface}; "
            "check regionName and availability of the Secret, and that it names a project"
        )


class Keystone:
    """One identity service, asked by one user."""

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        options: HttpOptions,
        cancel: threading.Event,
    ) -> None:
        self._place = _tokens_of(urls.parse_url(url))
        self._credentials = credentials
        self._options = replace(options, user="", password="", headers=(), secret_headers=())
        self._cancel = cancel

    @property
    def shown(self) -> str:
        """Its address, as it may be stored and logged."""
        return self._place.printable

    def granted(self) -> Granted:
        """Ask for a token."""
        policy = self._options.retries
        budget = retry.Budget(policy, policy.opening_tries, random.random)
        while True:
            try:
                return self._granted()
            except _PASSING as failure:
                delay = budget.pause_after(failure)
                if delay is None:
                    raise
            if self._cancel.wait(delay):
                raise errors.Cancelled("the transfer was asked to stop")

    def _granted(self) -> Granted:
        watch = connection.Watch(self._cancel, self._options.stall, time.monotonic)
        asked = client.Client(self._place, self._options, watch)
        body = json.dumps(self._credentials.request).encode()
        now = time.time()
        try:
            with asked.call(urls.Route(self._place), _JSON, body) as answer:
                if answer.status not in _GOOD:
                    raise _refusal(self.shown, answer)
                return _parse(self.shown, answer, now)
        finally:
            asked.close()


def _tokens_of(url: urls.Url) -> urls.Url:
    """Where tokens are asked for; people give the address of the service, or of its version 3."""
    path = url.target.partition("?")[0].rstrip("/")
    path = path.removesuffix("/auth/tokens").removesuffix("/v2.0")
    if not path.endswith("/v3"):
        path += "/v3"
    return replace(url, target=f"{path}/auth/tokens", user="", password="")


def _parse(shown: str, answer: Response, now: float) -> Granted:
    value = answer.headers.get("X-Subject-Token", "")
    found = read_json(shown, answer, "the identity service")
    body = found.get("token")
    if not re.fullmatch(r"[\x21-\x7e]+", value) or not isinstance(body, dict):
        raise errors.SourceRefused(f"{shown}: the answer holds no token; check the address")
    catalog = body.get("catalog")
    entries = catalog if isinstance(catalog, list) else []
    return Granted(
        Token(value, now, _moment(body.get("expires_at"), now + _LIFE)),
        tuple(each for each in entries if isinstance(each, dict)),
    )


def read_json(shown: str, answer: Response, who: str) -> dict[str, Any]:
    """Return the object that an answer holds. Raises SourceRefused for anything else."""
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < _LONGEST and (piece := answer.read(_LONGEST)):
        pieces.append(piece)
    try:
        found = json.loads(b"".join(pieces))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise errors.SourceRefused(f"{shown}: the answer is not that of {who}; check the address")
    return found


def _endpoints(catalog: tuple[dict[str, Any], ...]) -> Iterator[dict[str, Any]]:
    for entry in catalog:
        endpoints = entry.get("endpoints")
        if entry.get("type") == "image" and isinstance(endpoints, list):
            yield from (each for each in endpoints if isinstance(each, dict))


def _moment(text: object, default: float) -> float:
    try:
        return datetime.datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return default


def _refusal(shown: str, answer: Response) -> errors.SourceError:
    if answer.status in failures.BUSY:
        said = f"{shown}: the identity service answers {answer.status}; try again"
        return errors.SourceUnavailable(said, failures.retry_after(answer.headers))
    if answer.status in {401, 403}:
        return errors.AccessDenied(
            f"{shown}: the identity service does not know these credentials ({answer.status}); "
            "check the Secret, and the domains of user and project"
        )
    if answer.status == 404:
        return errors.NotFound(
            f"{shown}: there is no identity service of version 3; check identityUrl"
        )
    return errors.SourceRefused(
        f"{shown}: the identity service answers {answer.status}; check identityUrl and the Secret"
    )


def joined(base: str, path: str) -> str:
    """A path beneath an address that services are reached under, with or without a version."""
    return f"{base.rstrip('/').removesuffix('/v2')}/v2/{urllib.parse.quote(path)}"
