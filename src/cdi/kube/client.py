"""
The verbs of the Kubernetes API, on plain dicts.

Here: what a request for a verb looks like and what its answer means. Elsewhere: sending it
(`transport`), kinds and paths (`resource`), writes that may be repeated (`apply`), caches
(`informer`).

Raises ConnectionFailed and ApiError from `errors`. Nothing is cached and nothing is added to an
object, except apiVersion and kind on the items of a list, which the server leaves out.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from enum import StrEnum
from typing import Any, Self

import msgspec

from cdi.kube import objects, wire
from cdi.kube.clock import Clock
from cdi.kube.connection import Credentials
from cdi.kube.objects import Object, Objects
from cdi.kube.resource import PODS, Resource
from cdi.kube.transport import Observer, Request, Settings, Transport
from cdi.kube.wire import Page, WatchEvent

# Large enough that 5,000 objects take ten requests, small enough that a page never hurts.
PAGE = 500


class Patch(StrEnum):
    """Which of the three patches, by media type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"


class Propagation(StrEnum):
    """What becomes of an object's dependents when it is deleted."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


class Client:
    """Speaks to one API server. Use as `async with`; belongs to one event loop."""

    def __init__(
        self, transport: Transport, *, field_manager: str = "", throttled: bool = True
    ) -> None:
        self._transport = transport
        self._field_manager = field_manager
        self._throttled = throttled

    @classmethod
    def to(
        cls,
        credentials: Credentials,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        observer: Observer | None = None,
        field_manager: str = "",
    ) -> Self:
        """A client with a connection of its own."""
        transport = Transport(credentials, settings, clock, observer)
        return cls(transport, field_manager=field_manager)

    def unthrottled(self) -> Client:
        """The same connection without the client-side rate limit: for leases, which must not
        wait behind a thousand other requests."""
        return Client(self._transport, field_manager=self._field_manager, throttled=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._transport.close()

    # Reading.

    async def get(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        subresource: str = "",
        resource_version: str | None = None,
    ) -> Object:
        """Read one object. `resource_version` "0" allows the server an old answer."""
        path = resource.path(namespace, name, subresource)
        query = wire.query_of(resourceVersion=resource_version)
        return await self._call(Request("GET", path, query))

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
    ) -> Objects:
        """Read all objects that match, in one namespace or, with None, in all."""
        pages = self.pages(
            resource, namespace, labels=labels, fields=fields, metadata_only=metadata_only
        )
        async with aclosing(pages):
            return [item async for page in pages for item in page.items]

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        limit: int = PAGE,
        resource_version: str | None = None,
        metadata_only: bool = False,
    ) -> AsyncGenerator[Page, None]:
        """Read all objects page by page, all pages of one moment. A `limit` of 0 asks for one.

        Raises Expired where the server forgot that moment before the last page.
        """
        query = wire.query_of(
            labelSelector=labels,
            fieldSelector=fields,
            limit=limit or None,
            resourceVersion=resource_version,
        )
        request = Request(
            "GET",
            resource.collection_path(namespace),
            query,
            accept=wire.accept("PartialObjectMetadataList", metadata_only),
        )
        while True:
            page = wire.parse_page(resource, await self._send(request), metadata_only=metadata_only)
            yield page
            if not page.more:
                return
            # The token carries the moment; a resourceVersion beside it is refused.
            query.pop("resourceVersion", None)
            request = replace(request, query={**query, "continue": page.more})

    async def watch(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        labels: str = "",
        fields: str = "",
        timeout_seconds: int | None = None,
        bookmarks: bool = True,
        metadata_only: bool = False,
    ) -> AsyncGenerator[WatchEvent, None]:
        """Yield what changed after `resource_version`, until the server ends the stream.

        An ERROR event is raised as the ApiError that it speaks of. How long silence may last is
        the caller's to say. Close the iterator (`aclosing`) to hang up.
        """
        query = wire.query_of(
            watch=True,
            labelSelector=labels,
            fieldSelector=fields,
            resourceVersion=resource_version,
            timeoutSeconds=timeout_seconds,
            allowWatchBookmarks=bookmarks,
        )
        request = Request(
            "GET",
            resource.collection_path(namespace),
            query,
            accept=wire.accept("PartialObjectMetadata", metadata_only),
        )
        async with self._transport.stream(request, throttled=self._throttled) as pieces:
            async for line in wire.lines(pieces):
                yield wire.parse_watch_event(line)

    async def logs(
        self,
        name: str,
        namespace: str,
        *,
        container: str = "",
        follow: bool = False,
        previous: bool = False,
        tail_lines: int | None = None,
        since_seconds: int | None = None,
        timestamps: bool = False,
    ) -> AsyncGenerator[bytes, None]:
        """Yield a container's log as it comes, in pieces of any size."""
        query = wire.query_of(
            container=container,
            follow=follow,
            previous=previous,
            tailLines=tail_lines,
            sinceSeconds=since_seconds,
            timestamps=timestamps,
        )
        path = PODS.path(namespace, name, "log")
        request = Request("GET", path, query, accept="*/*")
        async with self._transport.stream(request, throttled=self._throttled) as pieces:
            async for piece in pieces:
                yield piece

    # Writing.

    async def create(
        self,
        resource: Resource,
        obj: Mapping[str, Any],
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Object:
        """Create an object. Raises AlreadyExists."""
        path = resource.collection_path(_namespace_of(resource, obj, namespace))
        body = _encoded(resource, obj)
        return await self._call(Request("POST", path, self._writing(dry_run), body))

    async def create_subresource(
        self,
        resource: Resource,
        name: str,
        namespace: str | None,
        subresource: str,
        body: Mapping[str, Any],
        *,
        dry_run: bool = False,
    ) -> Object:
        """POST to a subresource: a pod's binding or eviction, a service account's token."""
        path = resource.path(namespace, name, subresource)
        encoded = msgspec.json.encode(body)
        return await self._call(Request("POST", path, self._writing(dry_run), encoded))

    async def update(
        self,
        resource: Resource,
        obj: Mapping[str, Any],
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Replace an object or, for instance, its `status`. Raises Conflict where the object's
        resourceVersion is no longer the current one."""
        namespace, name = objects.key(obj)
        path = resource.path(_namespace_of(resource, obj, namespace), name, subresource)
        body = _encoded(resource, obj)
        return await self._call(Request("PUT", path, self._writing(dry_run), body))

    async def patch(
        self,
        resource: Resource,
        name: str,
        namespace: str | None,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        kind: Patch = Patch.MERGE,
        *,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Change parts of an object: a list of operations for Patch.JSON, else a partial object."""
        path = resource.path(namespace, name, subresource)
        encoded = msgspec.json.encode(body)
        return await self._call(Request("PATCH", path, self._writing(dry_run), encoded, kind))

    async def apply(
        self,
        resource: Resource,
        obj: Mapping[str, Any],
        *,
        field_manager: str = "",
        force: bool = False,
        subresource: str = "",
        dry_run: bool = False,
    ) -> Object:
        """Server-side apply: own exactly the fields in `obj`, creating it where it is missing.

        Raises Conflict where another manager owns a field, unless `force` takes it over.
        """
        namespace, name = objects.key(obj)
        manager = field_manager or self._field_manager
        if not manager:
            raise ValueError("server-side apply needs a field manager")
        path = resource.path(_namespace_of(resource, obj, namespace), name, subresource)
        query = self._writing(dry_run) | {"fieldManager": manager}
        query["force"] = "true" if force else "false"
        body = _encoded(resource, obj)
        content_type = "application/apply-patch+yaml"  # JSON is YAML, and older servers know it
        return await self._call(Request("PATCH", path, query, body, content_type))

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str = "",
        resource_version: str = "",
        propagation: Propagation | None = None,
        grace_seconds: int | None = None,
        dry_run: bool = False,
    ) -> Object:
        """Ask for an object's deletion; return the object, still there for its finalizers, or the
        server's Status. Raises Conflict where uid or resourceVersion is not as demanded."""
        options = wire.delete_options(uid, resource_version, propagation, grace_seconds)
        path = resource.path(namespace, name)
        body = msgspec.json.encode(options)
        query = {"dryRun": "All"} if dry_run else {}
        return await self._call(Request("DELETE", path, query, body))

    async def delete_all(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        uid: str = "",
        propagation: Propagation | None = None,
    ) -> None:
        """Ask for the deletion of all objects that match. Raises Conflict where one of them has
        not the uid that is demanded."""
        body = msgspec.json.encode(wire.delete_options(uid, "", propagation, None))
        path = resource.collection_path(namespace)
        query = wire.query_of(labelSelector=labels, fieldSelector=fields)
        await self._call(Request("DELETE", path, query, body))

    # Anything else.

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        """Send what no verb covers: `/version`, discovery, a service's proxy."""
        return await self._send(Request(method, path, query or {}, body, content_type, accept))

    async def _call(self, request: Request) -> Object:
        return wire.parse_object(await self._send(request))

    async def _send(self, request: Request) -> bytes:
        return await self._transport.send(request, throttled=self._throttled)

    def _writing(self, dry_run: bool) -> dict[str, str]:
        return wire.query_of(dryRun="All" if dry_run else None, fieldManager=self._field_manager)


def _encoded(resource: Resource, obj: Mapping[str, Any]) -> bytes:
    """The object as JSON; apiVersion and kind are filled in where they are missing."""
    return msgspec.json.encode({"apiVersion": resource.api_version, "kind": resource.kind, **obj})


def _namespace_of(resource: Resource, obj: Mapping[str, Any], namespace: str | None) -> str | None:
    if not resource.namespaced:
        return None
    found = namespace or objects.namespace(obj)
    if not found:
        raise ValueError(f"{resource} {objects.name(obj)!r} needs a namespace")
    return found
