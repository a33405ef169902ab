"""
An OpenStack as an importer meets it: Keystone and Glance on one port, with one user of one project.

    with openstack.Cloud() as cloud:
        image = cloud.add(data)
        cloud.identity_url, openstack.SECRET
"""

from __future__ import annotations

import hashlib
import itertools
import json
import ssl
import threading
from dataclasses import dataclass, field
from typing import Any

from support import httpd

USER, PASSWORD, PROJECT = "ops", "open-sesame", "vms"
SECRET = {"username": USER, "password": PASSWORD, "projectName": PROJECT, "regionName": "one"}
TOKEN_BEFORE = "a-token-of-before"
APPLICATION = {"applicationCredentialID": "app-1", "applicationCredentialSecret": "app-secret"}


@dataclass
class Image:
    """One image of the store."""

    data: bytes
    status: str = "active"
    ranges: bool = True
    digest: bool = True
    reads: int = 0
    more: dict[str, Any] = field(default_factory=dict)

    def described(self, image_id: str) -> dict[str, Any]:
        found = {"id": image_id, "status": self.status, "size": len(self.data), **self.more}
        if self.digest:
            found |= {
                "checksum": hashlib.md5(self.data, usedforsecurity=False).hexdigest(),
                "os_hash_algo": "sha512",
                "os_hash_value": hashlib.sha512(self.data).hexdigest(),
            }
        return found


class Cloud:
    """Serves until the `with` block ends."""

    def __init__(
        self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", bind: str = "127.0.0.1"
    ) -> None:
        self.server = httpd.Server(tls=tls, host=host, bind=bind)
        self.images: dict[str, Image] = {}
        self.tokens: set[str] = set()
        self.asked: list[dict[str, Any]] = []  # bodies of what asked for tokens
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self.server.put("/identity/v3/auth/tokens", self._tokens)

    @property
    def identity_url(self) -> str:
        return f"{self.server.origin}/identity"

    def add(self, data: bytes, **more: Any) -> str:
        """Have an image with these bytes; return its ID."""
        image_id = f"image-{next(self._numbers)}"
        image = self.images[image_id] = Image(data, **more)
        path = f"/image/v2/images/{image_id}"
        described = json.dumps(image.described(image_id)).encode()
        self.server.put(path, self._for_users(lambda _: httpd.Reply(200, described)))
        blob = httpd.Blob(image.data, etag=None, modified=None, ranges=image.ranges)
        self.server.put(f"{path}/file", self._for_users(blob))
        return image_id

    def __enter__(self) -> Cloud:
        self.server.__enter__()
        return self

    def __exit__(self, *what: Any) -> None:
        self.server.__exit__(*what)

    def forget_tokens(self) -> None:
        """As if their time were over."""
        self.tokens.clear()

    def _for_users(self, resource: httpd.Resource) -> httpd.Resource:
        def answered(request: httpd.Request) -> httpd.Reply:
            if request.header("x-auth-token") not in self.tokens:
                return httpd.Reply(401, b"{}")
            return resource(request)

        return answered

    def _tokens(self, request: httpd.Request) -> httpd.Reply:
        body = json.loads(request.body)
        with self._lock:
            self.asked.append(body)
            if request.method != "POST" or not _is_known(body["auth"]["identity"]):
                return httpd.Reply(401, b'{"error": {"code": 401}}')
            token = f"token-{len(self.asked)}"
            self.tokens.add(token)
        scoped = "scope" in body["auth"] or "application_credential" in body["auth"]["identity"]
        catalog = [
            {"type": "compute", "endpoints": [{"interface": "public", "url": "http://nowhere"}]},
            {
                "type": "image",
                "endpoints": [
                    {"interface": "admin", "region_id": "one", "url": "http://nowhere"},
                    {
                        "interface": "public",
                        "region_id": "one",
                        "url": f"{self.server.origin}/image",
                    },
                    {"interface": "public", "region_id": "two", "url": "http://nowhere"},
                ],
            },
        ]
        answer = {"token": {"expires_at": "2199-01-01T00:00:00.000000Z"}}
        if scoped:
            answer["token"]["catalog"] = catalog  # type: ignore[assignment]
        return httpd.Reply(201, json.dumps(answer).encode(), {"X-Subject-Token": token})


def _is_known(identity: dict[str, Any]) -> bool:
    """Whether somebody may come in, in one of the three ways."""
    match identity["methods"]:
        case ["password"]:
            user = identity["password"]["user"]
            named = user.get("name") == USER and user.get("domain") == {"id": "default"}
            return user["password"] == PASSWORD and (named or user.get("id") == "user-1")
        case ["token"]:
            return bool(identity["token"]["id"] == TOKEN_BEFORE)
        case ["application_credential"]:
            said = identity["application_credential"]
            return bool(said["secret"] == APPLICATION["applicationCredentialSecret"])
    return False
