"""
Watches on the wire: one JSON line per event, until the client, the timeout or the server ends it.

Here: from which state to start, what a selector makes of a change, bookmarks, initial events, the
forms an object can be wanted in. Elsewhere: the changes themselves (`store.watch`).

A watch that cannot start or go on says so with an ERROR event that holds a 410 Status, as clients
expect: they list again.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from cdi.standalone.apiserver import conversion, listing, negotiation, selectors, status
from cdi.standalone.apiserver.negotiation import Shape, View
from cdi.standalone.apiserver.objects import Objects
from cdi.standalone.apiserver.options import ListOptions
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.apiserver.timestamps import Clock
from cdi.standalone.schema import causes, table
from cdi.standalone.store import errors, record
from cdi.standalone.store.record import Change, Verb
from cdi.standalone.store.watch import Watch

Document = dict[str, Any]

BOOKMARK_EVERY = 60.0  # seconds of silence, as Kubernetes does about once a minute
TIMEOUT = 1800.0  # seconds, at least, for clients that name none; spread so they do not all return
CHUNK = 256 * 1024  # bytes gathered into one write when many events wait


@dataclass(frozen=True, slots=True)
class Stream:
    """Everything that shapes one watch."""

    source: Objects
    ref: ObjectRef
    options: ListOptions
    view: View
    clock: Clock
    alive: Callable[[], bool]  # whether the client is still there, looked at when it is quiet

    def check(self) -> None:
        """Raise what can be said before the answer begins."""
        selectors.parse_selector(self.ref.kind, self.options.labels, self.options.fields)
        self._check_start()

    async def lines(self) -> AsyncIterator[bytes]:
        """The body of the answer, in pieces that each hold whole lines."""
        resource = self.ref.key.resource
        options = self.options
        selector = selectors.parse_selector(self.ref.kind, options.labels, options.fields)
        since = self._check_start()
        form = _Form(self)
        end = asyncio.get_running_loop().time() + self._timeout()
        try:
            async with self.source.store.watch(resource, since or None) as watch:
                if not since:
                    for piece in form.initial(selector, watch.revision):
                        yield piece
                async for piece in form.live(watch, selector, end):
                    yield piece
        except (errors.Compacted, errors.Overrun) as error:
            yield form.error(status.expired(str(error)))
        except errors.FutureRevision as error:
            yield form.error(status.too_large_revision(str(error)))

    def _check_start(self) -> int:
        """The revision to start after; 0 for the current state first."""
        options = self.options
        if options.initial_events and options.match != "NotOlderThan":
            raise _forbidden_match(
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
        if options.match and not options.initial_events:
            raise _forbidden_match(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            )
        since = listing.parse_revision(options.revision)
        if not options.initial_events:
            return since
        if since > self.source.store.revision:
            raise status.too_large_revision(
                str(errors.FutureRevision(since, self.source.store.revision))
            )
        return 0

    def _timeout(self) -> float:
        if self.options.timeout:
            return self.options.timeout
        return TIMEOUT * (1 + random.random())  # noqa: S311 (spreads load, guards nothing)


class _Form:
    """Turns changes into lines for one stream."""

    def __init__(self, stream: Stream) -> None:
        self._source = stream.source
        self._kind = stream.ref.kind
        self._ref = stream.ref
        self._options = stream.options
        self._view = replace(stream.view, yaml=False)
        self._clock = stream.clock
        self._alive = stream.alive
        self._columns_sent = False

    def initial(self, selector: selectors.Selector, revision: int) -> Iterator[bytes]:
        """The current state as ADDED events, and the bookmark that ends it when asked for."""
        store = self._source.store
        piece = bytearray()
        for key, entry in store.entries(self._ref.key.resource, self._ref.namespace):
            if self._concerns(key.namespace, key.name) and self._matches(selector, entry.body):
                piece += self._event(Verb.ADDED, entry.body)
            if len(piece) > CHUNK:
                yield bytes(piece)
                piece.clear()
        if self._options.initial_events and self._options.bookmarks:
            piece += self._bookmark(revision, {"k8s.io/initial-events-end": "true"})
        if piece:
            yield bytes(piece)

    async def live(
        self, watch: Watch, selector: selectors.Selector, end: float
    ) -> AsyncIterator[bytes]:
        """Changes as they come, bookmarks when nothing comes, until the loop's time is `end`."""
        loop = asyncio.get_running_loop()
        while (left := end - loop.time()) > 0:
            changes: list[Change] | None = None
            # Only the wait is timed: a timer around the whole stream would fire in the reader.
            with suppress(TimeoutError):
                async with asyncio.timeout(min(BOOKMARK_EVERY, left)):
                    changes = await watch.batch()
            if changes is None:
                if not self._alive():
                    return
                if self._options.bookmarks:
                    yield self._bookmark(watch.revision, {})
                continue
            if not changes:
                return
            if piece := b"".join(self._lines(changes, selector)):
                yield piece

    def error(self, error: status.ApiError) -> bytes:
        """The event that ends a watch which cannot go on."""
        return record.encode_plain({"type": "ERROR", "object": error.body()}) + b"\n"

    def _lines(self, changes: list[Change], selector: selectors.Selector) -> Iterator[bytes]:
        for change in changes:
            if not self._concerns(change.key.namespace, change.key.name):
                continue
            verb = self._seen_as(change, selector)
            if verb is not None:
                yield self._event(verb, change.body)

    def _concerns(self, namespace: str, name: str) -> bool:
        ref = self._ref
        return (not ref.namespace or namespace == ref.namespace) and (
            not ref.name or name == ref.name
        )

    def _seen_as(self, change: Change, selector: selectors.Selector) -> Verb | None:
        """What the change means to somebody who only sees selected objects."""
        if not selector:
            return change.verb
        before = change.previous is not None and self._matches(selector, change.previous)
        after = change.verb is not Verb.DELETED and self._matches(selector, change.body)
        if before and after:
            return Verb.MODIFIED
        if after:
            return Verb.ADDED
        return Verb.DELETED if before else None

    def _matches(self, selector: selectors.Selector, body: bytes) -> bool:
        return not selector or selector.matches(self._document(body))

    def _document(self, body: bytes) -> Document:
        return conversion.document_of(self._kind, body)

    def _event(self, verb: Verb, body: bytes) -> bytes:
        return b'{"type":"%b","object":%b}\n' % (verb.value.encode(), self._object(body))

    def _object(self, body: bytes) -> bytes:
        if self._view.shape is Shape.METADATA:
            return self._view.render(negotiation.partial_metadata(self._document(body)))
        if self._view.shape is Shape.TABLE:
            return self._table([self._document(body)])
        return conversion.body_of(self._kind, body)

    def _table(self, documents: list[Document]) -> bytes:
        made = table.table_for(self._kind, documents, self._options.include_object, self._clock())
        if documents:
            revision = documents[0]["metadata"].get("resourceVersion", "")
            made.setdefault("metadata", {})["resourceVersion"] = revision
        if self._columns_sent:
            made["columnDefinitions"] = []
        self._columns_sent = True
        return self._view.render(made)

    def _bookmark(self, revision: int, annotations: dict[str, str]) -> bytes:
        metadata: Document = {"resourceVersion": str(revision), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        kind, api_version = self._kind.kind, self._kind.api_version
        if self._view.shape is Shape.METADATA:
            kind, api_version = "PartialObjectMetadata", "meta.k8s.io/v1"
        body = {"kind": kind, "apiVersion": api_version, "metadata": metadata}
        return record.encode_plain({"type": "BOOKMARK", "object": body}) + b"\n"


def _forbidden_match(why: str) -> status.ApiError:
    return status.invalid_options("ListOptions", causes.forbidden("resourceVersionMatch", why))
