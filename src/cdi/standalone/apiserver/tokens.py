"""
Tokens of service accounts: signed claims that expire (JWT, HS256).

The key never leaves the state directory, so a symmetric signature is enough: only this server
issues the tokens and only this server judges them. Raises InvalidToken.
"""

import base64
import binascii
import hashlib
import hmac
import logging
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from cdi.standalone.apiserver.certificates import write_private

ISSUER = "https://kubernetes.default.svc"
DEFAULT_AUDIENCE = ISSUER
DEFAULT_SECONDS = 3600
MIN_SECONDS = 600
MAX_SECONDS = 2**32
KEY_BYTES = 32
_logger = logging.getLogger(__name__)
_HEADER = {"alg": "HS256", "typ": "JWT"}


class InvalidToken(Exception):
    """The token is not ours, was changed, or has expired."""


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom a token stands for."""

    namespace: str
    name: str
    uid: str
    audiences: tuple[str, ...]
    expires: int  # seconds since the epoch


class Signer:
    """Issues and checks tokens with the key kept at `path`."""

    def __init__(self, path: Path) -> None:
        key = path.read_bytes() if path.exists() else b""
        if len(key) < KEY_BYTES:
            if path.exists():
                # Whoever knows that it is empty could sign what they like.
                _logger.warning("%s held no whole key: tokens issued so far end", path)
            key = secrets.token_bytes(KEY_BYTES)
            write_private(path, key)
        self._key = key

    def issue(self, claims: Claims, now: datetime) -> str:
        """A token that carries the claims."""
        payload = {
            "iss": ISSUER,
            "sub": f"system:serviceaccount:{claims.namespace}:{claims.name}",
            "aud": list(claims.audiences),
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": claims.expires,
            "jti": secrets.token_hex(16),
            "kubernetes.io": {
                "namespace": claims.namespace,
                "serviceaccount": {"name": claims.name, "uid": claims.uid},
            },
        }
        content = f"{_encoded(_HEADER)}.{_encoded(payload)}"
        return f"{content}.{self._signature(content)}"

    def check(self, token: str, now: datetime) -> Claims:
        """The claims of a genuine token that is still valid."""
        content, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(content).encode(), signature.encode()):
            raise InvalidToken("the signature does not fit")
        payload = _decoded(content.rpartition(".")[2])
        if payload["exp"] <= now.timestamp():
            raise InvalidToken("the token has expired")
        account = payload["kubernetes.io"]
        return Claims(
            account["namespace"],
            account["serviceaccount"]["name"],
            account["serviceaccount"]["uid"],
            tuple(payload["aud"]),
            payload["exp"],
        )

    def _signature(self, content: str) -> str:
        digest = hmac.digest(self._key, content.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode().rstrip("=")


def _decoded(text: str) -> dict[str, Any]:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (binascii.Error, msgspec.MsgspecError) as error:
        raise InvalidToken("the token cannot be read") from error
