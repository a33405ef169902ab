"""
What is kept of an upload between its requests, durably, beside the disk that it becomes.

There is one session at a time, as there is one volume. On a file system it survives the server and
its pod; that of a block device lies where the journal does, and goes with the pod.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
from dataclasses import dataclass
from pathlib import Path

from cdi.api import uploadsession
from cdi.api.uploadsession import FinishedSession
from cdi.images.transfer import documents
from cdi.workers.uploadserver.tus.headers import Creation

_SECRET = 32  # bytes


@dataclass(frozen=True, slots=True)
class Session:
    """One upload, and the hash of the secret in its address."""

    hashed: str
    creation: Creation

    @property
    def version(self) -> str:
        """What vouches that bytes are of this upload, and no other one."""
        return f"session {self.hashed}"

    @property
    def finished(self) -> FinishedSession:
        """What is told of it once all of it was taken."""
        return FinishedSession(self.hashed, self.creation.length)

    def is_at(self, secret: str) -> bool:
        """Whether this is the session of an address; takes as long for every wrong one."""
        return uploadsession.is_hash_of(self.hashed, secret)


def opened(creation: Creation) -> tuple[Session, str]:
    """Return a new session, and the secret in its address."""
    secret = secrets.token_urlsafe(_SECRET)
    return Session(uploadsession.hash_of(secret), creation), secret


class Store:
    """The file that a session is kept in. Raises OSError where it cannot be written."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def directory(self) -> Path:
        """Where there is room for what a session needs."""
        return self._path.parent

    def save(self, session: Session) -> None:
        """Keep this session, and no other."""
        documents.save(self._path, dataclasses.asdict(session))

    def load(self) -> Session | None:
        """Return the session that is kept; None in doubt."""
        found = documents.load(self._path)
        try:
            return (
                None if found is None else Session(found["hashed"], Creation(**found["creation"]))
            )
        except (KeyError, TypeError):
            return None

    def remove(self) -> None:
        """Keep none; safe to repeat."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
