"""What to do about the reasons of conditions, in words of users."""

from collections.abc import Mapping
from typing import Final

# What to do about a reason of a condition, before it is tried again.
REMEDIES: Final[Mapping[str, str]] = {
    "SourceNotFound": "check the URL",
    "AccessDenied": "check the Secret that secretRef names",
    "SourceRefused": "see what the server says, correct the source",
    "SourceUnavailable": "see whether the source is up and can be reached from here",
    "ConnectionLost": "see whether the network to the source holds",
    "Stalled": "see whether the source still answers",
    "SourceChanged": "wait until nobody writes the source any more",
    "CertificateInvalid": "give the server's CA in a ConfigMap that certConfigMap names",
    "ChecksumError": "check the checksum, or the file at the source",
    "NotADisk": "use the image itself, not a page about it",
    "NotAnArchive": "check the URL, or leave contentType archive out",
    "UnsupportedFormat": "convert or unpack the image first",
    "CorruptImage": "fetch or make the image again",
    "UnsafeImage": "flatten the image with qemu-img convert",
    "TruncatedSource": "fetch or make the image again",
    "TargetTooSmall": "ask for a larger size",
    "InvalidRequest": "correct the manifest",
    "SourceLocked": "see what the engine is doing with the disk",
    "TargetFailed": "see what the storage says, in the message",
    "NotSupported": "use another kind of source",
    "Unconfined": "run it where the walls can stand, or do not require them",
    "InternalError": "report it, with the log of the importer",
    "NoSpace": "make room on the storage",
    "ImagePullFailed": "check the name of the image and whether nodes can pull it",
    "Unschedulable": "see why no node takes it, with kubectl describe",
    "OOMKilled": "give workers more memory, in spec.podResourceRequirements of CDIConfig",
    "AwaitingVDDK": "name an image with the VDDK library",
    "ErrStartingPod": "see why the pod is refused, in the message",
    "ErrExceededQuota": "raise the quota of the namespace, or delete something",
    "ErrClaimNotValid": "correct the manifest, or name a StorageClass that exists",
    "ErrResourceDoesntExist": "make what is missing, or name another one",
    "ErrResourceExists": "delete the claim of that name, or choose another name",
    "ErrResourceMarkedForDeletion": "wait until the claim of that name is gone",
    "ImportTargetInUse": "stop the pod that uses the claim",
    "UploadTargetInUse": "stop the pod that uses the claim",
    "ErrIncompatiblePVC": "make the claim as the message says",
}
