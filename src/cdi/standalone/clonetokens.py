"""
Clone tokens of one machine: signed by the API server, read by it and by controllers.

The key is kept in the data directory and made when the first token is signed: most machines never
clone between namespaces. Tokens are JWS, PS256 and nothing else. Times are whole seconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from cdi.standalone.apiserver.certificates import write_private
from cdi.web.admission.clonepayload import ClonePayload

ISSUER: Final = "cdi-apiserver"  # of what is signed here
ISSUERS: Final = (ISSUER, "cdi-deployment")  # controllers sign longer-lived ones with the same key
LIFETIME: Final = 300
LEEWAY: Final = 10  # clocks differ
_ALGORITHM: Final = "PS256"
_KEY_BITS: Final = 2048


class CloneTokens:
    """Signs and reads tokens with the key at `path`."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock

    def sign(self, payload: ClonePayload) -> str:
        """Return a token that allows this clone, for the next minutes."""
        now = int(self._clock())
        times = {"iss": ISSUER, "iat": now, "nbf": now, "exp": now + LIFETIME}
        # An empty `typ` is left out: the header of a clone token has `alg` alone.
        return jwt.encode(
            {**times, **payload.as_claims()}, self._key, algorithm=_ALGORITHM, headers={"typ": ""}
        )

    def read(self, token: str) -> ClonePayload | None:
        """Return what a token allows, or None if it is not genuine or no longer good."""
        if not self._path.exists():
            return None  # nothing was ever signed
        try:
            claims = jwt.decode(
                token,
                self._key.public_key(),
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

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        if not self._path.exists():
            made = rsa.generate_private_key(65537, _KEY_BITS)
            pem = made.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            write_private(self._path, pem)
        key = serialization.load_pem_private_key(self._path.read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(f"{self._path} does not hold an RSA key")
        return key


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
