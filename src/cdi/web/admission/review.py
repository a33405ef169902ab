"""
AdmissionReview, the envelope in which a cluster asks a webhook: parsed, and answered.

Only `admission.k8s.io/v1` is read. A review that cannot be read is answered with a refusal, so
that the user sees why; one whose UID cannot be read cannot be answered at all.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

from cdi.kube import objects
from cdi.kube.reviews import user_of
from cdi.web.admission import jsonpatch
from cdi.web.admission.decision import Decision
from cdi.web.admission.request import AdmissionRequest

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"

Object = dict[str, Any]


class NotAReview(ValueError):
    """The body is not an AdmissionReview of the version that is read."""


def parse_review(review: Any) -> tuple[str, AdmissionRequest]:
    """Return UID and request of a review. Raises NotAReview."""
    if (objects.get(review, "apiVersion"), objects.get(review, "kind")) != (API_VERSION, KIND):
        raise NotAReview(f"want an {KIND} of {API_VERSION}")
    asked = objects.get(review, "request")
    uid = objects.get(asked, "uid")
    if not isinstance(asked, Mapping) or not isinstance(uid, str):
        raise NotAReview(f"the {KIND} has no request, or its request has no uid")
    try:
        return uid, _request(asked)
    except (AttributeError, TypeError) as error:
        raise NotAReview(f"the request of the {KIND} does not have the form of one") from error


def answer_to(uid: str, request: AdmissionRequest, decision: Decision) -> Object:
    """Return the review that carries a decision back."""
    response: Object = {"uid": uid, "allowed": decision.allowed}
    if decision.warnings:
        response["warnings"] = list(decision.warnings)
    if not decision.allowed:
        response["status"] = {
            "metadata": {},
            "status": "Failure",
            "message": decision.message,
            "reason": decision.reason,
            "code": decision.code,
            "details": decision.details_for(request),
        }
    elif decision.object is not None:
        patch = jsonpatch.difference(request.object, decision.object)
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
    return {"apiVersion": API_VERSION, "kind": KIND, "response": response}


def _request(asked: Mapping[str, Any]) -> AdmissionRequest:
    group, plural = _text(asked, "resource", "group"), _text(asked, "resource", "resource")
    return AdmissionRequest(
        operation=_text(asked, "operation"),
        resource=f"{plural}.{group}" if group else plural,
        kind=_text(asked, "kind", "kind"),
        namespace=_text(asked, "namespace"),
        name=_text(asked, "name"),
        object=_object(asked, "object"),
        old=_object(asked, "oldObject"),
        user=user_of(objects.get(asked, "userInfo", default={})),
        dry_run=objects.get(asked, "dryRun") is True,
        version=_text(asked, "resource", "version"),
    )


def _object(asked: Mapping[str, Any], key: str) -> Object | None:
    found = objects.get(asked, key)
    return found if isinstance(found, dict) else None


def _text(obj: Mapping[str, Any], *path: str) -> str:
    return str(objects.get(obj, *path, default=""))
