"""
The three patches that only need the object itself: JSON patch, merge patch, strategic merge.

Here: media type and body to a function on documents. Elsewhere: server-side apply, which also
needs the managers of fields (`schema.fields`). Raises ApiError (400, 415, 422).
"""

from collections.abc import Callable
from typing import Any

import jsonpatch

from cdi.kube import mergepatch
from cdi.standalone.apiserver import bodies, status
from cdi.standalone.schema import strategic
from cdi.standalone.schema.registry import KindInfo

Document = dict[str, Any]
Patch = Callable[[Document], Document]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
KNOWN = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
MAX_OPERATIONS = 10_000


def parse_patch(kind: KindInfo, media: str, body: bytes) -> Patch:
    """A function that applies the patch to a copy of the live object."""
    content = bodies.parse_json(body)
    if media == JSON_PATCH:
        return _json_patch(content)
    if not isinstance(content, dict):
        raise status.bad_request("a patch must be a JSON object")
    if media == MERGE_PATCH:
        return lambda live: _object(mergepatch.merged(live, content))
    if media == STRATEGIC_PATCH and not kind.custom:
        return lambda live: _strategic(kind, live, content)
    known = tuple(name for name in KNOWN if not (kind.custom and name == STRATEGIC_PATCH))
    raise status.unsupported_media_type(media, known)


def _strategic(kind: KindInfo, live: Document, content: Document) -> Document:
    try:
        return strategic.merge(kind, live, content)
    except strategic.InvalidPatch as error:
        raise status.bad_request(str(error)) from error


def _json_patch(content: object) -> Patch:
    if not isinstance(content, list):
        raise status.bad_request("a JSON patch must be a list of operations")
    if len(content) > MAX_OPERATIONS:
        raise status.ApiError(
            413,
            "RequestEntityTooLarge",
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, "
            f"got {len(content)}",
        )

    def apply(live: Document) -> Document:
        try:
            return _object(jsonpatch.JsonPatch(content).apply(live))
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            message = f"the server rejected our request due to an error in our request: {error}"
            raise status.ApiError(422, "Invalid", message) from error
        except (KeyError, TypeError) as error:
            raise status.bad_request(f"the JSON patch is malformed: {error}") from error

    return apply


def _object(value: object) -> Document:
    if not isinstance(value, dict):
        raise status.bad_request("the patch does not leave an object")
    return value
