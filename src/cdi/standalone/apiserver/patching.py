"""
The three patches that only need the object itself: JSON patch, merge patch, strategic merge.

Here: media type and body to a function on documents. Elsewhere: server-side apply, which also
needs the managers of fields (`schema.fields`). Raises ApiError (400, 415, 422).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonpatch
import msgspec

from cdi.kube import mergepatch
from cdi.standalone.apiserver import bodies, status
from cdi.standalone.schema import admit, causes, strategic
from cdi.standalone.schema.registry import KindInfo

Document = dict[str, Any]
Patch = Callable[[Document], Document]

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
KNOWN = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)
MAX_OPERATIONS = 10_000
SHOWN = 4096  # bytes of a document that an error message repeats
MAX_COPIED = 3 * 1024 * 1024  # bytes that the copies of one JSON patch may add, as in Kubernetes


def parse_patch(kind: KindInfo, media: str, body: bytes) -> Patch:
    """A function that applies the patch to a copy of the live object."""
    content = bodies.parse_json(body)
    if media == JSON_PATCH:
        apply = _json_patch(content)
        return lambda live: _patched(kind, apply(live))
    if not isinstance(content, dict):
        raise status.bad_request("a patch must be a JSON object")
    if media == MERGE_PATCH:
        return lambda live: _patched(kind, mergepatch.merged(live, content))
    if media == STRATEGIC_PATCH and not kind.custom:
        return lambda live: _patched(kind, _strategic(kind, live, content))
    known = tuple(name for name in KNOWN if not (kind.custom and name == STRATEGIC_PATCH))
    raise status.unsupported_media_type(media, known)


def parse_plain(media: str, body: bytes) -> Patch:
    """A patch of what is shown and not stored, and has no schema here: a Scale."""
    content = bodies.parse_json(body)
    if media == JSON_PATCH:
        apply = _json_patch(content)
        return lambda shown: _object(apply(shown))
    if media in (MERGE_PATCH, STRATEGIC_PATCH) and isinstance(content, dict):
        # Nothing in it is a list, and so both mean the same.
        return lambda shown: _object(mergepatch.merged(shown, content))
    raise status.unsupported_media_type(media, KNOWN[:-1])


def _object(value: object) -> Document:
    if not isinstance(value, dict):
        raise _unreadable(value, "must be an object")
    return value


def _strategic(kind: KindInfo, live: Document, content: Document) -> Document:
    try:
        return strategic.merge(kind, live, content)
    except strategic.InvalidPatch as error:
        raise status.bad_request(str(error)) from error


def _json_patch(content: object) -> Callable[[Document], object]:
    if not isinstance(content, list):
        raise status.bad_request("a JSON patch must be a list of operations")
    if len(content) > MAX_OPERATIONS:
        raise status.ApiError(
            413,
            "RequestEntityTooLarge",
            f"The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, "
            f"got {len(content)}",
        )

    def apply(live: Document) -> object:
        try:
            return _steps(live, content)
        except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
            message = f"the server rejected our request due to an error in our request: {error}"
            raise status.ApiError(422, "Invalid", message, {}) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise status.bad_request(f"the JSON patch is malformed: {error}") from error

    return apply


def _steps(document: object, operations: list[Any]) -> object:
    """The document after all operations; the copies of one patch may not grow without end."""
    copied = 0
    for operation in operations:
        if operation["op"] == "copy":
            source = jsonpatch.JsonPointer(operation["from"]).resolve(document)
            copied += len(msgspec.json.encode(source))
            if copied > MAX_COPIED:
                raise jsonpatch.JsonPatchException(
                    f"the copies of a JSON patch may add {MAX_COPIED} bytes, these add {copied}"
                )
        document = jsonpatch.apply_patch(document, [operation], in_place=True)
    return document


def _patched(kind: KindInfo, value: object) -> Document:
    """What a patch leaves, if it is still an object of the kind. Raises ApiError (422)."""
    if not isinstance(value, dict):
        raise _unreadable(value, "must be an object")
    bodies.check_depth(value)
    for field, wanted in (("apiVersion", kind.api_version), ("kind", kind.kind)):
        if value.get(field) != wanted:
            raise _other_type(kind, value, field, wanted)
    if problem := admit.decode_problem(kind, value):
        raise _unreadable(value, problem)
    return value


def _other_type(kind: KindInfo, value: Document, field: str, wanted: str) -> status.ApiError:
    if not kind.custom:
        return _unreadable(value, f"{field} is {wanted} and cannot be changed by a patch")
    wrong = causes.invalid(field, value.get(field, ""), f"must be {wanted}")
    called = str(value.get("kind", ""))
    return status.invalid(replace(kind, kind=called), value["metadata"]["name"], [wrong])


def _unreadable(value: object, problem: str) -> status.ApiError:
    """Nobody can read what the patch leaves."""
    return status.invalid_patch(shown(value), problem)


def shown(value: object) -> str:
    """A document as an error message repeats it."""
    return msgspec.json.encode(value)[:SHOWN].decode(errors="replace")
