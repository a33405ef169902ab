"""Stock kubectl against the documents and bodies alone: no API server behind them."""

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from cdi.standalone.schema import protobuf, registry
from support import apiserver

KINDS = registry.builtin_kinds()


@dataclass
class Recorder:
    """A server that knows discovery and documents, and keeps the bodies it is sent."""

    url: str = ""
    bodies: list[tuple[str, str, bytes]] = field(default_factory=list)

    def kubectl(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [apiserver.kubectl(), "--kubeconfig=/dev/null", f"--server={self.url}", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def resources(group_version: str) -> dict:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": [
            {
                "name": kind.plural,
                "singularName": kind.singular,
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": list(kind.verbs),
                "shortNames": list(kind.short_names),
            }
            for kind in KINDS
            if kind.api_version == group_version
        ],
    }


def groups() -> dict:
    versions = sorted({kind.api_version for kind in KINDS if kind.group})
    listed = [
        {
            "name": version.partition("/")[0],
            "versions": [{"groupVersion": version, "version": "v1"}],
            "preferredVersion": {"groupVersion": version, "version": "v1"},
        }
        for version in versions
    ]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def answer_to(path: str) -> dict | None:
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return groups()
    if path == "/openapi/v3":
        urls = {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1"}}
        for kind in KINDS:
            if kind.group:
                root = f"apis/{kind.api_version}"
                urls[root] = {"serverRelativeURL": f"/openapi/v3/{root}"}
        return {"paths": urls}
    words = path.strip("/").split("/")
    if words[:2] == ["openapi", "v3"]:
        return registry.openapi_v3(KINDS, "/".join(words[3:]))
    if words[0] in ("api", "apis") and len(words) in (2, 3):
        return resources("/".join(words[1:]))
    return None


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    found = Recorder()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(answer_to(self.path.partition("?")[0]))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.bodies.append((self.path, self.headers["Content-Type"], body))
            self.answer(None)

        def answer(self, obj: dict | None) -> None:
            status = 404 if obj is None else 200
            shown = obj or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}
            body = json.dumps(shown).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield found
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("pod.spec.containers", ["KIND:       Pod", "List of containers", "<string>"]),
        ("deployment.spec.strategy.rollingUpdate", ["GROUP:      apps", "maxSurge"]),
        ("pvc.spec.resources.requests", ["<map[string]Quantity>"]),
        ("crd.spec.versions.schema.openAPIV3Schema", ["JSONSchemaProps"]),
        ("volumesnapshot.spec", ["GROUP:      snapshot.storage.k8s.io", "source"]),
    ],
)
def test_kubectl_explains_fields(recorder, what, words):
    done = recorder.kubectl("explain", what)
    assert done.returncode == 0, done.stderr
    for word in words:
        assert word in done.stdout


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (
            ["secret", "generic", "s", "--from-literal=a=b"],
            {"kind": "Secret", "data": {"a": "Yg=="}, "metadata": {"name": "s"}},
        ),
        (["configmap", "c", "--from-literal=k=v"], {"kind": "ConfigMap", "data": {"k": "v"}}),
        (["namespace", "n"], {"kind": "Namespace", "metadata": {"name": "n"}}),
        (["serviceaccount", "a"], {"kind": "ServiceAccount", "metadata": {"name": "a"}}),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_kubectl_create_sends_a_body_that_can_be_read(recorder, words, want):
    recorder.kubectl("create", *words)
    ((_, content_type, body),) = recorder.bodies
    read = protobuf.decode(body) if "protobuf" in content_type else json.loads(body)
    # Some versions of kubectl send `creationTimestamp: null`, others send nothing.
    read["metadata"].pop("creationTimestamp", None)
    assert want.items() <= read.items()
