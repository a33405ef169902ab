"""
Clone tokens as controllers use them: what a webhook allowed becomes a permission of their own.

A short token counts at the moment at which its object was created, not at the moment at which a
controller gets to it. That moment is the API server's, and nobody else can write it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from cdi.web.tokens.keys import BadKeys, Keys
from cdi.web.tokens.payload import ClonePayload, WrongPayload
from cdi.web.tokens.signing import API_SERVER, CONTROLLER, NotGenuine, Tokens


class CloneTokens:
    """Signs and reads them; None and an empty text stand for what is not to be had."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def short(self, token: str, at: datetime) -> ClonePayload | None:
        """What the token of a webhook allowed at a moment."""
        return self._read(token, API_SERVER, at)

    def extended(self, token: str) -> ClonePayload | None:
        """What a token of a controller allows now."""
        return self._read(token, CONTROLLER, None)

    def extend(self, token: str, uid: str, at: datetime) -> str:
        """A token of a controller that allows what this one does, of the object with this UID."""
        allowed = self.extended(token) or self.short(token, at)
        if allowed is None:
            return ""
        try:
            return Tokens(self._keys).sign_extended_clone(replace(allowed, uid=uid))
        except BadKeys:
            return ""

    def _read(self, token: str, issuer: str, at: datetime | None) -> ClonePayload | None:
        tokens = Tokens(self._keys, at.timestamp) if at is not None else Tokens(self._keys)
        try:
            return tokens.read_clone(token, (issuer,))
        except (NotGenuine, WrongPayload, BadKeys):
            return None
