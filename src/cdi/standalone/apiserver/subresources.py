"""
Subresources beyond status: pods/log, serviceaccounts/token and the like.

Here: what a handler is given, the table of handlers, and those that need nothing but the API
server. Elsewhere: those that need a node (logs), which the node agent registers.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from cdi.kube import objects
from cdi.standalone.apiserver import bodies, status, tokens
from cdi.standalone.apiserver.identity import User
from cdi.standalone.apiserver.objects import Objects
from cdi.standalone.apiserver.options import WriteOptions, parse_delete
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.apiserver.timestamps import rfc3339
from cdi.standalone.schema import decoding, definitions

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a subresource. The object exists; the user may do this."""

    ref: ObjectRef
    request: web.Request
    user: User
    document: Document  # the object that the subresource belongs to
    rest: str = ""


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Subresource:
    """How a subresource is answered and described."""

    handler: Handler
    methods: tuple[str, ...]
    kind: str
    group: str = ""
    version: str = ""

    @property
    def verbs(self) -> tuple[str, ...]:
        """The verbs that discovery lists."""
        names = {"GET": "get", "POST": "create", "PUT": "update", "DELETE": "delete"}
        return tuple(names[method] for method in self.methods)


class Subresources:
    """The handlers, by resource and subresource name."""

    def __init__(self) -> None:
        self._table: dict[tuple[str, str], Subresource] = {}
        self.generation = 0

    def register(self, resource: str, name: str, subresource: Subresource) -> None:
        """Answer `resource`/`name` with a handler; a later registration wins."""
        self._table[resource, name] = subresource
        self.generation += 1

    def update(self, other: "Subresources") -> None:
        """Take over all handlers of another table."""
        self._table.update(other._table)  # noqa: SLF001 (the same class)
        self.generation += 1

    def find(self, resource: str, name: str) -> Subresource | None:
        """The handler of a subresource."""
        return self._table.get((resource, name))

    def of(self, resource: str) -> dict[str, Subresource]:
        """All subresources of a resource, by name."""
        return {name: found for (owner, name), found in self._table.items() if owner == resource}


class Builtin:
    """The subresources that the API server answers by itself."""

    def __init__(self, objects: Objects, signer: tokens.Signer) -> None:
        self._objects = objects
        self._signer = signer

    def register(self, table: Subresources) -> None:
        """Add them all."""
        token = Subresource(self.token, ("POST",), "TokenRequest", "authentication.k8s.io", "v1")
        table.register("serviceaccounts", "token", token)
        table.register("pods", "binding", Subresource(self.bind, ("POST",), "Binding"))
        eviction = Subresource(self.evict, ("POST",), "Eviction", "policy", "v1")
        table.register("pods", "eviction", eviction)
        log = Subresource(self.no_logs, ("GET",), "Pod")
        table.register("pods", "log", log)
        for name, kind in (
            ("exec", "PodExecOptions"),
            ("attach", "PodAttachOptions"),
            ("portforward", "PodPortForwardOptions"),
        ):
            refused = Subresource(self.refuse, ("GET", "POST"), kind)
            table.register("pods", name, refused)

    async def token(self, call: Call) -> web.StreamResponse:
        """Issue a token for a service account (`kubectl create token`)."""
        document = await body_of(call.request)
        _insist_readable("authentication/v1", "TokenRequest", document)
        spec = document.get("spec") or {}
        seconds = spec.get("expirationSeconds") or tokens.DEFAULT_SECONDS
        if not tokens.MIN_SECONDS <= seconds <= tokens.MAX_SECONDS:
            raise status.bad_request(
                f"spec.expirationSeconds: Invalid value: {seconds}: may not specify a duration "
                f"less than 10 minutes or larger than 2^32 seconds"
            )
        now = self._objects.clock()
        expires = int(now.timestamp()) + int(seconds)
        audiences = tuple(spec.get("audiences") or (tokens.DEFAULT_AUDIENCE,))
        account = call.document["metadata"]
        claims = tokens.Claims(
            account["namespace"], account["name"], account["uid"], audiences, expires
        )
        answer = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {
                "name": account["name"],
                "namespace": account["namespace"],
                "creationTimestamp": rfc3339(now),
            },
            "spec": {**spec, "audiences": list(audiences), "expirationSeconds": int(seconds)},
            "status": {
                "token": self._signer.issue(claims, now),
                "expirationTimestamp": rfc3339(now.fromtimestamp(expires, now.tzinfo)),
            },
        }
        return web.json_response(answer, status=201)

    async def bind(self, call: Call) -> web.StreamResponse:
        """Put a pod on a node, once."""
        document = await body_of(call.request)
        node = objects.get(document, "target", "name", default="")
        if not node:
            raise status.bad_request("target.name: Required value")

        def bound(pod: Document) -> Document:
            if pod.get("spec", {}).get("nodeName"):
                why = f'pod {call.ref.name} is already assigned to node "{node}"'
                raise status.conflict(call.ref.kind, call.ref.name, why)
            return {**pod, "spec": {**pod.get("spec", {}), "nodeName": node}}

        await self._objects.modify(call.ref, bound, WriteOptions(manager="binder"), call.user)
        return web.json_response(status.success({}), status=201)

    async def evict(self, call: Call) -> web.StreamResponse:
        """Delete a pod; there are no disruption budgets here."""
        document = await body_of(call.request)
        _insist_readable("policy/v1", "Eviction", document)
        options = parse_delete({}, document.get("deleteOptions") or {})
        ref = ObjectRef(call.ref.kind, call.ref.namespace, call.ref.name)
        await self._objects.delete(ref, options, call.user)
        return web.json_response(status.success({}), status=201)

    async def no_logs(self, call: Call) -> web.StreamResponse:
        """Until a node agent has registered, no pod can have run."""
        raise status.bad_request(f'no node agent runs pod "{call.ref.name}" yet')

    async def refuse(self, call: Call) -> web.StreamResponse:
        """Workers are plain processes: there is no container to enter."""
        raise status.ApiError(
            501,
            "NotImplemented",
            f"pods/{call.ref.subresource} is not available: on one machine, pods run as local "
            "processes; use the machine's own tools",
        )


def _insist_readable(table: str, kind: str, document: Document) -> None:
    if problem := decoding.problem(definitions.schema_of(table, kind), document):
        version = table.rpartition("/")[2]
        raise status.bad_request(
            f'{kind} in version "{version}" cannot be handled as a {kind}: {problem}'
        )


async def body_of(request: web.Request, kind: str = "") -> Document:
    """The object that a request carries; empty when it has no body and no `kind` is wanted."""
    body = await request.read()
    content_type = request.headers.get("Content-Type", "")
    return bodies.parse_object(body, content_type, kind) if body or kind else {}
