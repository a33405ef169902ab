"""The two ways in which an archive may end a reader."""

from __future__ import annotations

from cdi.images import errors


def corrupt(at: int, why: str) -> errors.CorruptImage:
    """Return the error for nonsense near offset `at` of the archive."""
    return errors.CorruptImage(
        f"the tar archive is damaged near offset {at}: {why}; check the file at the source"
    )


def truncated(at: int) -> errors.TruncatedSource:
    """Return the error for an archive that ends in the middle, at offset `at`."""
    return errors.TruncatedSource(
        f"the tar archive ends too early, at offset {at}; "
        "check that the file at the source is complete"
    )
