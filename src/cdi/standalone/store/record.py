"""
What the store keeps: keys, current entries and changes. Values only, no I/O.

A revision is a whole number that grows with every write to any object; clients see it as the
resourceVersion. A body is one object as JSON text with apiVersion and kind in front, so that a
reader can tell the version of a body from its first bytes.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

Document = dict[str, Any]


class Key(NamedTuple):
    """Where an object lives. `resource` is "plural.group", or the bare plural in the core group."""

    resource: str
    namespace: str  # empty for cluster-scoped kinds
    name: str


class Verb(StrEnum):
    """What a change did, in the words of a watch event."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True)
class Entry:
    """The current state of one object."""

    revision: int
    body: bytes

    def document(self) -> Document:
        """A fresh copy that the caller may change."""
        return decode(self.body)


@dataclass(frozen=True, slots=True)
class Change:
    """One row of the log. A deletion's body is the last state, stamped with its own revision."""

    revision: int
    verb: Verb
    key: Key
    body: bytes
    previous: bytes | None


_decoder = msgspec.json.Decoder(dict[str, Any])
_encoder = msgspec.json.Encoder()


def decode(body: bytes) -> Document:
    """A fresh document from a body."""
    return _decoder.decode(body)


def encode(document: Document, revision: int) -> bytes:
    """A body of `document` stamped with `revision`; the document itself stays as it is."""
    metadata = {**document.get("metadata", {}), "resourceVersion": str(revision)}
    stamped = {
        "apiVersion": document.get("apiVersion", ""),
        "kind": document.get("kind", ""),
        **document,
        "metadata": metadata,
    }
    return _encoder.encode(stamped)


def encode_plain(document: object) -> bytes:
    """JSON of anything, as compact as a body."""
    return _encoder.encode(document)
