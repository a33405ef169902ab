"""
What goes over the wire: JSON bodies, pages of lists, frames of watches, delete options.

Here: bytes to values and back, no I/O of its own. Elsewhere: sending (`transport`), the verbs
(`client`). A body that is not what the protocol promises is a ConnectionBroken: some proxy or a
dying server cut it. A watch frame of type ERROR is raised as the ApiError it speaks of.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from cdi.kube import errors
from cdi.kube.objects import Object
from cdi.kube.resource import Resource

_BIG = 1 << 18


@dataclass(frozen=True, slots=True)
class Page:
    """Some objects of a list, the list's resourceVersion, and how to go on (empty: complete)."""

    items: list[Object]
    resource_version: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """ADDED, MODIFIED, DELETED or BOOKMARK, and the object it is about."""

    type: str
    object: Object


def accept(kind: str, metadata_only: bool) -> str:
    """The media type to ask for: whole objects, or `kind`, which is only their metadata."""
    whole = "application/json"
    return f"{whole};as={kind};g=meta.k8s.io;v=v1" if metadata_only else whole


def parse_object(body: bytes) -> Object:
    """Read one JSON object."""
    try:
        with _uncollected(len(body)):
            value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise errors.ConnectionBroken(f"the answer is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise errors.ConnectionBroken("the answer is not a JSON object")
    return value


@contextmanager
def _uncollected(size: int) -> Iterator[None]:
    """Keep the garbage collector out of the decoding of a big body.

    Decoding makes no garbage, but the thousands of dicts it makes set off one full collection
    after another: with them, a list of 5,000 objects takes more than twice the time.
    """
    if size < _BIG or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def parse_page(resource: Resource, body: bytes, *, metadata_only: bool = False) -> Page:
    """Read a list; its items get the apiVersion and kind that the server leaves out."""
    answer = parse_object(body)
    items = answer.get("items") or []
    if not metadata_only:
        for item in items:
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
    meta = answer.get("metadata") or {}
    return Page(items, str(meta.get("resourceVersion") or ""), str(meta.get("continue") or ""))


def parse_watch_event(line: bytes) -> WatchEvent:
    """Read one frame of a watch."""
    frame = parse_object(line)
    kind, obj = frame.get("type"), frame.get("object")
    if not isinstance(kind, str) or not isinstance(obj, dict):
        raise errors.ConnectionBroken("a watch frame without type or object")
    if kind == "ERROR":
        raise errors.from_status(obj)
    return WatchEvent(kind, obj)


async def lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Cut a stream into its non-empty lines, of any length.

    A line without its end is dropped: the connection was cut inside it.
    """
    rest = bytearray()
    async for piece in pieces:
        # Only a piece with a line end is worth splitting: a big object comes in many pieces.
        if b"\n" not in piece:
            rest += piece
            continue
        first, *others = piece.split(b"\n")
        rest += first
        for other in others:
            if rest.strip():
                yield bytes(rest)
            rest = bytearray(other)


def delete_options(
    uid: str, resource_version: str, propagation: str | None, grace_seconds: int | None
) -> dict[str, Any]:
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
    demands = {"uid": uid, "resourceVersion": resource_version}
    if any(demands.values()):
        options["preconditions"] = {key: value for key, value in demands.items() if value}
    if propagation is not None:
        options["propagationPolicy"] = propagation
    if grace_seconds is not None:
        options["gracePeriodSeconds"] = grace_seconds
    return options


def query_of(**parameters: str | int | bool | None) -> dict[str, str]:
    """Query parameters as text; None, empty text and False are left out."""
    return {
        name: "true" if value is True else str(value)
        for name, value in parameters.items()
        if value is not None and value is not False and value != ""
    }
