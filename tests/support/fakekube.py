"""
A small API server that behaves like Kubernetes, and breaks when told to.

It keeps objects of any kind in memory with resourceVersions, answers list (paged), watch (with
bookmarks and history), get, create, update, the patches (all taken as merge patches, except
JSON patches of add, replace and remove), apply (without field ownership) and delete (with
finalizers and preconditions). No schemas, no authorization. All requests are recorded.

A fault is an ordinary object in `faults`: which requests it meets, what it does to them, how
often. Serve with `async with FakeKube() as server:`; `server.url` is where it listens.
"""

from __future__ import annotations

import asyncio
import copy
import json
import ssl
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from cdi.kube import selectors

Object = dict[str, Any]

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def status(code: int, reason: str = "", message: str = "", **details: Any) -> Object:
    """A failure as the API server words it."""
    reason = reason or REASONS.get(code, "")
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message or f"simulated: {reason}",
        "reason": reason,
        "details": details,
        "code": code,
    }


@dataclass
class Seen:
    """One request as it arrived."""

    verb: str
    path: str
    query: dict[str, str]
    content_type: str
    body: Any
    headers: dict[str, str]
    peer: object  # who sent it: one for each connection


@dataclass
class Fault:
    """What happens to the next `times` requests of `verb` whose path contains `path`.

    `code`: answered with that status. `cut`: the connection ends without an answer, or a watch
    after `after` events. `stall`: nothing is sent, or nothing more after `after` events, until
    the server closes. `error`: a watch sends this Status as an ERROR event after `after` events.
    """

    verb: str
    path: str = ""
    times: int = 1
    code: int = 0
    reason: str = ""
    retry_after: int | None = None
    cut: bool = False
    stall: bool = False
    error: int = 0
    after: int = 0


class Refused(Exception):
    def __init__(self, code: int, reason: str = "", message: str = "") -> None:
        super().__init__(message)
        self.status = status(code, reason, message)


@dataclass
class Collection:
    """All objects of one kind, and what happened to them."""

    api_version: str
    plural: str
    kind: str = ""
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    history: list[tuple[int, str, Object]] = field(default_factory=list)


@dataclass
class Target:
    """What a path points at."""

    collection: Collection
    namespace: str
    name: str
    subresource: str


class FakeKube:
    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.url = ""
        self._tls = tls
        self.requests: list[Seen] = []
        self.faults: list[Fault] = []
        self.raw: dict[str, bytes] = {}  # path -> body, for what is not an object
        self.tokens: set[str] | None = None  # where set, anybody else gets 401
        self.version = 100
        self.oldest = 0  # watches from before this get 410
        self.page_tokens: dict[str, tuple[list[Object], int]] = {}
        self.before_page: Callable[[dict[str, str]], object] | None = None
        self.before_write: Callable[[str, Object], None] | None = None
        self._collections: dict[tuple[str, str], Collection] = {}
        self._changed = asyncio.Condition()
        self._tick = 0
        self._runner: web.AppRunner | None = None
        self._closing = asyncio.Event()
        self._cutting = asyncio.Event()

    # Life.

    async def __aenter__(self) -> FakeKube:
        app = web.Application(client_max_size=1 << 26)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"{'https' if self._tls else 'http'}://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        await self.notify()
        if self._runner is not None:
            await self._runner.cleanup()

    # What tests do to the world.

    def collection(self, api_version: str, plural: str, kind: str = "") -> Collection:
        found = self._collections.setdefault(
            (api_version, plural), Collection(api_version, plural, kind)
        )
        found.kind = found.kind or kind
        return found

    def put(self, plural: str, obj: Object, *, silently: bool = False) -> Object:
        """Store an object as it is. `silently` keeps it out of the history, so no watch learns
        of it: as if it had happened while the history was compacted away."""
        collection = self.collection(obj["apiVersion"], plural, obj["kind"])
        obj = copy.deepcopy(obj)
        meta = obj.setdefault("metadata", {})
        key = (meta.get("namespace", ""), meta["name"])
        known = collection.objects.get(key)
        meta.setdefault("uid", known["metadata"]["uid"] if known else str(uuid.uuid4()))
        self.version += 1
        meta["resourceVersion"] = str(self.version)
        collection.objects[key] = obj
        if not silently:
            self._record(collection, "MODIFIED" if known else "ADDED", obj)
        return obj

    def drop(self, plural: str, name: str, namespace: str = "", *, silently: bool = False) -> None:
        """Remove an object, finalizers or not."""
        for collection in self._collections.values():
            if collection.plural == plural and (namespace, name) in collection.objects:
                self._remove(collection, (namespace, name), silently=silently)
                return
        raise KeyError(name)

    def compact(self) -> None:
        """Forget the history: every watch from before now gets 410."""
        self.oldest = self.version
        for collection in self._collections.values():
            collection.history.clear()

    async def cut_watches(self) -> None:
        """End all watches under way, without a proper end."""
        self._cutting.set()
        self._cutting = asyncio.Event()
        await self.notify()

    def objects(self, plural: str) -> dict[tuple[str, str], Object]:
        merged: dict[tuple[str, str], Object] = {}
        for collection in self._collections.values():
            if collection.plural == plural:
                merged.update(collection.objects)
        return merged

    def count(self, *verbs: str) -> int:
        return sum(seen.verb in verbs for seen in self.requests)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something that a request brings about has come about."""
        async with self._changed:
            await self._changed.wait_for(condition)

    async def bookmark(self) -> None:
        """Send a bookmark to every watch."""
        self.version += 1
        for collection in self._collections.values():
            mark = {
                "kind": collection.kind,
                "apiVersion": collection.api_version,
                "metadata": {"resourceVersion": str(self.version)},
            }
            collection.history.append((self.version, "BOOKMARK", mark))
        await self.notify()

    # Requests.

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        seen = Seen(
            verb=self._verb(request),
            path=request.path,
            query=dict(request.query),
            content_type=request.content_type,
            body=json.loads(body) if body else None,
            headers=dict(request.headers),
            peer=request.transport and request.transport.get_extra_info("peername"),
        )
        self.requests.append(seen)
        await self.notify()
        fault = self._fault_for(seen)
        if fault and (fault.code or seen.verb != "watch"):
            return await self._break(request, fault)
        try:
            self._authenticate(request)
            if request.path in self.raw:
                return web.Response(body=self.raw[request.path], content_type="text/plain")
            answer = await self._answer(request, seen, fault)
        except Refused as refused:
            return web.json_response(refused.status, status=refused.status["code"])
        except ConnectionResetError:
            return web.Response()  # the client hung up; nobody is left to answer
        await self.notify()
        return answer

    def _authenticate(self, request: web.Request) -> None:
        if self.tokens is None:
            return
        sent = request.headers.get("Authorization", "").partition(" ")[2]
        if sent not in self.tokens:
            raise Refused(401)

    def _verb(self, request: web.Request) -> str:
        if request.method == "GET":
            if request.query.get("watch") == "true":
                return "watch"
            return "get" if self._parse(request.path)[3] else "list"
        return {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[
            request.method
        ]

    def _fault_for(self, seen: Seen) -> Fault | None:
        for fault in self.faults:
            if fault.verb == seen.verb and fault.path in seen.path and fault.times > 0:
                fault.times -= 1
                return fault
        return None

    async def _break(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.code:
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            body = status(fault.code, fault.reason)
            return web.json_response(body, status=fault.code, headers=headers)
        if fault.stall:
            await self._closing.wait()
        _hang_up(request)
        return web.Response()

    @staticmethod
    def _parse(path: str) -> tuple[str, str, str, str, str]:
        """apiVersion, namespace, plural, name, subresource."""
        parts = path.strip("/").split("/")
        if parts[0] == "api":
            api_version, rest = parts[1], parts[2:]
        elif parts[0] == "apis" and len(parts) > 2:
            api_version, rest = "/".join(parts[1:3]), parts[3:]
        else:
            return "", "", path, "x", ""
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces":
            namespace, rest = rest[1], rest[2:]
        rest += [""] * 3
        return api_version, namespace, rest[0], rest[1], rest[2]

    async def _answer(
        self, request: web.Request, seen: Seen, fault: Fault | None
    ) -> web.StreamResponse:
        api_version, namespace, plural, name, subresource = self._parse(request.path)
        target = Target(self.collection(api_version, plural), namespace, name, subresource)
        if seen.verb == "watch":
            return await self._watch(request, target, fault)
        if self.before_write is not None and seen.verb in ("create", "update", "patch"):
            self.before_write(seen.verb, seen.body)
        verbs = {
            "list": self._list,
            "get": self._get,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
        }
        return web.json_response(verbs[seen.verb](target, seen))

    # Verbs.

    def _list(self, target: Target, seen: Seen) -> Object:
        collection = target.collection
        if self.before_page is not None:
            self.before_page(seen.query)
        if token := seen.query.get("continue"):
            if token not in self.page_tokens:
                raise Refused(410, "Expired", "continue token is too old")
            rest, version = self.page_tokens.pop(token)
        else:
            rest, version = self._selected(target, seen.query), self.version
        limit = int(seen.query.get("limit", 0)) or len(rest)
        page, rest = rest[:limit], rest[limit:]
        meta: Object = {"resourceVersion": str(version)}
        if rest:
            meta["continue"] = uuid.uuid4().hex
            self.page_tokens[meta["continue"]] = (rest, version)
        # As the real one does, without kind and apiVersion on the items.
        items = [
            {k: v for k, v in item.items() if k not in ("kind", "apiVersion")} for item in page
        ]
        return {
            "kind": f"{collection.kind}List",
            "apiVersion": collection.api_version,
            "metadata": meta,
            "items": items,
        }

    def _selected(self, target: Target, query: dict[str, str]) -> list[Object]:
        wanted = selectors.parse_selector(query.get("labelSelector", ""))
        field, _, name = query.get("fieldSelector", "").partition("=")
        named = name if field == "metadata.name" else None
        return [
            obj
            for key, obj in sorted(target.collection.objects.items())
            if target.namespace in ("", key[0])
            and wanted.matches(obj["metadata"].get("labels", {}))
            and named in (None, key[1])
        ]

    def _get(self, target: Target, seen: Seen) -> Object:
        return self._existing(target)

    def _create(self, target: Target, seen: Seen) -> Object:
        if target.subresource:
            return {"kind": "Status", "status": "Success", **seen.body}
        obj = copy.deepcopy(seen.body)
        meta = obj.setdefault("metadata", {})
        if target.namespace:
            meta["namespace"] = target.namespace
        if "name" not in meta:
            meta["name"] = meta["generateName"] + uuid.uuid4().hex[:5]
        key = (target.namespace, meta["name"])
        if key in target.collection.objects:
            raise Refused(409, "AlreadyExists", f"{target.collection.plural} {key[1]!r} exists")
        if seen.query.get("dryRun"):
            return obj
        meta.pop("resourceVersion", None)
        meta["uid"] = str(uuid.uuid4())
        return self.put(target.collection.plural, obj)

    def _update(self, target: Target, seen: Seen) -> Object:
        old = self._existing(target)
        sent = seen.body["metadata"].get("resourceVersion")
        if sent and sent != old["metadata"]["resourceVersion"]:
            raise Refused(409, "Conflict", "the object has been modified")
        if target.subresource == "status":
            new = {**old, "status": seen.body.get("status")}
        else:
            new = {**seen.body, "metadata": {**seen.body["metadata"]}}
            new["metadata"]["uid"] = old["metadata"]["uid"]
        return old if seen.query.get("dryRun") else self._store(target, new)

    def _patch(self, target: Target, seen: Seen) -> Object:
        key = (target.namespace, target.name)
        applied = seen.content_type.startswith("application/apply-patch")
        if applied and key not in target.collection.objects:
            target.subresource = ""
            return self._create(target, seen)
        old = self._existing(target)
        if seen.content_type == "application/json-patch+json":
            return self._store(target, json_patched(old, seen.body))
        sent = seen.body.get("metadata", {}).get("resourceVersion")
        if sent and sent != old["metadata"]["resourceVersion"]:
            raise Refused(409, "Conflict", "the object has been modified")
        return self._store(target, merge_patched(old, seen.body))

    def _delete(self, target: Target, seen: Seen) -> Object:
        if not target.name:
            for each in self._selected(target, seen.query):
                key = (each["metadata"].get("namespace", ""), each["metadata"]["name"])
                demanded = (seen.body or {}).get("preconditions", {}).get("uid")
                if demanded and demanded != each["metadata"]["uid"]:
                    raise Refused(409, "Conflict", "precondition failed: uid")
                self._remove(target.collection, key)
            return {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        obj = self._existing(target)
        demanded = (seen.body or {}).get("preconditions", {})
        for name, value in demanded.items():
            if obj["metadata"].get(name) != value:
                raise Refused(409, "Conflict", f"precondition failed: {name}")
        if obj["metadata"].get("finalizers"):
            marked = copy.deepcopy(obj)
            marked["metadata"].setdefault("deletionTimestamp", "2030-01-01T00:00:00Z")
            return self.put(target.collection.plural, marked)
        self._remove(target.collection, (target.namespace, target.name))
        return {"kind": "Status", "apiVersion": "v1", "status": "Success"}

    def _existing(self, target: Target) -> Object:
        try:
            return target.collection.objects[target.namespace, target.name]
        except KeyError:
            what = f'{target.collection.plural} "{target.name}" not found'
            raise Refused(404, "NotFound", what) from None

    def _store(self, target: Target, obj: Object) -> Object:
        meta = obj["metadata"]
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            self._remove(target.collection, (target.namespace, target.name))
            return obj
        known = target.collection.objects[target.namespace, target.name]
        if json.dumps(known, sort_keys=True) == json.dumps(obj, sort_keys=True):
            return known
        return self.put(target.collection.plural, obj)

    def _remove(
        self, collection: Collection, key: tuple[str, str], *, silently: bool = False
    ) -> None:
        obj = copy.deepcopy(collection.objects.pop(key))
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        if not silently:
            self._record(collection, "DELETED", obj)

    def _record(self, collection: Collection, kind: str, obj: Object) -> None:
        collection.history.append((self.version, kind, obj))

    # Watches.

    async def _watch(
        self, request: web.Request, target: Target, fault: Fault | None
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.enable_chunked_encoding()
        at = int(request.query.get("resourceVersion", 0))
        if at < self.oldest:
            raise Refused(410, "Expired", f"too old resource version: {at}")
        await response.prepare(request)
        cutting = self._cutting
        sent = 0
        while not self._closing.is_set():
            tick = self._tick
            for version, kind, obj in list(target.collection.history):
                if fault and sent >= fault.after:
                    break
                if version <= at or not _concerns(target, kind, obj):
                    continue
                at = version
                frame = json.dumps({"type": kind, "object": obj}).encode() + b"\n"
                await response.write(frame)
                sent += 1
            if cutting.is_set():
                _hang_up(request)
                return response
            if fault and sent >= fault.after:
                return await self._break_watch(request, response, fault)
            await self._next_tick(tick)
        return response

    async def _break_watch(
        self, request: web.Request, response: web.StreamResponse, fault: Fault
    ) -> web.StreamResponse:
        if fault.error:
            frame = {"type": "ERROR", "object": status(fault.error, fault.reason)}
            await response.write(json.dumps(frame).encode() + b"\n")
        elif fault.stall:
            await self._closing.wait()
        elif fault.cut:
            _hang_up(request)
        return response

    async def notify(self) -> None:
        """Let watches see what `put` and `drop` did."""
        self._tick += 1
        async with self._changed:
            self._changed.notify_all()

    async def _next_tick(self, tick: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self._tick != tick)


def _concerns(target: Target, kind: str, obj: Object) -> bool:
    return kind == "BOOKMARK" or target.namespace in ("", obj["metadata"].get("namespace"))


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def merge_patched(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge_patched(result.get(key), value)
    return result


def json_patched(target: Object, operations: list[Object]) -> Object:
    result = copy.deepcopy(target)
    for operation in operations:
        *path, last = (
            part.replace("~1", "/").replace("~0", "~")
            for part in operation["path"].lstrip("/").split("/")
        )
        at = result
        for part in path:
            at = at[part]
        if operation["op"] == "remove":
            del at[last]
        else:
            at[last] = operation["value"]
    return result
