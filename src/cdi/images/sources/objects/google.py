"""
Who is asking Google: credentials files, and the tokens that are got for them.

Two kinds of file are read: `service_account`, whose key signs a request for a token, and
`authorized_user`, which `gcloud auth application-default login` leaves. A virtual machine of
Google's gets its token from the metadata server. Raises InvalidRequest for a file that cannot be
used, SourceError. No message repeats what a file or an answer holds.
"""

from __future__ import annotations

import json
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cdi.images import errors
from cdi.images.http import client, connection, failures, urls
from cdi.images.http.options import HttpOptions
from cdi.images.http.response import MAX_TEXT, Response
from cdi.images.sources.objects.tokens import Token

SCOPE = "https://www.googleapis.com/auth/devstorage.read_only"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
_METADATA = "computeMetadata/v1/instance/service-accounts/default/token"
_LIFE = 3600.0  # of a token, unless its answer says otherwise
_FORM = (("Content-Type", "application/x-www-form-urlencoded"),)

Grant = Callable[[], Token]


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    email: str
    private_key: str = field(repr=False)  # PEM
    key_id: str = ""
    token_uri: str = TOKEN_URI

    def form(self, now: float) -> dict[str, str]:
        """What asks for a token. Raises InvalidRequest for a key that is none."""
        return {
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "assertion": self._assertion(now),
        }

    def _assertion(self, now: float) -> str:
        # Not at the top: it brings in much cryptography, which only this kind of file needs.
        import jwt

        claims = {
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": int(now),
            "exp": int(now + _LIFE),
        }
        extra = {"kid": self.key_id} if self.key_id else None
        try:
            return jwt.encode(claims, self.private_key, "RS256", headers=extra)
        except (ValueError, TypeError, jwt.PyJWTError) as wrong:
            raise _unusable("its private_key is not an RSA key in PEM form") from wrong


@dataclass(frozen=True, slots=True)
class AuthorizedUser:
    client_id: str
    client_secret: str = field(repr=False)
    refresh_token: str = field(repr=False)
    token_uri: str = TOKEN_URI

    def form(self, now: float) -> dict[str, str]:
        """What asks for a token."""
        del now
        return {
            "grant_type": "refresh_token",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "refresh_token": self.refresh_token,
        }


def parse_credentials(text: str) -> ServiceAccount | AuthorizedUser:
    """Read a credentials file. Raises InvalidRequest."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _unusable("it is not JSON") from None
    if not isinstance(found, dict):
        raise _unusable("it is not a JSON object")
    uri = _text(found, "token_uri", TOKEN_URI)
    match found.get("type"):
        case "service_account":
            return ServiceAccount(
                _text(found, "client_email"),
                _text(found, "private_key"),
                _text(found, "private_key_id", ""),
                uri,
            )
        case "authorized_user":
            return AuthorizedUser(
                _text(found, "client_id"),
                _text(found, "client_secret"),
                _text(found, "refresh_token"),
                uri,
            )
    raise _unusable("its type is neither service_account nor authorized_user")


def _text(found: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = found.get(name, default)
    if not isinstance(value, str) or (default is None and not value):
        raise _unusable(f"{name} is missing or not a text")
    return value


def _unusable(why: str) -> errors.InvalidRequest:
    return errors.InvalidRequest(
        f"the Google credentials cannot be used: {why}; give the key file of a service account"
    )


class Granter:
    """Asks for tokens, with the trust, the proxies and the patience of `options`."""

    def __init__(
        self,
        options: HttpOptions,
        cancel: threading.Event,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._options = replace(options, user="", password="", headers=(), secret_headers=())
        self._watch = connection.Watch(cancel, options.stall, time.monotonic)
        self._now = now

    def for_credentials(self, credentials: ServiceAccount | AuthorizedUser) -> Grant:
        place = urls.parse_url(credentials.token_uri)

        def grant() -> Token:
            form = urllib.parse.urlencode(credentials.form(self._now())).encode()
            return self._asked(place, self._options, _FORM, form)

        return grant

    def for_metadata(self, host: str) -> Grant:
        place = urls.parse_url(f"http://{host}/{_METADATA}")
        # It is beside the machine, and would tell a proxy who the proxy is.
        direct = replace(self._options, proxies={})
        return lambda: self._asked(place, direct, (("Metadata-Flavor", "Google"),), None)

    def _asked(
        self,
        place: urls.Url,
        options: HttpOptions,
        fields: tuple[tuple[str, str], ...],
        body: bytes | None,
    ) -> Token:
        now = self._now()
        asked = client.Client(place, options, self._watch)
        try:
            with asked.call(urls.Route(place), fields, body) as answer:
                if answer.status != 200:
                    raise _refusal(place.printable, answer)
                return _parse_token(place.printable, _body(answer), now)
        finally:
            asked.close()


def _body(answer: Response) -> bytes:
    """Return all of a short body, so that one that breaks off is not taken for another one."""
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < MAX_TEXT and (piece := answer.read(MAX_TEXT)):
        pieces.append(piece)
    return b"".join(pieces)


def _parse_token(shown: str, text: bytes, now: float) -> Token:
    try:
        found = json.loads(text)
        value, life = found["access_token"], float(found.get("expires_in", _LIFE))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        value, life = None, 0.0
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value) or not life > 0:
        raise errors.SourceRefused(f"{shown}: the answer holds no token; check token_uri")
    return Token(value, now, now + life)


def _refusal(shown: str, answer: Response) -> errors.SourceError:
    found = re.search(r'"error"\s*:\s*"([a-z_]{1,60})"', answer.text())
    said = f"{shown}: Google's token service answers {answer.status} {found[1] if found else ''}"
    said = said.rstrip()
    if answer.status in failures.BUSY:
        return errors.SourceUnavailable(f"{said}; try again", failures.retry_after(answer.headers))
    if answer.status in {400, 401, 403}:
        return errors.AccessDenied(
            f"{said}: the credentials are wrong, deleted or expired, or the clock here is wrong; "
            "make a new key"
        )
    return errors.SourceRefused(f"{said}; check token_uri in the credentials")
