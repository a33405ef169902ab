"""
Where the upload proxy is, and whom to believe there.

What the command line says, else what the CDIConfig says, else a way of our own: the port of one of
its pods, forwarded by the API server. Raises Failed and what `kube` raises.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import yarl

from cdi.api import labels, names
from cdi.cli.uploads import kinds
from cdi.cli.uploads.failure import Failed
from cdi.kube import errors, objects
from cdi.kube.client import Client
from cdi.kube.connection import Credentials
from cdi.kube.objects import Object
from cdi.kube.portforward import PortForward
from cdi.kube.resource import CONFIG_MAPS, PODS, SERVICES

SERVICE: Final = "cdi-uploadproxy"
_BUNDLE: Final = "cdi-uploadproxy-signer-bundle"
_BUNDLE_KEY: Final = "ca-bundle.crt"
_PORT: Final = 8443
_USUAL_NAMESPACE: Final = "cdi"
# Somebody may have given the address of one kind of uploads.
_KINDS: Final = ("/v1beta1/upload-async", "/v1beta1/upload")


@dataclass(frozen=True, slots=True)
class Route:
    """The proxy's address without a path of ours, and what is needed to connect there."""

    base: yarl.URL
    context: ssl.SSLContext
    leads_to: str = ""  # the IP address behind the host, a name that only the cluster knows
    through_environment: bool = True  # whether HTTPS_PROXY and the like count

    def url(self, path: str) -> yarl.URL:
        """The address of a path of the proxy; queries are kept."""
        relative = yarl.URL(path)
        joined = self.base.with_path(self.base.path.rstrip("/") + relative.path)
        return joined.with_query(relative.query)


@asynccontextmanager
async def route(
    client: Client, credentials: Callable[[], Credentials], said: str, *, insecure: bool
) -> AsyncIterator[Route]:
    """A way to the proxy that lasts as long as the block."""
    config = await _config(client)
    context = context_for(str(objects.get(config, "status", "uploadProxyCA", default="")))
    url = said or _url_in(config)
    if url:
        if insecure:
            context = _believing_anybody()
        yield Route(base_of(url), context, through_environment=not insecure)
        return
    async with _forwarded(client, credentials()) as found:
        yield found


def base_of(url: str) -> yarl.URL:
    """The address without a path of ours; https where no scheme is said. Raises Failed."""
    try:
        parsed = yarl.URL(url if "://" in url else f"https://{url}")
    except ValueError as error:
        raise Failed(f"the address of the upload proxy, {url!r}, is none: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise Failed(f"the address of the upload proxy, {url!r}, is none")
    path = parsed.path.rstrip("/")
    for kind in _KINDS:
        path = path.removesuffix(kind)
    return parsed.with_path(path).with_query(None)


def context_for(authorities: str) -> ssl.SSLContext:
    """Believes those whom this machine believes, and the authorities in this PEM text."""
    context = ssl.create_default_context()
    # Python 3.13 insists on key identifiers, which many clusters' own CAs lack.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if authorities.strip():
        try:
            context.load_verify_locations(cadata=authorities)
        except ssl.SSLError as error:
            raise Failed(f"uploadProxyCA of the CDIConfig cannot be used: {error}") from error
    return context


def _believing_anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _config(client: Client) -> Object | None:
    try:
        return await client.get(kinds.CONFIGS, names.CDI_CONFIG)
    except (errors.NotFound, errors.Forbidden):
        return None


def _url_in(config: Object | None) -> str:
    override = objects.get(config, "spec", "uploadProxyURLOverride", default="")
    return str(override or objects.get(config, "status", "uploadProxyURL", default=""))


@asynccontextmanager
async def _forwarded(client: Client, credentials: Credentials) -> AsyncIterator[Route]:
    try:
        namespace = await _namespace(client)
        pod = await _pod(client, namespace)
        context = await _context_of(client, namespace)
        forward = PortForward(credentials, namespace, pod, _PORT)
        async with forward:
            # Its certificate is for the Service.
            host = f"{SERVICE}.{namespace}.svc"
            base = yarl.URL.build(scheme="https", host=host, port=forward.port)
            yield Route(base, context, "127.0.0.1", through_environment=False)
    except errors.Forbidden as error:
        raise Failed(
            f"uploadproxy URL not found, and there is no way to it through the API server: {error};"
            " name the address of the proxy with --uploadproxy-url"
        ) from error


async def _namespace(client: Client) -> str:
    """Of the installation."""
    try:
        found = await client.list(SERVICES, fields=f"metadata.name={SERVICE}")
    except errors.Forbidden:
        return _USUAL_NAMESPACE
    if not found:
        raise Failed(
            f"uploadproxy URL not found: the cluster has no Service {SERVICE}; is CDI installed? "
            "--uploadproxy-url names the proxy"
        )
    return objects.namespace(found[0])


async def _pod(client: Client, namespace: str) -> str:
    selector = f"{labels.COMPONENT}={labels.UPLOAD_PROXY}"
    for pod in await client.list(PODS, namespace, labels=selector):
        conditions = objects.get(pod, "status", "conditions", default=[])
        ready = any(each.get("type") == "Ready" and each["status"] == "True" for each in conditions)
        if ready and not objects.is_deleting(pod):
            return objects.name(pod)
    raise Failed(f"no pod of {SERVICE} in namespace {namespace} is ready")


async def _context_of(client: Client, namespace: str) -> ssl.SSLContext:
    """Believes the installation's own authority.

    Who may not read it is led to the pod by the API server, which was verified: that is enough.
    """
    try:
        found = await client.get(CONFIG_MAPS, _BUNDLE, namespace)
    except (errors.NotFound, errors.Forbidden):
        return _believing_anybody()
    return context_for(str(objects.get(found, "data", _BUNDLE_KEY, default="")))
