"""
Upload a disk image or an archive to a volume: what `cdi image-upload` runs.

Says on standard output what it does, like `virtctl image-upload`; what ends it is one line on
standard error, and exit status 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator
from typing import Final

import click

from cdi.cli import access
from cdi.cli.uploads import arguments, plain, proxy, resumable, sessions, transport
from cdi.cli.uploads.arguments import Flags, Wanted
from cdi.cli.uploads.failure import Failed
from cdi.cli.uploads.progress import Bar
from cdi.cli.uploads.resumable import NoTus
from cdi.cli.uploads.source import Source
from cdi.cli.uploads.volume import Volume
from cdi.kube import tasks
from cdi.kube.client import Client
from cdi.kube.connection import Credentials

EXIT_FAILED: Final = 1


def run(flags: Flags, kubeconfig: str, context: str, server: str, namespace: str) -> None:
    """Upload. Exits with EXIT_FAILED where it does not work."""
    for notice in arguments.deprecated(flags):
        print(notice, flush=True)
    try:
        wanted = arguments.parse(flags)
        credentials = functools.partial(access.credentials, kubeconfig, context, server)

        async def upload(client: Client, usual: str) -> None:
            await _upload(client, namespace or usual, wanted, credentials)

        access.run(upload, kubeconfig, context, server)
    except (Failed, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        click.echo(f"cdi image-upload: {_words(error)}", err=True)
        raise click.exceptions.Exit(EXIT_FAILED) from None


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror
    return str(error)


async def _upload(
    client: Client, namespace: str, wanted: Wanted, credentials: functools.partial[Credentials]
) -> None:
    volume = Volume(client, namespace, wanted)
    source = Source.at(wanted.path)
    async with _computed(source) as digest:
        await volume.ensure()
        await volume.await_server()
        flags = wanted.flags
        async with proxy.route(
            client, credentials, flags.proxy_url, insecure=flags.insecure
        ) as route:
            print(f"Uploading data to {route.base}", flush=True)
            await _send(volume, source, digest, route)
    print("Uploading data completed successfully, waiting for processing to complete, you can "
          "hit ctrl-c without interrupting the progress", flush=True)  # fmt: skip
    await volume.await_content()
    print("Processing completed successfully", flush=True)
    if flags.data_source:
        await volume.publish()
    print(f"Uploading {wanted.path} completed successfully", flush=True)


@contextlib.asynccontextmanager
async def _computed(source: Source) -> AsyncIterator[asyncio.Future[str]]:
    """The file's digest, found out while others wait for the cluster."""
    digest = asyncio.ensure_future(source.digest())
    try:
        yield digest
    finally:
        await tasks.cancel(digest)


async def _send(
    volume: Volume, source: Source, digest: asyncio.Future[str], route: proxy.Route
) -> None:
    bar = Bar(source.size)
    async with transport.session_to(route) as http:
        memory = sessions.memory_for(source.path, await volume.uid())
        parties = resumable.Parties(http, route, volume.token, volume.is_finished, memory, bar)
        try:
            await resumable.Upload(parties, source, digest).run()
        except NoTus:
            old = plain.Parties(http, route, volume.token, bar)
            await plain.upload(old, source, volume.wanted.flags.retry)
