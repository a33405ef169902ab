"""
Clone tokens: signed by the API server, read by it and by controllers.

Where the key is kept is the caller's business. Tokens are JWS, PS256 and nothing else. Times are
whole seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from cdi.web.tokens.payload import ClonePayload

ISSUER: Final = "cdi-apiserver"  # of what is signed here
ISSUERS: Final = (ISSUER, "cdi-deployment")  # controllers sign longer-lived ones with the same key
LIFETIME: Final = 300
LEEWAY: Final = 10  # clocks differ
_ALGORITHM: Final = "PS256"


class Key(Protocol):
    """Where a key is kept."""

    @property
    def exists(self) -> bool:
        """Whether anything was ever signed."""

    @property
    def private(self) -> rsa.RSAPrivateKey:
        """The key; may be made now."""


class CloneTokens:
    """Signs and reads tokens."""

    def __init__(self, key: Key, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._clock = clock

    def sign(self, payload: ClonePayload) -> str:
        """Return a token that allows this clone, for the next minutes."""
        now = int(self._clock())
        times = {"iss": ISSUER, "iat": now, "nbf": now, "exp": now + LIFETIME}
        # An empty `typ` is left out: the header of a clone token has `alg` alone.
        return jwt.encode(
            {**times, **payload.as_claims()},
            self._key.private,
            algorithm=_ALGORITHM,
            headers={"typ": ""},
        )

    def read(self, token: str) -> ClonePayload | None:
        """Return what a token allows, or None if it is not genuine or no longer good."""
        if not self._key.exists:
            return None  # nothing was ever signed
        try:
            claims = jwt.decode(
                token,
                self._key.private.public_key(),
                algorithms=[_ALGORITHM],
                issuer=ISSUERS,
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            return _payload_of(claims) if self._is_good_now(claims) else None
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError):
            return None

    def _is_good_now(self, claims: dict[str, Any]) -> bool:
        now = self._clock()
        latest = now + LEEWAY
        begun = claims["iat"] <= latest and claims["nbf"] <= latest
        return bool(begun and claims["exp"] >= now - LEEWAY)


def _payload_of(claims: dict[str, Any]) -> ClonePayload:
    if claims["operation"] != "Clone":
        raise ValueError("not a clone token")
    params = claims["params"]
    return ClonePayload(
        claims["resource"]["resource"],
        claims["namespace"],
        claims["name"],
        params["targetNamespace"],
        params["targetName"],
    )
