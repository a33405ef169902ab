"""
One UploadTokenRequest: what may be asked, and the answer.

The claim need not exist yet. If it does, the token is bound to its UID: it opens no later claim of
the same name. Raises statuses.Refused.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.api import names, resources
from cdi.api.kinds.uploadtoken import UploadTokenRequest
from cdi.kube import objects
from cdi.web import statuses
from cdi.web.tokens.payload import UploadPayload

Object = dict[str, Any]
# The UID of a claim, by namespace and name; None if there is no such claim.
ClaimUid = Callable[[str, str], Awaitable[str | None]]

SERVED: Final = resources.resource_of(UploadTokenRequest)
API_VERSION: Final = SERVED.api_version

_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KNOWN: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_KNOWN_BELOW: Final = {"spec": frozenset({"pvcName"}), "status": frozenset({"token"})}
_STRICT, _WARN, _IGNORE = "Strict", "Warn", "Ignore"


@dataclass(frozen=True, slots=True)
class Answer:
    """The object with its token, and what the client should be told besides."""

    document: Object
    warnings: tuple[str, ...] = ()


class TokenRequests:
    """Answers requests with tokens that `sign` makes."""

    def __init__(self, sign: Callable[[UploadPayload], str], uid_of: ClaimUid) -> None:
        self._sign = sign
        self._uid_of = uid_of

    async def create(self, document: object, namespace: str, field_validation: str = "") -> Answer:
        """The answer to an object that was posted to a namespace; `field_validation` as clients
        of Kubernetes say it. Whether its sender may do this has been found out before."""
        posted = _checked(document, namespace)
        unknown = tuple(f'unknown field "{path}"' for path in _unknown(posted))
        if unknown and field_validation == _STRICT:
            raise statuses.bad_request(f"strict decoding error: {', '.join(unknown)}")
        claim: str = posted["spec"]["pvcName"]
        uid = await self._uid_of(namespace, claim)
        token = self._sign(UploadPayload(namespace, claim, uid or ""))
        status = {**objects.get(posted, "status", default={}), "token": token}
        warnings = () if field_validation == _IGNORE else unknown
        return Answer({**posted, "status": status}, warnings)


def _checked(document: object, namespace: str) -> Object:
    """The document with all that its kind must have, or Refused."""
    if not isinstance(document, dict):
        raise statuses.bad_request("the object provided is unrecognized: must be of type object")
    stated = document.get("apiVersion") or API_VERSION, document.get("kind") or SERVED.kind
    if stated != (API_VERSION, SERVED.kind):
        raise statuses.bad_request(
            f"the API version and kind of the data ({stated[0]}, {stated[1]}) do not match the "
            f"expected ones ({API_VERSION}, {SERVED.kind})"
        )
    for part in ("metadata", "spec", "status"):
        if not isinstance(document.get(part) or {}, Mapping):
            raise statuses.bad_request(f"{part} must be an object")
    if causes := list(_causes(document, namespace)):
        raise statuses.invalid(SERVED.group, SERVED.kind, objects.name(document), causes)
    return {"apiVersion": API_VERSION, "kind": SERVED.kind, **document}


def _causes(document: Mapping[str, Any], namespace: str) -> Iterator[Object]:
    stated = objects.namespace(document)
    if stated not in ("", namespace):
        message = f'Invalid value: "{stated}": does not match the namespace of the request'
        yield _cause("FieldValueInvalid", message, "metadata.namespace")
    claim = objects.get(document, "spec", "pvcName", default="")
    if claim == "":
        yield _cause("FieldValueRequired", "Required value", "spec.pvcName")
    elif not _is_name(claim):
        message = f"Invalid value: {claim!r}: not the name of a claim"
        yield _cause("FieldValueInvalid", message, "spec.pvcName")


def _is_name(claim: object) -> bool:
    return (
        isinstance(claim, str)
        and len(claim) <= names.LONGEST_NAME
        and _SUBDOMAIN.fullmatch(claim) is not None
    )


def _cause(reason: str, message: str, field: str) -> Object:
    return {"reason": reason, "message": message, "field": field}


def _unknown(document: Mapping[str, Any]) -> Iterator[str]:
    yield from sorted(document.keys() - _KNOWN)
    for part, known in _KNOWN_BELOW.items():
        yield from (f"{part}.{key}" for key in sorted((document.get(part) or {}).keys() - known))
