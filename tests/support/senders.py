"""
Send to the upload proxy of a cluster, as somebody with a token does.

The proxy is where the CDIConfig says; where that says nothing, as nobody has exposed the proxy, it
is its service in the cluster, which the cluster's own nodes reach. CDI_TEST_UPLOAD_PROXY names
another URL. The certificate is looked at only where the CDIConfig tells whose it is.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from support.cluster import Cluster, Namespace

RESET = struct.pack("ii", 1, 0)  # linger for no time: a close is a reset
PATIENCE = 120.0  # seconds for an answer


@dataclass(frozen=True)
class Answer:
    """What the proxy passed on."""

    status: int
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass(frozen=True)
class Sender:
    """Sends to one claim with one token."""

    proxy: SplitResult
    context: ssl.SSLContext
    token: str

    @classmethod
    def to(cls, space: Namespace, claim: str) -> Sender:
        """Whoever may use the namespace, with a new token."""
        proxy, context = _proxy_of(space.cluster)
        return cls(proxy, context, token_for(space, claim))

    def send(
        self, data: bytes | Iterable[bytes], path: str = "upload", size: int | None = None
    ) -> Answer:
        """POST all of it; blocks without `size` are sent in chunks."""
        connection = self._connection()
        try:
            headers = self._headers(len(data) if isinstance(data, bytes) else size)
            connection.request("POST", f"/v1beta1/{path}", body=data, headers=headers)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read())
        finally:
            connection.close()

    def begin(self, data: bytes, size: int) -> socket.socket | None:
        """Send the beginning of so many bytes once they are wanted; the connection is the caller's.

        None where they are not, for whatever reason.
        """
        connection = self._connection()
        try:
            connection.connect()
            connection.putrequest("POST", "/v1beta1/upload", skip_accept_encoding=True)
            for name, value in (self._headers(size) | {"Expect": "100-continue"}).items():
                connection.putheader(name, value)
            connection.endheaders()
            if b" 100 " not in connection.sock.recv(1 << 16):
                connection.close()
                return None
            connection.send(data)
        except OSError:
            connection.close()
            return None
        return connection.sock

    def _headers(self, size: int | None) -> dict[str, str]:
        known = {} if size is None else {"Content-Length": str(size)}
        return {"Authorization": f"Bearer {self.token}", **known}

    def _connection(self) -> http.client.HTTPSConnection:
        host, port = self.proxy.hostname or "", self.proxy.port
        return http.client.HTTPSConnection(host, port, timeout=PATIENCE, context=self.context)


def token_for(space: Namespace, claim: str) -> str:
    """What an UploadTokenRequest is answered with."""
    wanted = {
        "apiVersion": "upload.cdi.kubevirt.io/v1beta1",
        "kind": "UploadTokenRequest",
        "metadata": {"name": "any"},
        "spec": {"pvcName": claim},
    }
    path = "jsonpath={.status.token}"
    return space.kubectl("create", "-f-", "-o", path, stdin=json.dumps(wanted))


def reset(connection: socket.socket) -> None:
    """Hang up without a farewell."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    connection.close()


def _proxy_of(cluster: Cluster) -> tuple[SplitResult, ssl.SSLContext]:
    status = json.loads(cluster.kubectl("get", "cdiconfig", "config", "-ojson"))["status"]
    given = os.environ.get("CDI_TEST_UPLOAD_PROXY") or status.get("uploadProxyURL")
    if given and given == status.get("uploadProxyURL") and "uploadProxyCA" in status:
        return urlsplit(given), ssl.create_default_context(cadata=status["uploadProxyCA"])
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return urlsplit(given or f"https://{_service_of(cluster)}"), unverified


def _service_of(cluster: Cluster) -> str:
    what = ("-n", "cdi", "get", "service", "cdi-uploadproxy")
    return cluster.kubectl(*what, "-ojsonpath={.spec.clusterIP}")
