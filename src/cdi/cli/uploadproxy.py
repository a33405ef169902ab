"""
Run the upload proxy in the foreground, until told to stop.

Ends with 0 when it is told to stop, and with 1 when it can no longer do its work. Whoever started
it starts it again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from cdi.api import names
from cdi.api import resources as ours
from cdi.images.transfer import threads
from cdi.kube import connection, errors, objects
from cdi.kube.client import Client
from cdi.kube.informer import Informer
from cdi.kube.manager import Group, Manager
from cdi.kube.objects import Key
from cdi.kube.resource import Resource
from cdi.kube.transport import Settings as TransportSettings
from cdi.storage import tlsprofile
from cdi.storage.tlsprofile import TLSProfile
from cdi.web.metrics import ProcessMetrics
from cdi.web.serving import process
from cdi.web.serving.server import Address
from cdi.web.serving.tls import Files
from cdi.web.tokens.keys import BadKeys
from cdi.web.uploadproxy import server
from cdi.web.uploadproxy.crossorigin import Origins
from cdi.web.uploadproxy.endpoints import ClusterEndpoints
from cdi.web.uploadproxy.identity import MountedIdentity
from cdi.web.uploadproxy.keyfiles import PublicKeys
from cdi.web.uploadproxy.server import Parts, upload_proxy

EXIT_FAILED: Final = 1
# Somebody waits for every one of these requests.
_RATE_LIMIT: Final = TransportSettings(rate=1000.0, burst=1000, request_timeout=15.0)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the proxy belongs, what it shows and whom it believes."""

    namespace: str
    address: Address
    certificate: Files
    client_certificate: Files
    server_authorities: str  # a ConfigMap
    token_key: str  # PEM
    token_keys: Path
    origins: tuple[str, ...]


def run(kubeconfig: str, context: str, settings: Settings, verbosity: int) -> None:
    """Serve until SIGTERM. Exits with EXIT_FAILED where it cannot go on."""
    process.log_to_stderr(verbosity)
    threads.keep_buffers()
    try:
        asyncio.run(_run(kubeconfig, context, settings))
    except (errors.KubeError, BadKeys, OSError) as error:
        click.echo(f"cdi uploadproxy: {error}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


async def _run(kubeconfig: str, context: str, settings: Settings) -> None:
    keys = PublicKeys(settings.token_key, settings.token_keys)
    if not keys.believed():
        raise BadKeys(
            "no key to believe tokens by: set APISERVER_PUBLIC_KEY, or mount the public keys of "
            f"the Secret at {settings.token_keys}"
        )
    stop = process.stop_on_signals()
    credentials = connection.choose(kubeconfig, context)
    metrics = ProcessMetrics()
    async with Client.to(credentials, _RATE_LIMIT, observer=metrics) as client:
        config = _config(client)
        identity = MountedIdentity(
            client, settings.client_certificate, settings.namespace, settings.server_authorities
        )
        parts = Parts(client, ClusterEndpoints(), keys, identity, metrics, callers=credentials)
        shown = server.Settings(
            settings.address,
            settings.certificate,
            lambda: _profile(config),
            Origins(settings.origins),
        )
        manager = Manager()
        manager.add(Group.SERVERS, upload_proxy(parts, shown))
        manager.add(Group.CACHES, config)
        await manager.run(stop)


def _config(client: Client) -> Informer:
    """The CDIConfig, which may not be there, or not be ours to read, for all that we need it."""
    kind = ours.find("CDIConfig")
    resource = Resource(
        kind.group, kind.storage_version, kind.plural, kind.kind, namespaced=kind.namespaced
    )
    return Informer(client, resource, fields=f"metadata.name={names.CDI_CONFIG}", optional=True)


def _profile(config: Informer) -> TLSProfile:
    found = config.cache.get(Key("", names.CDI_CONFIG))
    return tlsprofile.profile_for(objects.get(found, "spec"))
