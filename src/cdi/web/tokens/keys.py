"""
The keys behind tokens: one that signs, and those whose tokens are believed.

Several are believed while one replaces another. Read from the data of the Secret (`api.signingkey`)
as a whole, so that whoever follows the Secret exchanges one value. Raises BadKeys.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import rsa

from cdi import pki
from cdi.api import signingkey

_HOME: Final = f"Secret {signingkey.SECRET}"


class BadKeys(ValueError):
    """The Secret does not hold keys that can be used; says what is wrong with which entry."""


class Keys(Protocol):
    """What signs and what is believed at the moment of asking."""

    def signing(self) -> rsa.RSAPrivateKey:
        """The key to sign with. Raises BadKeys if there is none."""

    def believed(self) -> tuple[rsa.RSAPublicKey, ...]:
        """The keys whose signatures count, the likeliest first; none: no token is good."""


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys that do not change."""

    private: rsa.RSAPrivateKey | None = field(repr=False)
    public: tuple[rsa.RSAPublicKey, ...]

    def signing(self) -> rsa.RSAPrivateKey:
        if self.private is None:
            raise BadKeys("there is no private key to sign with")
        return self.private

    def believed(self) -> tuple[rsa.RSAPublicKey, ...]:
        return self.public


def parse_secret(data: Mapping[str, str]) -> KeySet:
    """The keys in a Secret's `data`. Whoever only reads tokens may be given public ones alone."""
    private = _private(_entry(data, signingkey.PRIVATE))
    public = [_public(data, name) for name in signingkey.BELIEVED if data.get(name)]
    if private is not None and not data.get(signingkey.PUBLIC):
        public.insert(0, private.public_key())
    if not public:
        raise BadKeys(
            f"Secret {signingkey.SECRET} has neither {signingkey.PRIVATE} nor a public key"
        )
    return KeySet(private, tuple(public))


def _private(text: str) -> rsa.RSAPrivateKey | None:
    if not text:
        return None
    try:
        return pki.parse_rsa_private(text)
    except pki.BrokenPem as error:
        raise BadKeys(f"entry {signingkey.PRIVATE} of {_HOME}: {error}") from error


def _public(data: Mapping[str, str], name: str) -> rsa.RSAPublicKey:
    try:
        return pki.parse_rsa_public(_entry(data, name))
    except pki.BrokenPem as error:
        raise BadKeys(f"entry {name} of {_HOME}: {error}") from error


def _entry(data: Mapping[str, str], name: str) -> str:
    try:
        return base64.b64decode(data.get(name) or "", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise BadKeys(f"entry {name} of {_HOME} is no text: {error}") from error
