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
from cdi.standalone.schema import admit, causes, decoding, strategic
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
    known = tuple(name for name in KNOWN if not (kind.custom and name == STRATEGIC_PATCH))
    if media not in known:
        raise status.unsupported_media_type(known) if kind.custom else status.unknown_patch()
    content = _content_of(media, body)
    if media == JSON_PATCH:
        apply = _json_patch(content)
        return lambda live: _patched(kind, apply(live))
    if not isinstance(content, dict):
        raise _no_patch(media, content)
    if media == MERGE_PATCH:
        return lambda live: _patched(kind, mergepatch.merged(live, content))
    return lambda live: _patched(kind, _strategic(kind, live, content))


def _content_of(media: str, body: bytes) -> object:
    try:
        return bodies.parse_json(body)
    except bodies.NoJson as error:
        raise status.bad_request(_in_front(media) + error.problem) from error


def _no_patch(media: str, content: object) -> status.ApiError:
    if content is None and media == MERGE_PATCH:
        return status.bad_request("Invalid JSON Patch")
    found = decoding.go_name(content)
    wanted = "[]handlers.jsonPatchOp" if media == JSON_PATCH else "map[string]interface {}"
    problem = f"json: cannot unmarshal {found} into Go value of type {wanted}"
    return status.bad_request(_in_front(media) + problem)


def _in_front(media: str) -> str:
    return "" if media == STRATEGIC_PATCH else "error decoding patch: "


def parse_plain(media: str, body: bytes) -> Patch:
    """A patch of what is shown and not stored, and has no schema here: a Scale."""
    if media not in (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH):
        raise status.unknown_patch()
    content = _content_of(media, body)
    if media == JSON_PATCH:
        apply = _json_patch(content)
        return lambda shown: _object(apply(shown))
    if not isinstance(content, dict):
        raise _no_patch(media, content)
    # Nothing in it is a list, and so both other ways mean the same.
    return lambda shown: _object(mergepatch.merged(shown, content))


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
        raise _no_patch(JSON_PATCH, content)
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
        except (
            jsonpatch.JsonPatchException,
            jsonpatch.JsonPointerException,
            AttributeError,
            KeyError,
            TypeError,
            ValueError,
        ) as error:
            message = "the server rejected our request due to an error in our request"
            raise status.ApiError(422, "Invalid", message, {}) from error

    return apply


def _steps(document: object, operations: list[Any]) -> object:
    """The document after all operations; the copies of one patch may not grow without end."""
    copied = 0
    for operation in operations:
        if operation["op"] == "copy":
            source = jsonpatch.JsonPointer(operation["from"]).resolve(document, None)
            copied += len(msgspec.json.encode(source))
            if copied > MAX_COPIED:
                raise jsonpatch.JsonPatchException(
                    f"the copies of a JSON patch may add {MAX_COPIED} bytes, these add {copied}"
                )
        meant = _lenient(document, operation)
        document = jsonpatch.apply_patch(document, [meant], in_place=True)
    return document


def _lenient(document: object, operation: Document) -> Document:
    """Kubernetes replaces a key that is not there, and copies what is not there as null."""
    if operation["op"] == "replace" and _lacks(document, operation["path"]):
        return {**operation, "op": "add"}
    if operation["op"] == "copy" and _lacks(document, operation["from"]):
        return {"op": "add", "path": operation["path"], "value": None}
    return operation


def _lacks(document: object, path: str) -> bool:
    """Whether a path ends with a key that its map has not."""
    parent, key = jsonpatch.JsonPointer(path).to_last(document)
    return isinstance(parent, dict) and key is not None and key not in parent


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
