"""
Between the version a client speaks and the version that is stored.

Custom resources follow the strategy None: only the apiVersion differs. Events are the one kind
with two faces here: events.k8s.io/v1 objects are kept as core/v1 Events, as every client of
either API expects to see the other's.
"""

from typing import Any

from cdi.standalone.schema.registry import KindInfo
from cdi.standalone.store import record

Document = dict[str, Any]

# events.k8s.io/v1 name -> core/v1 name, where they differ.
_EVENT_NAMES = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_CORE_NAMES = {core: new for new, core in _EVENT_NAMES.items()}


def to_storage(kind: KindInfo, stored: KindInfo, document: Document) -> Document:
    """The object as it is kept."""
    if kind is stored:
        return document
    if kind.group == "events.k8s.io":
        document = _renamed(document, _EVENT_NAMES)
    return {**document, "apiVersion": stored.api_version, "kind": stored.kind}


def from_storage(kind: KindInfo, document: Document) -> Document:
    """The object as a client of `kind` sees it."""
    if kind.group == "events.k8s.io":
        document = _renamed(document, _CORE_NAMES)
    return {**document, "apiVersion": kind.api_version, "kind": kind.kind}


def is_stored_as(kind: KindInfo, body: bytes) -> bool:
    """Whether a body is of just this kind and version; bodies start with both."""
    start = f'{{"apiVersion":"{kind.api_version}","kind":"{kind.kind}",'
    return body.startswith(start.encode())


def document_of(kind: KindInfo, body: bytes) -> Document:
    """A stored object in the version of `kind`, fresh."""
    document = record.decode(body)
    return document if is_stored_as(kind, body) else from_storage(kind, document)


def body_of(kind: KindInfo, body: bytes) -> bytes:
    """The same as JSON; without decoding where nothing differs."""
    return body if is_stored_as(kind, body) else record.encode_plain(document_of(kind, body))


def _renamed(document: Document, names: dict[str, str]) -> Document:
    return {names.get(key, key): value for key, value in document.items()}
