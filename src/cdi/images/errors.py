"""
Why a transfer stopped: one family of errors, each with a reason, a kind and a sentence.

`reason` is CamelCase, stable and part of the API: it becomes the reason of a condition and is
documented in docs/reasons.md. `kind` is the only thing that decides about another attempt.
Foreign errors (urllib3, OSError, zlib) are translated where they are caught, with the original
kept as the cause. Messages never hold credentials.

    TransferError
    |-- SourceError            could not be fetched
    |   |-- NotFound, AccessDenied, SourceRefused, CertificateInvalid    permanent
    |   |-- NoSuchPlatform                                               permanent
    |   |-- SourceUnavailable, SourceLocked, ConnectionLost, Stalled     transient
    |   |-- SourceChanged                                                transient
    |   `-- ImagePullFailed                                  as what it was caused by
    |-- ContentError           fetched, but not what was promised
    |   |-- ChecksumMismatch, NotADisk, NotAnArchive, UnsupportedFormat, CorruptImage
    |   `-- UnsafeImage, TruncatedSource, SizeUnknown
    |-- TargetError            could not be written
    |   |-- TooSmall                                                     permanent
    |   `-- NoSpace, TargetFailed                                        transient
    |-- NeedsScratch           wants random access to a stream
    |-- Cancelled              somebody asked us to stop
    `-- InvalidRequest         the order itself makes no sense
"""

from enum import StrEnum


class Kind(StrEnum):
    """What another attempt could achieve."""

    PERMANENT = "permanent"  # the same order fails again: somebody has to change something
    TRANSIENT = "transient"  # try again later, continuing from the journal
    NEEDS_SCRATCH = "needs_scratch"  # try again with a place for a temporary copy


class TransferError(Exception):
    """A transfer stopped. Each subclass fixes what the user sees and whether to try again."""

    reason = "Error"
    kind = Kind.TRANSIENT
    mendable = False  # where permanent: somebody may mend it at the source, without a word to us


class SourceError(TransferError):
    """The source could not be read."""


class NotFound(SourceError):
    """The source says that it has no such object."""

    reason = "SourceNotFound"
    kind = Kind.PERMANENT
    mendable = True


class AccessDenied(SourceError):
    """The source wants other credentials, or forbids the object."""

    reason = "AccessDenied"
    kind = Kind.PERMANENT
    mendable = True


class SourceRefused(SourceError):
    """The source answered, and its answer will not change by asking again."""

    reason = "SourceRefused"
    kind = Kind.PERMANENT


class SpeaksNoTls(SourceRefused):
    """Something answered in plain words where TLS was to be spoken."""


class CertificateInvalid(SourceError):
    """The source's TLS certificate is not trusted."""

    reason = "CertificateInvalid"
    kind = Kind.PERMANENT
    mendable = True


class SourceUnavailable(SourceError):
    """The source cannot be reached, or says that it cannot answer now.

    `retry_after` is the source's own wish, in seconds, where it stated one.
    """

    reason = "SourceUnavailable"

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SourceLocked(SourceUnavailable):
    """The source is in use by something that has to end first."""

    reason = "SourceLocked"


class ConnectionLost(SourceError):
    """A connection broke while bytes were flowing, more often than the retry budget allows."""

    reason = "ConnectionLost"


class Stalled(SourceError):
    """No byte arrived for too long."""

    reason = "Stalled"


class SourceChanged(SourceError):
    """The object behind the URL is no longer the one this transfer started with."""

    reason = "SourceChanged"


class ImagePullFailed(SourceError):
    """A container image's manifest cannot be had; what can be done is that of the cause."""

    reason = "ImagePullFailed"

    def __init__(self, message: str, kind: Kind = Kind.PERMANENT, *, mendable: bool = True) -> None:
        super().__init__(f"failed to pull image: {message}")
        self.kind = kind
        self.mendable = mendable


class NoSuchPlatform(SourceError):
    """A container image is not made for the wanted platform."""

    reason = "Error"  # as clients know it, who look at the message
    kind = Kind.PERMANENT


class ContentError(TransferError):
    """The bytes arrived and are not what they should be."""

    kind = Kind.PERMANENT


class ChecksumMismatch(ContentError):
    """The digest of the source is not the promised one."""

    reason = "ChecksumError"

    def __init__(self, algorithm: str, want: str, got: str) -> None:
        super().__init__(
            f"checksum validation failed: checksum mismatch, want {algorithm}:{want}, "
            f"got {algorithm}:{got}; check the checksum, or the file at the source"
        )
        self.want = want
        self.got = got


class NotADisk(ContentError):
    """The bytes are something else than a disk: a web page, JSON, nothing at all."""

    reason = "NotADisk"


class NotAnArchive(ContentError):
    """An archive was wanted, and the bytes are something else."""

    reason = "NotAnArchive"


class UnsupportedFormat(ContentError):
    """A disk or an archive of a kind that is not read here."""

    reason = "UnsupportedFormat"


class CorruptImage(ContentError):
    """The image contradicts its own format."""

    reason = "CorruptImage"


class UnsafeImage(ContentError):
    """The image asks for something that could harm: other files, keys, absurd amounts of memory."""

    reason = "UnsafeImage"


class TruncatedSource(ContentError):
    """The source ended before the image did."""

    reason = "TruncatedSource"


class SizeUnknown(ContentError):
    """The source does not say how large its disk is, and nobody else did."""

    reason = "SizeUnknown"


class TargetError(TransferError):
    """The target could not be written."""


class TooSmall(TargetError):
    """The image's virtual size is larger than the target may become."""

    reason = "TargetTooSmall"
    kind = Kind.PERMANENT

    def __init__(self, virtual_size: int, available: int) -> None:
        super().__init__(
            f"virtual image size {virtual_size} is larger than the reported available storage "
            f"{available}. A larger PVC is required."
        )
        self.virtual_size = virtual_size
        self.available = available


class NoSpace(TargetError):
    """The target's file system is full."""

    reason = "NoSpace"


class TargetFailed(TargetError):
    """The target's storage reported an error."""

    reason = "TargetFailed"


class NeedsScratch(TransferError):
    """The image needs random access, which its source does not give."""

    reason = "ScratchSpaceRequired"
    kind = Kind.NEEDS_SCRATCH


class Unconfined(TransferError):
    """A program may not run here: there are no walls to put it behind."""

    reason = "Unconfined"
    kind = Kind.PERMANENT


class Cancelled(TransferError):
    """Somebody asked the transfer to stop; its journal says where to go on."""

    reason = "Cancelled"


class InvalidRequest(TransferError):
    """The order contradicts itself, or names something that cannot be."""

    reason = "InvalidRequest"
    kind = Kind.PERMANENT
