"""
`cdi up` as a process of its own: start it, talk to it, look at it, stop it.

Here: the process, stock kubectl, the API by plain HTTPS where kubectl would be what is measured,
and memory. Elsewhere: what is measured with it (`controlplane`), and the demonstration.

Sizes are in bytes and times in seconds. Raises ToolFailed.
"""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from bench import contenders, tools

NAMESPACE: Final = "default"
VOLUMES: Final = f"/apis/cdi.kubevirt.io/v1beta1/namespaces/{NAMESPACE}/datavolumes"
EVENTS: Final = f"/api/v1/namespaces/{NAMESPACE}/events"
_PATIENCE: Final = 120.0  # for one answer or one line of a watch, on a busy machine

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Memory:
    """What the kernel accounts to a process."""

    now: int  # VmRSS
    peak: int  # VmHWM

    @classmethod
    def of(cls, process: int) -> Memory:
        text = Path(f"/proc/{process}/status").read_text(encoding="ascii")
        fields = dict(line.split(":", 1) for line in text.splitlines())
        rss, peak = (int(fields[name].split()[0]) << 10 for name in ("VmRSS", "VmHWM"))
        return cls(rss, peak)


class Machine:
    """`cdi up` over a directory, on a free port of loopback, until the `with` block ends."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.to_ready = 0.0  # seconds from the start of the process to `ready`
        self._errors = data_dir.with_name(f"{data_dir.name}.stderr")

    @property
    def argv(self) -> list[str]:
        """The words that start it."""
        return [*contenders.cdi(), "up", f"--data-dir={self.data_dir}", "--listen=127.0.0.1:0"]

    @property
    def kubeconfig(self) -> Path:
        return self.data_dir / "kubeconfig"

    def __enter__(self) -> Machine:
        with self._errors.open("w", encoding="utf-8") as errors:
            began = time.perf_counter()
            self._process = subprocess.Popen(
                self.argv,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=tools.environment(),
            )
        try:
            self._await_ready()
        except BaseException:
            self.close()
            raise
        self.to_ready = time.perf_counter() - began
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> int:
        """Ask it to stop, wait until it has, and return its exit status; safe to repeat."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        status = self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        return status

    def _await_ready(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.strip() == "ready":
                return
        said = self._errors.read_text(encoding="utf-8").strip()
        raise tools.ToolFailed(f"cdi up ended before it was ready: {said}")

    def memory(self) -> Memory:
        """What the server holds now, and held at most; its workers are not part of it."""
        return Memory.of(self._process.pid)

    # Stock kubectl, and our own commands.

    def environment(self) -> dict[str, str]:
        """What makes clients talk to this machine, and read nothing of the user's."""
        own = {"KUBECONFIG": str(self.kubeconfig), "HOME": str(self.data_dir)}
        return {**tools.environment(), **own, "KUBECTL_KUBERC": "false"}

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        """Run kubectl to its end and return what it printed."""
        argv = [kubectl(), *words]
        done = subprocess.run(
            argv, input=stdin, env=self.environment(), capture_output=True, text=True
        )
        if done.returncode:
            raise tools.ToolFailed(f"kubectl {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    # The API, without a client in between.

    def connect(self) -> Api:
        """Return a connection to the API server."""
        return Api(yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8")))

    def revision(self) -> int:
        """The number of the last write; each write counts one."""
        with closing(self.connect()) as api:
            return int(api.call("GET", f"{VOLUMES}?limit=1")["metadata"]["resourceVersion"])


class Api:
    """One kept-alive HTTPS connection with the rights of a kubeconfig."""

    def __init__(self, kubeconfig: Mapping[str, Any]) -> None:
        cluster = kubeconfig["clusters"][0]["cluster"]
        where = urlsplit(cluster["server"])
        trust = _trust(cluster)
        token = kubeconfig["users"][0]["user"]["token"]
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._connection = http.client.HTTPSConnection(
            str(where.hostname), where.port, timeout=_PATIENCE, context=trust
        )

    def call(self, method: str, path: str, body: Document | None = None) -> Document:
        """Send one request and return the answer. Raises ToolFailed unless it is a good one."""
        return dict(json.loads(self.text(path, method, body)))

    def text(self, path: str, method: str = "GET", body: Document | None = None) -> str:
        """Return an answer as it is. Raises ToolFailed unless it is a good one."""
        answer = self._send(method, path, body)
        text = answer.read().decode()
        if answer.status >= http.client.BAD_REQUEST:
            raise tools.ToolFailed(f"{method} {path}: {answer.status} {text}")
        return text

    @contextmanager
    def watch(self, path: str, revision: int) -> Iterator[Iterator[Document]]:
        """Give the objects that change after `revision`, as they come."""
        answer = self._send("GET", f"{path}?watch=1&resourceVersion={revision}", None)
        try:
            yield (dict(json.loads(line)["object"]) for line in answer)
        finally:
            self.close()

    def close(self) -> None:
        self._connection.close()

    def _send(self, method: str, path: str, body: Document | None) -> http.client.HTTPResponse:
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, self._headers)
        return self._connection.getresponse()


def kubectl() -> str:
    """Return the kubectl of the virtual environment, or the system's."""
    beside = Path(sys.executable).with_name("kubectl")
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if not found:
        raise tools.ToolFailed("there is no kubectl: run `make venv`")
    return found


def bundle(documents: Sequence[Document]) -> str:
    """Return documents as one manifest."""
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(documents)})


def _trust(cluster: Mapping[str, Any]) -> ssl.SSLContext:
    if not cluster.get("insecure-skip-tls-verify"):
        return ssl.create_default_context(cadata=_authority(cluster))
    return believing_anybody()


def believing_anybody() -> ssl.SSLContext:
    """For servers whose certificate nobody has signed, or that a kubeconfig does not check."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _authority(cluster: Mapping[str, Any]) -> str:
    if data := cluster.get("certificate-authority-data"):
        return base64.b64decode(data).decode("ascii")
    return Path(cluster["certificate-authority"]).read_text(encoding="ascii")
