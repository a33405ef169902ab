"""
What is kept of an upload between its requests, durably, beside the disk that it becomes.

There is one session at a time, as there is one volume. On a file system it survives the server and
its pod. That of a block device lies where the journal does, and goes with the pod; but the notes of
its transfer stay on the device, under the hash of the secret. So the secret says itself what the
session was about, but for its metadata: whoever has it can go on, if the device knows its hash.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import secrets
import struct
from dataclasses import dataclass
from pathlib import Path

from cdi.api import uploadsession
from cdi.api.uploadsession import FinishedSession
from cdi.images.transfer import documents
from cdi.workers.uploadserver.tus.headers import Creation

_SECRET = 32  # bytes
_ABOUT = struct.Struct(">Q?32s")  # length, whether it is an archive, SHA-256 or zeros
_NO_DIGEST = bytes(32)


@dataclass(frozen=True, slots=True)
class Session:
    """One upload, and the hash of the secret in its address."""

    hashed: str
    creation: Creation

    def version(self, claim: str) -> str:
        """What vouches that bytes are of this upload to a claim, and of no other one."""
        return f"session {self.hashed} {claim}".rstrip()

    @property
    def checksum(self) -> tuple[str, str] | None:
        """What all bytes have to give, if that was said."""
        return ("sha256", self.creation.sha256) if self.creation.sha256 else None

    @property
    def finished(self) -> FinishedSession:
        """What is told of it once all of it was taken."""
        return FinishedSession(self.hashed, self.creation.length)

    def is_at(self, secret: str) -> bool:
        """Whether this is the session of an address; takes as long for every wrong one."""
        return uploadsession.is_hash_of(self.hashed, secret)


def opened(creation: Creation) -> tuple[Session, str]:
    """Return a new session, and the secret in its address."""
    digest = bytes.fromhex(creation.sha256) or _NO_DIGEST
    about = _ABOUT.pack(creation.length, creation.is_archive, digest)
    secret = _text(secrets.token_bytes(_SECRET) + about)
    return Session(uploadsession.hash_of(secret), creation), secret


def claimed(secret: str) -> Session | None:
    """Return the session that a secret claims to be of, which may be invented; None: nonsense."""
    try:
        found = base64.b64decode(secret + "=" * (-len(secret) % 4), altchars=b"-_", validate=True)
        length, is_archive, digest = _ABOUT.unpack(found[_SECRET:])
    except (binascii.Error, struct.error, ValueError):
        return None
    sha256 = "" if digest == _NO_DIGEST else digest.hex()
    creation = Creation(length, sha256=sha256, is_archive=is_archive)
    return Session(uploadsession.hash_of(secret), creation)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Store:
    """The file that a session is kept in. Raises OSError where it cannot be written."""

    def __init__(self, path: Path, claim: str) -> None:
        """`claim` is the UID of the claim: storage may be given to another one as it is."""
        self._path, self._claim = path, claim

    @property
    def directory(self) -> Path:
        """Where there is room for what a session needs."""
        return self._path.parent

    def save(self, session: Session) -> None:
        """Keep this session, and no other."""
        documents.save(self._path, {"claim": self._claim, **dataclasses.asdict(session)})

    def load(self) -> Session | None:
        """Return the session that is kept for this claim; None in doubt."""
        found = documents.load(self._path)
        if found is None or found.get("claim") != self._claim:
            return None
        try:
            return Session(found["hashed"], Creation(**found["creation"]))
        except (KeyError, TypeError):
            return None

    def remove(self) -> None:
        """Keep none; safe to repeat."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
