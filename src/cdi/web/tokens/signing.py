"""
Tokens: signed by one part of CDI, believed by another.

| token          | issuer           | good for   | says                                       |
| -------------- | ---------------- | ---------- | ------------------------------------------ |
| clone          | `cdi-apiserver`  | 5 minutes  | whoever made this DataVolume may clone     |
| extended clone | `cdi-deployment` | 10 years   | the same, of the one object with this UID  |
| upload         | `cdi-apiserver`  | 5 minutes  | the bearer may upload to this claim        |

Anybody who reaches a webhook can have a short clone token signed: it counts only where users cannot
write it, on a DataVolume; on claims only extended ones do.

JWS, PS256 and nothing else; the header has `alg` alone, so a reader tries every key that is
believed. Where keys are kept is the caller's business. Times are whole seconds, and clocks may
differ by LEEWAY. Raises NotGenuine, payload.WrongPayload, and on signing keys.BadKeys.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt

from cdi.web.tokens.keys import Keys
from cdi.web.tokens.payload import ClonePayload, UploadPayload, WrongPayload

API_SERVER: Final = "cdi-apiserver"
CONTROLLER: Final = "cdi-deployment"

LIFETIME: Final = 5 * 60
EXTENDED_LIFETIME: Final = 10 * 365 * 24 * 3600  # a clone may wait that long for storage
LEEWAY: Final = 10
_ALGORITHM: Final = "PS256"


class NotGenuine(ValueError):
    """No key of ours signed this for us, or it is not good at this time; says which."""


class Tokens:
    """Signs and reads all kinds of them."""

    def __init__(self, keys: Keys, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock

    def sign_clone(self, payload: ClonePayload) -> str:
        """A token that allows this clone, for the next minutes."""
        return self._signed(API_SERVER, LIFETIME, payload.as_claims())

    def sign_extended_clone(self, payload: ClonePayload) -> str:
        """A token that allows this clone of one object for as long as it may take."""
        if not payload.uid:
            raise ValueError("an extended clone token is bound to the UID of an object")
        return self._signed(CONTROLLER, EXTENDED_LIFETIME, payload.as_claims())

    def sign_upload(self, payload: UploadPayload) -> str:
        """A token that allows uploads to this claim, for the next minutes."""
        return self._signed(API_SERVER, LIFETIME, payload.as_claims())

    def read_clone(
        self, token: str, issuers: tuple[str, ...] = (API_SERVER, CONTROLLER)
    ) -> ClonePayload:
        """What a clone token of one of these issuers allows."""
        return ClonePayload.from_claims(self._genuine(token, issuers))

    def read_upload(self, token: str) -> UploadPayload:
        """What an upload token allows."""
        return UploadPayload.from_claims(self._genuine(token, (API_SERVER,)))

    def clone_of(self, token: str) -> ClonePayload | None:
        """What a clone token of whatever issuer allows; None if it is not good for anything."""
        try:
            return self.read_clone(token)
        except (NotGenuine, WrongPayload):
            return None

    def _signed(self, issuer: str, lifetime: int, about: Mapping[str, object]) -> str:
        now = int(self._clock())
        claims = {"iss": issuer, "iat": now, "nbf": now, "exp": now + lifetime, **about}
        # An empty `typ` is left out.
        return jwt.encode(claims, self._keys.signing(), algorithm=_ALGORITHM, headers={"typ": ""})

    def _genuine(self, token: str, issuers: tuple[str, ...]) -> Mapping[str, Any]:
        claims = self._verified(token, issuers)
        try:
            begins, ends = max(claims["iat"], claims["nbf"]), claims["exp"]
            now = self._clock()
            if begins > now + LEEWAY:
                raise NotGenuine(
                    f"the token is not good for another {begins - now:.0f} s: the clock of this "
                    "machine is behind that of its signer"
                )
            if ends < now - LEEWAY:
                raise NotGenuine(
                    f"the token expired {now - ends:.0f} s ago by the clock of this machine"
                )
        except (KeyError, TypeError) as error:
            raise NotGenuine("the token does not say when it is good") from error
        return claims

    def _verified(self, token: str, issuers: tuple[str, ...]) -> Mapping[str, Any]:
        why: Exception | None = None
        for key in self._keys.believed():
            try:
                claims: Mapping[str, Any] = jwt.decode(
                    token,
                    key,
                    algorithms=[_ALGORITHM],
                    issuer=issuers,
                    options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
                )
            except jwt.InvalidSignatureError as error:
                why = error  # another key may have made it
            except jwt.InvalidTokenError as error:
                raise NotGenuine(f"the token is not ours: {error}") from error
            else:
                return claims
        raise NotGenuine("the token was signed by somebody else") from why
