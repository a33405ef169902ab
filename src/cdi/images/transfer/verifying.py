"""The digest of a source: where it begins, and whether it is the one that was given."""

from __future__ import annotations

from cdi.images import digest as digests
from cdi.images import errors
from cdi.images.transfer.attempt import Attempt
from cdi.images.transfer.progress import Progress
from cdi.images.transfer.request import TransferRequest


def begun(request: TransferRequest, progress: Progress | None) -> tuple[digests.Digest, int]:
    """Return a digest, and how many bytes an earlier attempt has put into it already."""
    algorithm = request.algorithm or "sha256"
    if progress is not None and progress.digest is not None:
        return digests.new(algorithm, progress.digest), progress.digested
    return digests.new(algorithm), 0


def verify(attempt: Attempt, got: str) -> None:
    """Keep the digest that was computed. Raises ChecksumMismatch unless it is the one given."""
    request = attempt.request
    algorithm = request.algorithm or "sha256"
    if request.checksum is not None and request.checksum[1] != got:
        raise errors.ChecksumMismatch(algorithm, request.checksum[1], got)
    attempt.digest = (algorithm, got)
