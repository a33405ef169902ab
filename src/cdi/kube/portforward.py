"""
A port of a pod, reachable through the API server: what `kubectl port-forward` does.

    async with PortForward(credentials, "cdi", "cdi-uploadproxy-7d9", 8443) as forward:
        ...  # 127.0.0.1:forward.port leads to the pod

Each connection to the local port is one WebSocket to the API server (protocol v4.channel.k8s.io):
a message is a channel's number and bytes; channel 0 is the stream, channel 1 says what went wrong,
and the first message of each names the port. Raises what `connection` raises.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final, Self

import aiohttp

from cdi.kube import errors, tasks
from cdi.kube.connection import Access, Credentials
from cdi.kube.resource import PODS

log = logging.getLogger(__name__)

_PROTOCOL: Final = "v4.channel.k8s.io"
_DATA: Final = 0
_ERROR: Final = 1
_BLOCK: Final = 64 << 10  # bytes of one message
_CONNECT: Final = 15.0  # seconds


class PortForward:
    """Use as `async with`; `port` is the local one then, and `trouble` what the pod's side said."""

    def __init__(self, credentials: Credentials, namespace: str, pod: str, port: int) -> None:
        self._credentials = credentials
        self._path = PODS.path(namespace, pod, "portforward") + f"?ports={port}"
        self._server: asyncio.Server | None = None
        self._session: aiohttp.ClientSession | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.port = 0
        self.trouble = ""

    async def __aenter__(self) -> Self:
        access = await self._credentials.current()
        context = access.tls.context() if access.server.startswith("https") else False
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
        try:
            await self._check(access)
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_BLOCK)
        except BaseException:
            await self._session.close()
            raise
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        await tasks.cancel(*self._connections)
        if self._session is not None:
            await self._session.close()

    async def _check(self, access: Access) -> None:
        """Insist that the API server forwards; better known now than from a reset later."""
        socket = await self._open(access)
        await socket.close()

    async def _open(self, access: Access) -> aiohttp.ClientWebSocketResponse:
        headers = {"Authorization": access.authorization} if access.authorization else {}
        if self._session is None:
            raise errors.ConnectionBroken("the port is no longer forwarded")
        try:
            async with asyncio.timeout(_CONNECT):
                return await self._session.ws_connect(
                    access.server + self._path,
                    protocols=(_PROTOCOL,),
                    headers=headers,
                    proxy=access.proxy or None,
                    server_hostname=access.tls.server_name or None,
                    max_msg_size=0,
                )
        except aiohttp.WSServerHandshakeError as error:
            message = f"the API server does not forward the port: {error.message}"
            raise errors.from_answer(error.status, message.encode(), None) from error
        except (aiohttp.ClientError, OSError) as error:
            raise errors.ConnectFailed(f"port-forward: {error}") from error

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._forward(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            socket = await self._open(await self._credentials.current())
            async with contextlib.AsyncExitStack() as stack:
                stack.push_async_callback(socket.close)
                out = asyncio.ensure_future(_send(reader, socket))
                back = asyncio.ensure_future(self._receive(socket, writer))
                try:
                    await asyncio.wait({out, back}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    await tasks.cancel(out, back)
        except errors.KubeError as error:
            self.trouble = str(error)
            log.warning("a connection cannot be forwarded", extra={"cause": str(error)})
        finally:
            writer.transport.abort()

    async def _receive(
        self, socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter
    ) -> None:
        named: set[int] = set()
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel, content = message.data[0], message.data[1:]
            if channel not in named:
                named.add(channel)  # the first one names the port only
            elif channel == _ERROR:
                self.trouble = content.decode(errors="replace")
                return
            elif channel == _DATA:
                writer.write(content)
                await writer.drain()


async def _send(reader: asyncio.StreamReader, socket: aiohttp.ClientWebSocketResponse) -> None:
    with contextlib.suppress(ConnectionError):
        while block := await reader.read(_BLOCK):
            await socket.send_bytes(bytes([_DATA]) + block)
