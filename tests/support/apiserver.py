"""
A real API server in a thread of the test process, a plain HTTPS client, and stock kubectl.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from cdi.standalone.apiserver.connections import Patience
from cdi.standalone.apiserver.server import ApiServer, Hooks, Listen

DEADLINE = 30  # seconds that anything in a test may take before it counts as hung


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Plain HTTPS requests to the server at `url` whose state is under `directory`."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self.kubeconfig = directory / "kubeconfig"
        self.token = (directory / "pki" / "token").read_text()
        self._pool = urllib3.PoolManager(
            ca_certs=str(directory / "pki" / "ca.crt"),
            timeout=DEADLINE,
            maxsize=128,
            retries=False,
        )

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        token: str | None = None,
        **headers: str,
    ) -> Answer:
        """One request; keyword headers are written with underscores."""
        token = self.token if token is None else token
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        if body is not None:
            sent["Content-Type"] = content_type
            body = body if isinstance(body, bytes | str) else json.dumps(body)
        found = self._pool.request(method, self.url + path, body=body, headers=sent)
        return Answer(found.status, found.headers, found.data)

    def get(self, path: str, **headers: str) -> Any:
        """The document at a path."""
        return self.request("GET", path, **headers).json

    def create(self, path: str, body: Any) -> Any:
        """Create, which must succeed."""
        answer = self.request("POST", path, body)
        assert answer.status == 201, answer.body
        return answer.json

    @contextmanager
    def watch(self, path: str, **headers: str) -> Iterator[Iterator[Any]]:
        """The events of a watch; ends with the block."""
        sent = {
            "Authorization": f"Bearer {self.token}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        response = self._pool.request("GET", self.url + path, headers=sent, preload_content=False)
        try:
            yield _lines(response)
        finally:
            response.close()

    def eventually_gone(self, path: str, resource: str) -> None:
        """Wait, by watching, until the object at `path` does not exist."""
        collection, _, name = path.rpartition("/")
        assert collection.endswith(resource)
        query = f"?watch=1&fieldSelector=metadata.name={name}&resourceVersion=0"
        with self.watch(collection + query) as events:
            if self.request("GET", path).status == 404:
                return
            for event in events:
                if event["type"] == "DELETED":
                    return
        raise AssertionError(f"{path} is still there")

    def kubectl(
        self, *arguments: str, stdin: str | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run stock kubectl against the server."""
        return subprocess.run(
            [kubectl(), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env={
                **os.environ,
                "KUBECONFIG": str(self.kubeconfig),
                "HOME": str(self.kubeconfig.parent),
                "KUBECTL_KUBERC": "false",
                **(env or {}),
            },
        )


class Running(Client):
    """A server in this process."""

    def __init__(self, server: ApiServer, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server.url, server.kubeconfig.parent)
        self.server = server
        self._loop = loop

    def call(self, coroutine: Any) -> Any:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(DEADLINE)


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[Any]:
    buffer = b""
    for chunk in response.stream(65536):
        buffer += chunk
        *lines, buffer = buffer.split(b"\n")
        yield from (json.loads(line) for line in lines)


def kubectl() -> str:
    """The kubectl of the virtual environment, or of the machine."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    found = shutil.which("kubectl", path=places)
    assert found, "kubectl is needed: it is the yardstick of the API server"
    return found


@contextmanager
def running(
    directory: Path, hooks: Hooks | None = None, *, patience: Patience | None = None, **options: Any
) -> Iterator[Running]:
    """A server over `directory`, on a free port, until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="apiserver", daemon=True)
    thread.start()

    def call(coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(DEADLINE)

    listen = Listen(port=0, patience=patience or Patience())
    server = ApiServer(directory, listen, hooks=hooks, **options)
    try:
        call(server.start())
        try:
            yield Running(server, loop)
        finally:
            call(server.stop())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def widget_definition(group: str = "example.com", **version: Any) -> dict[str, Any]:
    """A small CustomResourceDefinition: Widget, with status, defaults and limits."""
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 1},
                    "color": {"type": "string", "default": "red"},
                },
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "plural": "widgets",
                "singular": "widget",
                "kind": "Widget",
                "shortNames": ["wd"],
                "categories": ["all"],
            },
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"}
                    ],
                    "schema": {"openAPIV3Schema": schema},
                    **version,
                }
            ],
        },
    }


def config_map(name: str, **data: str) -> dict[str, Any]:
    """A ConfigMap in no particular namespace."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name},
        "data": data,
    }
