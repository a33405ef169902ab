"""
Why the store said no.

    StoreError
    |-- Exists          created, but somebody was first
    |-- Changed         the object is not, or no longer, at the expected revision
    |-- Compacted       the revision lies before the kept part of the log
    |-- FutureRevision  the revision has not been written yet
    |-- Overrun         a watch fell too far behind and has been closed
    |-- Locked          another process holds the state directory
    `-- WriteFailed     the disk refused; nothing of the batch was kept
"""


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


class WriteFailed(StoreError):
    """The database refused a batch; no write of it exists."""
