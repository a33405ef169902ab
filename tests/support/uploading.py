"""Run an upload server as a node does, and send to it as proxies and clients do."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cdi.api.quantity import parse
from cdi.api.termination import Termination
from cdi.api.workorder import UploadOrder
from support import authority, worker
from support.waiting import wait_until

CLIENT = "client.upload-server.cdi.kubevirt.io"
SERVER = "cdi-upload-volume"


class Certificates:
    """What a server and its clients need, made once."""

    def __init__(self, folder: Path) -> None:
        self.servers = authority.Authority(folder / "servers", "upload servers")
        self.clients = authority.Authority(folder / "clients", "upload clients")
        self.strangers = authority.Authority(folder / "strangers", "strangers")
        self.server = self.servers.issue(SERVER)
        self.client = self.clients.issue(CLIENT, client=True)
        self.other_client = self.clients.issue("somebody.else", client=True)
        self.stranger = self.strangers.issue(CLIENT, client=True)

    def context(self, shown: tuple[Path, Path] | None) -> ssl.SSLContext:
        """A client's context that shows a certificate, or none."""
        context = ssl.create_default_context(cafile=str(self.servers.ca))
        if shown is not None:
            context.load_cert_chain(*shown)
        return context


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        return json.loads(self.body)


class Server:
    """One upload server in a process of its own. Use as a context manager."""

    def __init__(
        self,
        certificates: Certificates,
        mounts: worker.Mounts,
        *,
        size: str = "32Mi",
        env: dict[str, str] | None = None,
        listens: bool = True,
        **order: Any,
    ) -> None:
        self.certificates, self.mounts = certificates, mounts
        certificate, key = certificates.server
        wanted = UploadOrder(
            **{
                "client_name": CLIENT,
                "listen_address": "127.0.0.1",
                "listen_port": 0,
                "tls_key_file": str(key),
                "tls_cert_file": str(certificate),
                "client_cert_file": str(certificates.clients.ca),
                "image_size": parse(size),
                **order,
            }
        )
        mounts.termination.unlink(missing_ok=True)
        self._port_file = mounts.termination.with_name("upload-port")
        self._port_file.unlink(missing_ok=True)
        inherited = {name: value for name, value in os.environ.items() if "proxy" not in name}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cdi.workers.uploadserver", "-v=1"],
            stderr=subprocess.PIPE,
            text=True,
            env=inherited | wanted.to_env() | mounts.env | (env or {}),
        )
        self.port = self._listening() if listens else 0

    def _listening(self) -> int:
        wait_until(lambda: self._port_file.exists() or self.process.poll() is not None)
        assert self.process.poll() is None, self.process.communicate()[1]
        return int(self._port_file.read_text())

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def connect(self, shown: tuple[Path, Path] | str | None = "") -> ssl.SSLSocket:
        """A connection as the proxy makes it, unless another certificate is `shown`."""
        certificate = self.certificates.client if isinstance(shown, str) else shown
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return self.certificates.context(certificate).wrap_socket(plain, server_hostname=SERVER)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: dict[str, str] | None = None,
        shown: tuple[Path, Path] | str | None = "",
    ) -> Answer:
        """Send one request and return the answer, also one that comes before all is sent."""
        connection = http.client.HTTPConnection("upload")
        connection.sock = self.connect(shown)
        with contextlib.closing(connection):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def post(self, path: str, body: bytes | Iterable[bytes], **headers: str) -> Answer:
        """Upload something."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, body, named)

    def ended(self) -> worker.Ended:
        """Wait for the end of the process."""
        return worker.ended(self.process, self.mounts)

    @property
    def told(self) -> Termination:
        """What the termination log holds."""
        return Termination.from_message(self.mounts.termination.read_text())


def in_pieces(data: bytes, size: int = 1 << 18) -> Iterator[bytes]:
    """A body without a length."""
    for at in range(0, len(data), size):
        yield data[at : at + size]
