"""
Object stores to import from: real servers, and guards that check who asks.

`moto` and `emulator` are independent servers that believe every signature. What checks
signatures is a guard around a resource of `httpd`: for S3 by botocore, whose signer is the
yardstick; for Google by tokens that a server of ours hands out for assertions it verifies; for
Azure by azure-storage-blob. All answer as the services do, with codes in XML.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import re
import socket
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import jwt
import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support import httpd

KEY_ID, SECRET, TOKEN = "AKIACANARYID", "canary/secret+key", "canary-session-token"


@dataclass(frozen=True)
class Store:
    """A server with one bucket; `put` stores an object and returns its URL for a worker."""

    endpoint: str
    bucket: str

    def put(self, key: str, content: bytes) -> str:
        url = f"{self.endpoint}/{self.bucket}/{urllib.parse.quote(key)}"
        _done(urllib3.request("PUT", url, body=content))
        return url


@contextlib.contextmanager
def moto(address: str = "127.0.0.1") -> Iterator[Store]:
    """S3 by moto, with a bucket."""
    from moto.server import ThreadedMotoServer  # takes a second

    server = ThreadedMotoServer(address, port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    try:
        endpoint = f"http://{host}:{port}"
        _done(urllib3.request("PUT", f"{endpoint}/bucket"))
        yield Store(endpoint, "bucket")
    finally:
        server.stop()


@contextlib.contextmanager
def emulator(address: str = "127.0.0.1") -> Iterator[Store]:
    """Google Cloud Storage by gcp-storage-emulator, with a bucket. It knows no ETags."""
    from gcp_storage_emulator.server import create_server  # as above

    with socket.create_server((address, 0)) as free:
        port = free.getsockname()[1]
    server = create_server(address, port, in_memory=True)
    server.start()
    try:
        endpoint = f"http://{address}:{port}"
        made = json.dumps({"name": "bucket"}).encode()
        kind = {"Content-Type": "application/json"}
        _done(urllib3.request("POST", f"{endpoint}/storage/v1/b", body=made, headers=kind))
        yield Store(endpoint, "bucket")
    finally:
        server.stop()


def _done(answer: urllib3.BaseHTTPResponse) -> None:
    assert answer.status < 300, (answer.status, answer.data[:300])


def refused(status: int, code: str, more: str = "", **headers: str) -> httpd.Reply:
    """A refusal as S3, Google and Azure write it; what else they put into it is a canary."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code>{more}<Note>CANARY-BODY</Note></Error>"
    fields: dict[str, str | None] = {"Content-Type": "application/xml"}
    return httpd.Reply(status, body.encode(), fields | headers)


# S3


@dataclass(frozen=True)
class Signed:
    """Serves `resource` to requests that botocore would have signed alike."""

    resource: httpd.Resource
    region: str = "us-east-1"
    token: str = ""
    now: datetime.datetime | None = None  # what the clock here says, if not the right time

    def __call__(self, request: httpd.Request) -> httpd.Reply:
        said = request.header("authorization") or ""
        scope = re.search(r"Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request", said)
        if scope is None:
            return refused(403, "AccessDenied")
        if scope[1] != KEY_ID:
            return refused(
                403, "InvalidAccessKeyId", f"<AWSAccessKeyId>{scope[1]}</AWSAccessKeyId>"
            )
        if scope[3] != self.region:
            named = f"<Region>{self.region}</Region>"
            return refused(400, "AuthorizationHeaderMalformed", named)
        if (request.header("x-amz-security-token") or "") != self.token:
            return refused(400, "InvalidToken")
        if self.now and _distance(self.now, request.header("x-amz-date") or "") > 900:
            date = self.now.strftime("%a, %d %b %Y %H:%M:%S GMT")
            return refused(403, "RequestTimeTooSkewed", Date=date)
        if not said.endswith(f"Signature={signature(request, self.region)}"):
            return refused(403, "SignatureDoesNotMatch", "<StringToSign>CANARY</StringToSign>")
        return self.resource(request)


def signature(request: httpd.Request, region: str) -> str:
    """The signature that botocore puts under a request with these signed headers."""
    names = re.search(r"SignedHeaders=([^,]+)", request.header("authorization") or "")
    signed = {name: request.header(name) for name in names[1].split(";")} if names else {}
    path, _, query = request.target.partition("?")
    # A service signs what it has understood, not what was written.
    path = urllib.parse.quote(urllib.parse.unquote_to_bytes(path), safe="/-_.~")
    asked = botocore.awsrequest.AWSRequest(
        method=request.method, url=f"http://{signed['host']}{path}?{query}", headers=signed
    )
    asked.context["timestamp"] = signed["x-amz-date"]
    keys = botocore.credentials.Credentials(KEY_ID, SECRET)
    signer = botocore.auth.S3SigV4Auth(keys, "s3", region)
    text = signer.string_to_sign(asked, signer.canonical_request(asked))
    return str(signer.signature(text, asked))


def _distance(now: datetime.datetime, moment: str) -> float:
    sent = datetime.datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    return abs((now - sent).total_seconds())


# Google


@dataclass
class Google:
    """Hands out tokens, and serves objects to those who show one that it still accepts."""

    life: float = 3600  # seconds, of a token
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    accepted: set[str] = field(default_factory=set)
    granted: int = 0

    def service_account(self, token_uri: str) -> str:
        """A credentials file."""
        form, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        pem = self.key.private_bytes(serialization.Encoding.PEM, form, none).decode()
        return json.dumps(
            {
                "type": "service_account",
                "client_email": "robot@example.test",
                "private_key": pem,
                "private_key_id": "key-1",
                "token_uri": token_uri,
            }
        )

    def authorized_user(self, token_uri: str) -> str:
        """A credentials file."""
        return json.dumps(
            {
                "type": "authorized_user",
                "client_id": "client",
                "client_secret": "canary-client-secret",
                "refresh_token": "canary-refresh-token",
                "token_uri": token_uri,
            }
        )

    def tokens(self, request: httpd.Request) -> httpd.Reply:
        """The token service."""
        form = dict(urllib.parse.parse_qsl(request.body.decode()))
        if not self._known(form) and request.header("metadata-flavor") != "Google":
            return httpd.Reply(400, b'{"error": "invalid_grant", "canary": "CANARY-BODY"}')
        self.granted += 1
        token = f"canary-token-{self.granted}"
        self.accepted.add(token)
        said = {"access_token": token, "expires_in": self.life, "token_type": "Bearer"}
        return httpd.Reply(200, json.dumps(said).encode())

    def _known(self, form: dict[str, str]) -> bool:
        if form.get("refresh_token"):
            return form["refresh_token"] == "canary-refresh-token"
        with contextlib.suppress(jwt.PyJWTError):
            claims: dict[str, Any] = jwt.decode(
                form.get("assertion", ""), self.key.public_key(), ["RS256"],
                options={"verify_aud": False},
            )  # fmt: skip
            return claims["iss"] == "robot@example.test" and "read_only" in claims["scope"]
        return False

    def guarded(self, resource: httpd.Resource) -> httpd.Resource:
        def guard(request: httpd.Request) -> httpd.Reply:
            shown = (request.header("authorization") or "").removeprefix("Bearer ")
            if shown in self.accepted:
                return resource(request)
            return refused(401, "AuthenticationRequired")

        return guard
