"""
From an HTTP request to an operation on objects, and its answer back to HTTP.

Here: which verb a request means, the check that it is allowed, reading bodies, writing answers
and errors. Elsewhere: what the operations do (`objects`, `listing`, `watching`), addresses that
are no resources (`server`).
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from typing import Any

from aiohttp import web

from cdi.standalone.apiserver import (
    bodies,
    checks,
    duplicates,
    listing,
    negotiation,
    options,
    pages,
    patching,
    paths,
    purge,
    scaling,
    status,
)
from cdi.standalone.apiserver.authorization import Authorizer, Question
from cdi.standalone.apiserver.definitions import RESOURCE as DEFINITIONS
from cdi.standalone.apiserver.definitions import Definitions
from cdi.standalone.apiserver.identity import User
from cdi.standalone.apiserver.negotiation import Shape, View
from cdi.standalone.apiserver.objects import Objects, Result
from cdi.standalone.apiserver.paths import Target
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.apiserver.reviews import Reviews
from cdi.standalone.apiserver.subresources import Call, Subresources, body_of
from cdi.standalone.apiserver.unstored import UnstoredKind
from cdi.standalone.apiserver.watching import Stream
from cdi.standalone.schema import causes, decoding, table
from cdi.standalone.schema.registry import KindInfo

Document = dict[str, Any]
Operation = Callable[[web.Request, ObjectRef, User], Awaitable[web.StreamResponse]]

USER = web.RequestKey("user", User)

_logger = logging.getLogger(__name__)


class Rest:
    """The resource API."""

    def __init__(
        self,
        objects: Objects,
        authorizer: Authorizer,
        reviews: Reviews,
        subresources: Subresources,
        definitions: Definitions,
        unstored: Iterable[UnstoredKind] = (),
    ) -> None:
        self._objects = objects
        self._authorizer = authorizer
        self._reviews = reviews
        self._subresources = subresources
        self._definitions = definitions
        self._unstored = {each.kind.resource: each for each in unstored}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request to a resource address. Raises ApiError."""
        target = paths.parse_target(request.path)
        if target is None:
            raise status.NoPage
        user = request[USER]
        verb = _verb(request, target)
        self._authorize(user, verb, target)
        kind = self._objects.catalog.find(target.group, target.version, target.plural)
        if kind is None:
            raise pages.nothing_in(target.group)
        if kind.namespaced and target.name and not target.namespace:
            raise status.no_such_path()
        if not kind.namespaced and target.namespace:
            raise status.no_such_path()
        if not kind.custom and not negotiation.is_known(request.headers.get("Accept", "")):
            raise status.no_representation()
        ref = ObjectRef(kind, target.namespace, target.name, target.subresource)
        if target.subresource and not _is_view(kind, target.subresource):
            return await self._subresource(request, ref, user, target)
        if target.subresource and verb not in ("get", "update", "patch"):
            raise status.method_not_allowed()
        return await self._operation(verb, kind)(request, ref, user)

    def _operation(self, verb: str, kind: KindInfo) -> Operation:
        operations: dict[str, Operation] = {
            "get": self._get,
            "list": self._list,
            "watch": self._watch,
            "create": self._create,
            "update": self._update,
            "patch": self._patch,
            "delete": self._delete,
            "deletecollection": self._delete_collection,
        }
        if verb not in kind.verbs or verb not in operations:
            raise status.method_not_allowed()
        return operations[verb]

    def _authorize(self, user: User, verb: str, target: Target) -> None:
        question = Question(
            verb, target.group, target.plural, target.subresource, target.namespace, target.name
        )
        if self._authorizer.allows(user, question):
            return
        where = (
            f'in the namespace "{target.namespace}"'
            if target.namespace
            else ("at the cluster scope")
        )
        resource = status.qualified(target.plural, target.group)
        named = f' "{target.name}"' if target.name else ""
        details = {"name": target.name, "group": target.group, "kind": target.plural}
        raise status.ApiError(
            403,
            "Forbidden",
            f'{resource}{named} is forbidden: User "{user.name}" cannot {verb} resource '
            f'"{question.resource}" in API group "{target.group}" {where}',
            {key: value for key, value in details.items() if value},
        )

    async def _get(self, request: web.Request, ref: ObjectRef, user: User) -> web.StreamResponse:  # noqa: ARG002 (all operations are called alike)
        view = negotiation.parse_accept(request.headers.get("Accept", ""))
        listing.check_revision(request.query.get("resourceVersion", ""), self._objects.store)
        if view == View() and (body := self._objects.raw(ref)) is not None:
            return web.Response(body=body, content_type="application/json")
        return self._answer(request, ref, Result(self._objects.get(ref)), view)

    async def _list(self, request: web.Request, ref: ObjectRef, user: User) -> web.StreamResponse:  # noqa: ARG002
        wanted = options.parse_list(request.query)
        view = negotiation.parse_accept(request.headers.get("Accept", ""))
        page = await listing.page_of(self._objects, ref, wanted)
        body = listing.render(self._objects, ref, page, view, wanted, self._objects.clock)
        return web.Response(body=body, content_type=view.content_type)

    async def _watch(self, request: web.Request, ref: ObjectRef, user: User) -> web.StreamResponse:  # noqa: ARG002
        wanted = options.parse_list(request.query)
        view = negotiation.parse_accept(request.headers.get("Accept", ""))

        def alive() -> bool:
            return request.transport is not None and not request.transport.is_closing()

        stream = Stream(self._objects, ref, wanted, view, self._objects.clock, alive)
        stream.check()
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            async for piece in stream.lines():
                await response.write(piece)
            await response.write_eof()
        except ConnectionError:
            _logger.debug("a watcher of %s went away", ref.kind.resource)
        return response

    async def _create(self, request: web.Request, ref: ObjectRef, user: User) -> web.StreamResponse:
        if ref.name:
            raise status.method_not_allowed()
        if ref.kind.namespaced and not ref.namespace:
            raise status.method_not_allowed()
        document = await body_of(request, ref.kind.kind)
        resource = ref.key.resource
        if self._reviews.answers(resource):
            document.setdefault("apiVersion", ref.kind.api_version)
            document.setdefault("kind", ref.kind.kind)
            document = checks.normal(ref.kind, document)
            answer = self._reviews.answer(resource, document, ref.namespace, user)
            return web.Response(
                body=View().render(answer), status=201, content_type="application/json"
            )
        wanted = await self._write_options(request, "CreateOptions")
        if unstored := self._unstored.get(resource):
            reply = await unstored.reply(document, ref.namespace, wanted.validation)
            response = web.Response(
                body=View().render(reply.document), content_type="application/json"
            )
            _warn(response, reply.warnings)
            return response
        result = await self._objects.create(ref, document, wanted, user)
        return await self._written(request, ref, result)

    async def _update(self, request: web.Request, ref: ObjectRef, user: User) -> web.StreamResponse:
        document = await body_of(request, ref.kind.kind)
        wanted = await self._write_options(request, "UpdateOptions")
        result = await self._objects.update(ref, document, wanted, user)
        return await self._written(request, ref, result)

    async def _patch(self, request: web.Request, ref: ObjectRef, user: User) -> web.StreamResponse:
        media = request.headers.get("Content-Type", "").partition(";")[0].strip()
        body = await request.read()
        wanted = await self._write_options(request, "PatchOptions")
        if media == patching.APPLY_PATCH:
            document = _applied(request, ref, body, wanted)
            wanted = replace(wanted, patches=False, duplicates=())
            result = await self._objects.apply(ref, document, wanted, user)
            return await self._written(request, ref, result)
        if wanted.force:
            detail = "may not be specified for non-apply patch"
            raise status.invalid_options("PatchOptions", causes.forbidden("force", detail))
        patch = patching.parse_patch(ref.kind, media, body)
        result = await self._objects.modify(ref, patch, wanted, user)
        return await self._written(request, ref, result)

    async def _delete(self, request: web.Request, ref: ObjectRef, user: User) -> web.StreamResponse:
        wanted = options.parse_delete(request.query, await body_of(request))
        result = await self._objects.delete(ref, wanted, user)
        if ref.key.resource == DEFINITIONS:
            await self._definitions.settle(ref.name)
        if result.removed:
            found = result.document["metadata"]
            kind = ref.kind
            details = status.details_of(kind, ref.name, uid=found["uid"])
            response = web.json_response(status.success(details))
            _warn(response, result.warnings)
            return response
        return self._answer(request, ref, result)

    async def _delete_collection(
        self, request: web.Request, ref: ObjectRef, user: User
    ) -> web.StreamResponse:
        wanted = options.parse_delete(request.query, await body_of(request))
        selected = options.parse_list(request.query)
        page = await listing.page_of(self._objects, ref, selected)
        metadata = [entry.document()["metadata"] for entry in page.entries]
        refs = [ObjectRef(ref.kind, one.get("namespace", ""), one["name"]) for one in metadata]
        if failed := await purge.delete_all(self._objects, refs, wanted, user):
            raise failed[0]
        body = listing.render(self._objects, ref, page, View(), selected, self._objects.clock)
        return web.Response(body=body, content_type="application/json")

    async def _subresource(
        self, request: web.Request, ref: ObjectRef, user: User, target: Target
    ) -> web.StreamResponse:
        if ref.subresource == scaling.NAME and ref.kind.scale:
            return await self._scale(request, ref, user)
        found = self._subresources.find(ref.key.resource, ref.subresource)
        if found is None:
            raise status.no_such_path()
        if request.method not in found.methods:
            raise status.method_not_allowed()
        document = self._objects.get(ref)
        return await found.handler(Call(ref, request, user, document, target.rest))

    async def _scale(self, request: web.Request, ref: ObjectRef, user: User) -> web.StreamResponse:
        """Show or set the number of replicas."""
        whole = replace(ref, subresource="")
        if request.method not in ("GET", "HEAD", "PUT", "PATCH"):
            raise status.method_not_allowed()
        document = self._objects.get(whole)
        if request.method in ("PUT", "PATCH"):
            change = await _new_scale(request, ref.kind)
            what = "PatchOptions" if request.method == "PATCH" else "UpdateOptions"
            wanted = await self._write_options(request, what)
            result = await self._objects.modify(whole, change, wanted, user)
            document = result.document
        body = View().render(scaling.scale_of(ref.kind, document))
        return web.Response(body=body, content_type="application/json")

    async def _write_options(self, request: web.Request, what: str) -> options.WriteOptions:
        repeated: list[str] = []
        if request.query.get("fieldValidation") != "Ignore":
            content_type = request.headers.get("Content-Type", "")
            repeated = duplicates.duplicates(await request.read(), content_type)
        agent = request.headers.get("User-Agent", "")
        return options.parse_write(request.query, agent, what, repeated)

    async def _written(
        self, request: web.Request, ref: ObjectRef, result: Result
    ) -> web.StreamResponse:
        if ref.key.resource == DEFINITIONS:
            # Its endpoints answer from the moment its author hears of it.
            await self._definitions.settle(result.document["metadata"]["name"])
        return self._answer(request, ref, result)

    def _answer(
        self, request: web.Request, ref: ObjectRef, result: Result, view: View | None = None
    ) -> web.StreamResponse:
        view = view or negotiation.parse_accept(request.headers.get("Accept", ""))
        document = result.document
        if view.shape is Shape.TABLE:
            include = request.query.get("includeObject", "Metadata")
            revision = document["metadata"].get("resourceVersion", "")
            document = table.table_for(ref.kind, [document], include, self._objects.clock())
            document.setdefault("metadata", {})["resourceVersion"] = revision
        elif view.shape is Shape.METADATA:
            document = negotiation.partial_metadata(document)
        response = web.Response(
            body=view.render(document),
            status=201 if result.created else 200,
            content_type=view.content_type,
        )
        deprecation = [ref.kind.deprecation] if ref.kind.deprecation else []
        _warn(response, (*deprecation, *result.warnings))
        return response


def _applied(
    request: web.Request, ref: ObjectRef, body: bytes, wanted: options.WriteOptions
) -> Document:
    """What server-side apply is asked to make so. Raises ApiError (400, 422)."""
    if not request.query.get("fieldManager"):
        wrong = causes.required("fieldManager", "is required for apply patch")
        raise status.invalid_options("PatchOptions", wrong)
    if wanted.duplicates and wanted.validation == "Strict":
        problem = f"error converting YAML to JSON: {wanted.duplicates[0]}"
        raise status.bad_request(f"error strict decoding YAML: {problem}")
    document = _applied_document(body)
    named = (str(document.get("apiVersion") or ""), str(document.get("kind") or ""))
    if named != (ref.kind.api_version, ref.kind.kind):
        version = named[0] if "/" in named[0] else f"/{named[0]}"
        raise status.bad_request(f"invalid object type: {version}, Kind={named[1]}")
    metadata = document.get("metadata") or {}
    if isinstance(metadata, dict) and metadata.get("managedFields") is not None:
        raise status.bad_request("metadata.managedFields must be nil")
    if isinstance(metadata, dict) and not metadata.get("name"):
        why = "undeterminable: name must be provided"
        raise status.bad_request(f"the name of the object ({ref.name} based on URL) was {why}")
    return document


def _applied_document(body: bytes) -> Document:
    try:
        document = bodies.parse_yaml(body)
    except bodies.NoYaml as error:
        problem = f"error converting YAML to JSON: {error.problem}"
        raise status.bad_request(f"error decoding YAML: {problem}") from error
    if not isinstance(document, dict):
        problem = f"json: cannot unmarshal {decoding.go_name(document)} into Go value of type"
        raise status.bad_request(f"error decoding YAML: {problem} map[string]interface {{}}")
    return document


async def _new_scale(request: web.Request, kind: KindInfo) -> patching.Patch:
    """A function that gives an object the replicas that a request wants."""
    if request.method == "PUT":
        given = await body_of(request)
        return lambda live: scaling.scaled(kind, live, given)
    media = request.headers.get("Content-Type", "").partition(";")[0].strip()
    change = patching.parse_plain(media, await request.read())
    return lambda live: scaling.scaled(kind, live, change(scaling.scale_of(kind, live)))


def _warn(response: web.Response, warnings: Iterable[str]) -> None:
    """Tell the client besides; `kubectl` prints each on a line of its own."""
    for warning in dict.fromkeys(warnings):
        response.headers.add("Warning", f'299 - "{_quoted(warning)}"')


def _is_view(kind: KindInfo, subresource: str) -> bool:
    """Whether a subresource is the object itself, of which a part may be written."""
    if subresource == "status":
        return "status" in kind.subresources
    return subresource == "finalize" and (kind.group, kind.kind) == ("", "Namespace")


def _verb(request: web.Request, target: Target) -> str:
    method = request.method
    if method in ("GET", "HEAD"):
        if target.watch or (not target.subresource and options.parse_list(request.query).watch):
            return "watch"
        return "get" if target.name else "list"
    if method == "DELETE":
        return "delete" if target.name else "deletecollection"
    verbs = {"POST": "create", "PUT": "update", "PATCH": "patch"}
    if method not in verbs:
        raise status.method_not_allowed()
    if method != "POST" and not target.name:
        raise status.method_not_allowed()
    return verbs[method]


def _quoted(text: str) -> str:
    """Text fit for a quoted string in a header."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean.replace("\\", "\\\\").replace('"', '\\"')
