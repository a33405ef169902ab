"""
What is known of a resumable upload once its volume is full: enough to tell whoever asks again.

Its server is gone by then. The server's last message hands it on to the claim, where the upload
proxy reads it: the last answer may have been lost, and the one who sent wants to know. The secret
in a session's address is not among it, only its hash.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final

_DIGITS: Final = hashlib.sha256().digest_size * 2


@dataclass(frozen=True, slots=True)
class FinishedSession:
    """A session all of whose bytes were taken."""

    hashed: str  # of its secret, lower-case hexadecimal
    length: int  # bytes

    def __str__(self) -> str:
        return f"{self.hashed} {self.length}"

    def is_at(self, secret: str) -> bool:
        """Whether this is the session of an address."""
        return is_hash_of(self.hashed, secret)


def parse(text: str) -> FinishedSession | None:
    """Read what `str` has made of one; None for anything else."""
    hashed, _, length = text.partition(" ")
    if len(hashed) != _DIGITS or not (length.isascii() and length.isdigit() and len(length) < 20):
        return None
    return FinishedSession(hashed, int(length))


def hash_of(secret: str) -> str:
    """Return what may be kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def is_hash_of(hashed: str, secret: str) -> bool:
    """Whether a secret is the right one; takes as long for every wrong one."""
    return hmac.compare_digest(hashed.encode(), hash_of(secret).encode())
