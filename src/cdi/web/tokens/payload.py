"""What tokens say: this source may be cloned to that target; that claim may be uploaded to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

CLAIM: Final = "persistentvolumeclaims"
SNAPSHOT: Final = "volumesnapshots"

_GROUPS: Final = {CLAIM: "", SNAPSHOT: "snapshot.storage.k8s.io"}

Claims = dict[str, object]


class WrongPayload(ValueError):
    """A genuine token that says something else than what is asked for."""


@dataclass(frozen=True, slots=True)
class ClonePayload:
    """A permission. How it is signed, and for how long it is good, is the signer's business."""

    resource: str  # CLAIM or SNAPSHOT
    namespace: str
    name: str
    target_namespace: str
    target_name: str
    uid: str = ""  # of the one object that the permission belongs to; empty: of none in particular

    def as_claims(self) -> Claims:
        """Return the claims of the token that are about the clone."""
        params = {"targetNamespace": self.target_namespace, "targetName": self.target_name}
        return {
            "operation": "Clone",
            "name": self.name,
            "namespace": self.namespace,
            "resource": _resource(self.resource),
            "params": {**params, "uid": self.uid} if self.uid else params,
        }

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> ClonePayload:
        """Raises WrongPayload."""
        try:
            _insist(claims, "Clone", (CLAIM, SNAPSHOT))
            params = claims["params"]
            return cls(
                claims["resource"]["resource"],
                claims["namespace"],
                claims["name"],
                params["targetNamespace"],
                params["targetName"],
                params.get("uid", ""),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise WrongPayload("the token does not say what may be cloned to where") from error


@dataclass(frozen=True, slots=True)
class UploadPayload:
    """A permission to upload to a claim; with `uid`, to no later one of the same name."""

    namespace: str
    name: str
    uid: str = ""

    def as_claims(self) -> Claims:
        """Return the claims of the token that are about the upload."""
        claims: Claims = {
            "operation": "Upload",
            "name": self.name,
            "namespace": self.namespace,
            "resource": _resource(CLAIM),
        }
        return {**claims, "params": {"uid": self.uid}} if self.uid else claims

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> UploadPayload:
        """Raises WrongPayload."""
        try:
            _insist(claims, "Upload", (CLAIM,))
            namespace, name = claims["namespace"], claims["name"]
            if not (namespace and name):
                raise WrongPayload("the token names no claim")
            return cls(namespace, name, (claims.get("params") or {}).get("uid", ""))
        except (KeyError, TypeError, AttributeError) as error:
            raise WrongPayload("the token does not say what may be uploaded to") from error


def _resource(plural: str) -> dict[str, str]:
    return {"group": _GROUPS[plural], "version": "v1", "resource": plural}


def _insist(claims: Mapping[str, Any], operation: str, resources: tuple[str, ...]) -> None:
    if claims["operation"] != operation:
        raise WrongPayload(f"the token is not for operation {operation}")
    if claims["resource"]["resource"] not in resources:
        raise WrongPayload(f"the token is not for any of {', '.join(resources)}")
