"""
The API server: start it, stop it, plug into it.

Here: the order in which the parts come up and go down, TLS, and the last line of defence for
errors. Elsewhere: addresses that are no resources (`pages`), the resource API (`rest`) and
everything below it.

Up: lock, store, certificates, definitions, roles, system namespaces, socket, kubeconfig,
housekeeping. Down: in reverse. A kubeconfig that exists therefore points to a server that answered.
"""

import asyncio
import functools
import logging
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from cdi.standalone.apiserver import (
    certificates,
    kubeconfig,
    metrics,
    status,
    subresources,
    tokens,
)
from cdi.standalone.apiserver.admission import Admission
from cdi.standalone.apiserver.authentication import Authenticator
from cdi.standalone.apiserver.authorization import Authorizer, Question
from cdi.standalone.apiserver.catalog import Catalog
from cdi.standalone.apiserver.connections import Connections, Patience
from cdi.standalone.apiserver.definitions import Definitions
from cdi.standalone.apiserver.discovery import Discovery
from cdi.standalone.apiserver.escalation import EscalationCheck
from cdi.standalone.apiserver.garbage import Garbage
from cdi.standalone.apiserver.housekeeping import Housekeeping
from cdi.standalone.apiserver.limits import Limits
from cdi.standalone.apiserver.namespaces import RESOURCE as NAMESPACES
from cdi.standalone.apiserver.namespaces import SYSTEM, Namespaces, keep_system
from cdi.standalone.apiserver.objects import Objects
from cdi.standalone.apiserver.openapi import OpenApi
from cdi.standalone.apiserver.pages import Pages
from cdi.standalone.apiserver.podadmission import PodAdmission
from cdi.standalone.apiserver.quotastatus import QuotaStatus
from cdi.standalone.apiserver.rest import USER, Rest
from cdi.standalone.apiserver.reviews import Reviews
from cdi.standalone.apiserver.roles import Roles
from cdi.standalone.apiserver.status import ApiError
from cdi.standalone.apiserver.subresources import Subresources
from cdi.standalone.apiserver.timestamps import Clock, system_clock
from cdi.standalone.apiserver.unstored import UnstoredKind
from cdi.standalone.schema import registry
from cdi.standalone.store.lock import DirectoryLock
from cdi.standalone.store.store import WINDOW, Store

Document = dict[str, Any]

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 16443
MAX_BODY = 3 * 1024 * 1024  # bytes, as Kubernetes limits requests
RENEW_EVERY = 3600.0  # seconds between two looks at the certificate
SHUTDOWN = 1.0  # seconds that open requests get; watches have been ended before
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listen:
    """Where to listen, and how long to wait for clients. Port 0 takes a free one."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    patience: Patience = field(default_factory=Patience)


@dataclass(slots=True)
class Hooks:
    """What other parts plug in before start(). `definitions` are served from the first request."""

    definitions: Sequence[Document] = ()
    admission: Admission = field(default_factory=Admission)
    subresources: Subresources = field(default_factory=Subresources)
    unstored: Sequence[UnstoredKind] = ()


class ApiServer:
    """
    One server over one state directory; use as `async with` or start() and stop().

    `names` are further host names and addresses that clients will use: the certificate shows them.
    """

    def __init__(
        self,
        state_dir: Path,
        listen: Listen | None = None,
        *,
        names: Iterable[str] = (),
        hooks: Hooks | None = None,
        clock: Clock = system_clock,
        window: int = WINDOW,
    ) -> None:
        self._dir = state_dir
        self._listen = listen or Listen()
        self._names = tuple(names)
        self.hooks = hooks or Hooks()
        self._clock = clock
        self._window = window
        self._requests = metrics.Requests()
        self._stack = AsyncExitStack()

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig that opens this server; written by start()."""
        return self._dir / "kubeconfig"

    @property
    def url(self) -> str:
        """The address, once started."""
        return self._url

    @property
    def objects(self) -> Objects:
        """Direct access for parts in the same process, once started."""
        return self._objects

    async def start(self) -> None:
        """Come up; on return the server answers. Raises errors.Locked, OSError."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """Go down: end watches, finish requests, close the store; safe to repeat."""
        await self._stack.aclose()

    async def renew(self) -> None:
        """Show a new certificate if the present one nears its end; done every hour, too."""
        # Making keys and syncing files takes a while.
        pki = await asyncio.to_thread(self._certificates)
        pki.show_in(self._tls)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _start(self) -> None:
        self._stack.enter_context(DirectoryLock(self._dir))
        store = await self._stack.enter_async_context(
            Store.open(self._dir / "state.db", self._window)
        )
        pki = self._certificates()
        token = kubeconfig.ensure_token(self._dir / "pki" / "token")
        signer = tokens.Signer(self._dir / "pki" / "tokens.key")
        self._assemble(store, token, signer, pki.authority.read_text())
        self._definitions.load()
        for definition in self.hooks.definitions:
            await self._definitions.ensure(definition)
        await self._roles.ensure()
        await self._namespaces.ensure_system()
        for name in SYSTEM:
            await self._namespaces.settle(name)
        await self._serve(pki, store)
        kubeconfig.write_kubeconfig(self.kubeconfig, self._url, pki.authority, token)
        for name, work in (("housekeeping", self._housekeeping.run), ("renewal", self._renew)):
            self._stack.push_async_callback(_cancelled, asyncio.create_task(work(), name=name))

    def _certificates(self) -> certificates.Certificates:
        names = (*_names_of(self._listen.host), *self._names)
        return certificates.ensure_certificates(self._dir / "pki", names, self._clock())

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY)
            try:
                await self.renew()
            except Exception:
                # The present one is good for another month of attempts.
                _logger.exception("the server's certificate was not renewed")

    def _assemble(self, store: Store, token: str, signer: tokens.Signer, authority: str) -> None:
        unstored = [each.kind for each in self.hooks.unstored]
        catalog = Catalog((*registry.builtin_kinds(), *unstored))
        self._objects = Objects(store, catalog, self.hooks.admission, self._clock)
        definition = catalog.kind_of("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        if definition is None:
            raise LookupError("the built-in kinds lack CustomResourceDefinition")
        self._definitions = Definitions(self._objects, definition)
        self._namespaces = Namespaces(self._objects, authority)
        self.hooks.admission.validate_with(NAMESPACES, keep_system)
        self._roles = Roles(self._objects)
        self.hooks.admission.mutate_with("pods", PodAdmission(store).complete)
        self._housekeeping = Housekeeping(
            store,
            self._definitions,
            self._namespaces,
            Garbage(self._objects),
            self._roles,
            QuotaStatus(self._objects),
            self._clock,
        )
        self._authenticator = Authenticator(token, signer, store, self._clock)
        self._authorizer = Authorizer(store)
        EscalationCheck(self._authorizer).install(self.hooks.admission)
        Limits(store).install(self.hooks.admission)
        table = Subresources()
        subresources.Builtin(self._objects, signer).register(table)
        table.update(self.hooks.subresources)
        self._pages = Pages(
            Discovery(catalog, table),
            OpenApi(catalog),
            metrics=lambda: metrics.exposition(store, self._requests),
            url=lambda: self._url,
        )
        reviews = Reviews(self._authenticator, self._authorizer)
        self._rest = Rest(
            self._objects,
            self._authorizer,
            reviews,
            table,
            self._definitions,
            self.hooks.unstored,
        )

    async def _serve(self, pki: certificates.Certificates, store: Store) -> None:
        connections = Connections(self._listen.patience)
        app = web.Application(
            client_max_size=MAX_BODY,
            middlewares=[self._requests.count, _statuses, connections.watch, self._authenticate],
        )
        for path, handler in self._pages.addresses().items():
            app.router.add_get(path, handler)
        app.router.add_route("*", "/{path:.*}", self._rest.handle)
        runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=SHUTDOWN,
            keepalive_timeout=connections.patience.idle,
        )
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        # Ends the watches first, which would otherwise keep their connections open.
        self._stack.callback(store.end_watches)
        self._tls = pki.server_context()
        opened = functools.partial(connections.open, _server_of(runner))
        listening = await asyncio.get_running_loop().create_server(
            opened,
            self._listen.host,
            self._listen.port,
            ssl=self._tls,
            ssl_handshake_timeout=connections.patience.first,
        )
        self._stack.callback(listening.close)
        port = listening.sockets[0].getsockname()[1]
        host = self._listen.host
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host)  # noqa: S104 (compared, not bound)
        self._url = f"https://{shown or (f'[{host}]' if ':' in host else host)}:{port}"

    @web.middleware
    async def _authenticate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        user = self._authenticator.user_of(request.headers)
        request[USER] = user
        is_resource = request.match_info.handler == self._rest.handle
        if not is_resource and not self._authorizer.allows(
            user, Question("get", path=request.path)
        ):
            raise status.ApiError(
                403,
                "Forbidden",
                f'forbidden: User "{user.name}" cannot get path "{request.path}"',
            )
        return await handler(request)


@web.middleware
async def _statuses(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error leaves as a Status."""
    try:
        return await handler(request)
    except ApiError as error:
        failure = error
    except RecursionError:
        # Bodies are bounded where they are read; this is about what grows in between.
        failure = status.bad_request("the object is nested too deeply")
    except web.HTTPRequestEntityTooLarge:
        failure = ApiError(
            413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_BODY}"
        )
    except web.HTTPMethodNotAllowed:
        failure = status.method_not_allowed()
    except web.HTTPException as error:
        failure = ApiError(error.status, "", error.reason)
    except (ConnectionError, asyncio.CancelledError):
        raise
    except Exception as error:
        _logger.exception("%s %s failed", request.method, request.path)
        failure = status.internal(str(error))
    if isinstance(failure, status.NoPage):
        return web.Response(text=failure.message, status=failure.code)
    headers = {"WWW-Authenticate": "Bearer"} if failure.code == 401 else {}
    if failure.details and "retryAfterSeconds" in failure.details:
        headers["Retry-After"] = str(failure.details["retryAfterSeconds"])
    return web.json_response(failure.body(), status=failure.code, headers=headers)


async def _cancelled(task: asyncio.Task[None]) -> None:
    """End a task and wait until it has."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _server_of(runner: web.AppRunner) -> web.Server:
    """What answers requests, once the runner is set up."""
    if runner.server is None:
        raise RuntimeError("the runner is not set up")
    return runner.server


def _names_of(host: str) -> list[str]:
    """The names that a certificate must show for a listening address."""
    return [] if host in ("0.0.0.0", "::") else [host]  # noqa: S104 (compared, not bound)
