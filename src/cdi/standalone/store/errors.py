"""
Why the store said no.

    StoreError
    |-- Exists          created, but somebody was first
    |-- Changed         the object is not, or no longer, at the expected revision
    |-- Compacted       the revision lies before the kept part of the log
    |-- FutureRevision  the revision has not been written yet
    |-- Overrun         a watch fell too far behind and has been closed
    |-- Locked          another process holds the state directory
    |-- Unreadable      what lies at the place of the database is damaged, or no database
    |-- Newer           a newer version of cdi has written the database
    |-- Exposed         everybody can write to the state directory
    `-- WriteFailed     the disk refused; nothing of the batch was kept
"""

from pathlib import Path


class StoreError(Exception):
    """The store could not do what it was asked for."""


class Exists(StoreError):
    """The object to create is already there."""


class Changed(StoreError):
    """The object is not at the expected revision."""


class Compacted(StoreError):
    """The log no longer reaches back to the revision asked for."""

    def __init__(self, revision: int, horizon: int) -> None:
        super().__init__(f"too old resource version: {revision} ({horizon})")


class FutureRevision(StoreError):
    """A revision that no write has reached yet."""

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(f"Too large resource version: {revision}, current: {current}")


class Overrun(StoreError):
    """A watcher read too slowly; it has to list again."""


class Locked(StoreError):
    """Another process uses this state directory."""


class Unreadable(StoreError):
    """The database cannot be opened or read."""

    def __init__(self, path: Path, why: Exception) -> None:
        super().__init__(
            f"{path} cannot be read: {why}. Restore it from a backup; without one, moving it "
            "away begins anew, without any objects, and leaves the volumes' data where it is"
        )


class Newer(StoreError):
    """The database has a schema that only a newer version knows."""

    def __init__(self, path: Path, version: int, known: int) -> None:
        super().__init__(
            f"{path} was written by a newer version of cdi (schema {version}, this one knows up "
            f"to {known}); use that version or newer"
        )


class Exposed(StoreError):
    """Others could replace what is kept in the state directory."""


class WriteFailed(StoreError):
    """The database refused a batch; no write of it exists."""
