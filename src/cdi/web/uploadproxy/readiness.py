"""
Whether a claim takes an upload now, later or never: pure decisions on what Kubernetes has.

A claim that is filled by a populator gets its bytes in another one, its prime, which its own
annotation names. Errors are `refusals.Refused`; what may change by itself is `NotYet`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.api import annotations, names, uploadsession
from cdi.api.uploadsession import FinishedSession
from cdi.kube import objects
from cdi.web.uploadproxy import paths
from cdi.web.uploadproxy.refusals import Refused

_SOURCE: Final = ("cdi.kubevirt.io", "VolumeUploadSource")
_TRUE: Final = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_SUCCEEDED: Final = "Succeeded"

Claim = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ready:
    """The server behind this Service takes what is sent to it."""

    namespace: str
    service: str
    content_type: str  # paths.ARCHIVE or paths.DISK


class Finished(Refused):
    """The claim has its content; says by which resumable upload, if it was one."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(503, "Finished", f"PVC {_named(claim)} already has its content")
        said = objects.annotations(claim).get(annotations.UPLOAD_SESSION, "")
        self.session: FinishedSession | None = uploadsession.parse(said)


class NotYet(Exception):
    """The claim may take an upload soon; says what it waits for."""


def check_target(claim: Claim, uid: str) -> None:
    """Insist that the claim which a token or session names is still one to upload to.

    `uid` is that of the claim which a token is for; empty where it was signed before there was one.
    """
    if uid and objects.uid(claim) != uid:
        raise Refused(
            401,
            "TokenOfAnotherClaim",
            f"the token is for an earlier claim called {_named(claim)}; ask for a new one",
        )
    if objects.is_deleting(claim):
        raise Refused(409, "Deleted", f"PVC {_named(claim)} is being deleted")
    _check_unfinished(claim)


def prime_of(claim: Claim) -> str | None:
    """The name of the claim that is filled in place of this one; None: it is filled itself.

    Raises NotYet where there will be one.
    """
    source = objects.get(claim, "spec", "dataSourceRef", default={})
    if (source.get("apiGroup"), source.get("kind")) != _SOURCE:
        return None
    prime = objects.annotations(claim).get(annotations.PVC_PRIME)
    if not prime:
        raise NotYet(f"PVC {_named(claim)} is not being populated yet")
    return prime


def server_for(claim: Claim) -> Ready:
    """The server of a claim that is itself filled. Raises NotYet, Refused."""
    if objects.annotations(claim).get(annotations.UPLOAD_TARGET) is None:
        raise Refused(
            409, "NotAnUploadTarget", f"PVC {_named(claim)} is not the target of an upload"
        )
    _check_unfinished(claim)
    if objects.annotations(claim).get(annotations.POD_READY, "") not in _TRUE:
        raise NotYet(f"the upload server of PVC {_named(claim)} is not ready")
    namespace, name = objects.key(claim)
    return Ready(namespace, names.upload_service_for(name), _content_type(claim))


def _check_unfinished(claim: Claim) -> None:
    if objects.annotations(claim).get(annotations.POD_PHASE) == _SUCCEEDED:
        raise Finished(claim)


def _content_type(claim: Claim) -> str:
    found = objects.annotations(claim).get(annotations.CONTENT_TYPE) or paths.DISK
    if found not in (paths.DISK, paths.ARCHIVE):
        raise Refused(
            503, "UnknownContentType", f"content type {found!r} of PVC {_named(claim)} is not known"
        )
    return found


def _named(claim: Claim) -> str:
    namespace, name = objects.key(claim)
    return f"{namespace}/{name}"
