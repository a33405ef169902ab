"""
Lists: which objects, as of when, in pages, in the form that was asked for.

Here: resourceVersion rules of lists, continue tokens, and the envelope. Elsewhere: selectors,
watches. A page that continues shows the state of the first page, from the log. Raises ApiError.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cdi.standalone.apiserver import conversion, negotiation, selectors, status
from cdi.standalone.apiserver.negotiation import Shape, View
from cdi.standalone.apiserver.objects import Objects
from cdi.standalone.apiserver.options import ListOptions, parse_number
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.apiserver.timestamps import Clock
from cdi.standalone.schema import causes, table
from cdi.standalone.schema.registry import KindInfo
from cdi.standalone.store import errors
from cdi.standalone.store.record import Entry, Key, encode_plain
from cdi.standalone.store.store import Store

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries of a list, and where the rest begins."""

    entries: list[Entry]
    revision: int
    token: str = ""
    remaining: int = 0


async def page_of(source: Objects, ref: ObjectRef, options: ListOptions) -> Page:
    """The entries that a list request asks for."""
    resource = ref.key.resource
    selector = selectors.parse_selector(ref.kind, options.labels, options.fields)
    store = source.store
    revision, after = _start(options, store)
    try:
        if revision is None:
            revision, found = store.revision, store.entries(resource, ref.namespace)
        else:
            found = await store.entries_at(resource, ref.namespace, revision)
    except errors.Compacted as error:
        raise _expired(options, error) from error
    except errors.FutureRevision as error:
        raise status.too_large_revision(str(error)) from error
    if after:
        found = [(key, entry) for key, entry in found if (key.namespace, key.name) > after]
    if name := ref.name or selector.name():
        found = [(key, entry) for key, entry in found if key.name == name]
    chosen = list(_selected(source, ref.kind, found, selector))
    if not options.limit or len(chosen) <= options.limit:
        return Page([entry for _, entry in chosen], revision)
    last = chosen[options.limit - 1][0]
    remaining = 0 if selector else len(chosen) - options.limit
    token = _token(revision, last)
    return Page([entry for _, entry in chosen[: options.limit]], revision, token, remaining)


def render(
    source: Objects, ref: ObjectRef, page: Page, view: View, options: ListOptions, clock: Clock
) -> bytes:
    """The body of the answer."""
    kind = ref.kind
    envelope: Document = {"resourceVersion": str(page.revision)}
    if page.token:
        envelope["continue"] = page.token
        if page.remaining:
            envelope["remainingItemCount"] = page.remaining
    if view.shape is Shape.TABLE:
        documents = [source.document_of(kind, entry) for entry in page.entries]
        made = table.table_for(kind, documents, options.include_object, clock())
        made["metadata"] = envelope
        return view.render(made)
    if view.shape is Shape.METADATA:
        items = [
            negotiation.partial_metadata(source.document_of(kind, entry)) for entry in page.entries
        ]
        return view.render(
            {
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": envelope,
                "items": items,
            }
        )
    head = {
        "kind": kind.list_kind or f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": envelope,
    }
    if view.yaml:
        return view.render(
            {**head, "items": [source.document_of(kind, entry) for entry in page.entries]}
        )
    # Stored bodies go out as they are: no decoding for the common case.
    bodies = b",".join(conversion.body_of(kind, entry.body) for entry in page.entries)
    return encode_plain(head)[:-1] + b',"items":[' + bodies + b"]}"


def _selected(
    source: Objects,
    kind: KindInfo,
    found: list[tuple[Key, Entry]],
    selector: selectors.Selector,
) -> Iterator[tuple[Key, Entry]]:
    for key, entry in found:
        if not selector or selector.matches(source.document_of(kind, entry)):
            yield key, entry


def _start(options: ListOptions, store: Store) -> tuple[int | None, tuple[str, str] | None]:
    """At which revision to read (None: now) and after which key to go on."""
    if options.token:
        if options.revision not in ("", "0"):
            raise status.bad_request(
                "specifying resource version is not allowed when using continue"
            )
        return _parse_token(options.token)
    _check_match(options)
    revision = check_revision(options.revision, store)
    if options.match == "Exact":
        return revision, None
    if revision and options.limit and not options.match:
        return revision, None  # a limited list at a revision means exactly that revision
    return None, None


def _check_match(options: ListOptions) -> None:
    """Raise ApiError for a way of reading that goes with nothing else that was asked for."""
    match, wrong = options.match, None
    if options.initial_events:
        wrong = causes.forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list")
    elif match and not options.revision:
        detail = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        wrong = causes.forbidden("resourceVersionMatch", detail)
    elif match not in ("", "Exact", "NotOlderThan"):
        known = ("Exact", "NotOlderThan", "")
        wrong = causes.unsupported("resourceVersionMatch", match, known)
    elif match == "Exact" and options.revision == "0":
        detail = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        wrong = causes.forbidden("resourceVersionMatch", detail)
    if wrong:
        raise status.invalid_options("ListOptions", wrong)


def check_revision(text: str, store: Store) -> int:
    """A revision that has been reached. Raises ApiError (400, 504)."""
    revision = parse_revision(text)
    if revision > store.revision:
        raise status.too_large_revision(str(errors.FutureRevision(revision, store.revision)))
    return revision


def parse_revision(text: str) -> int:
    """A resourceVersion parameter; empty counts as 0. Raises ApiError."""
    if not text:
        return 0
    try:
        return parse_number(text)
    except ValueError as error:
        why = f'resourceVersion: Invalid value: "{text}": {error}'
        raise status.bad_request(f"invalid resource version: {why}") from error


_TOKENS = "meta.k8s.io/v1"


def _token(revision: int, last: Key) -> str:
    content = {"v": _TOKENS, "rv": revision, "start": [last.namespace, last.name]}
    return base64.urlsafe_b64encode(encode_plain(content)).decode().rstrip("=")


def _parse_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise _no_token("illegal base64 data at input byte 0") from error
    try:
        content = json.loads(text)
        if content.get("v") != _TOKENS:
            raise _no_token("server does not recognize this encoded version ")
        namespace, name = content["start"]
        return int(content["rv"]), (str(namespace), str(name))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _no_token("incorrect encoded start resourceVersion") from error


def _no_token(why: str) -> status.ApiError:
    return status.bad_request(f"invalid continue token: continue key is not valid: {why}")


def _expired(options: ListOptions, error: errors.Compacted) -> status.ApiError:
    if options.token:
        return status.expired(
            "The provided continue parameter is too old to display a consistent list result. "
            "You must start a new list without the continue parameter."
        )
    return status.expired(str(error))
