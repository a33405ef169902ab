"""
Measure a controller on a Kubernetes that others share: `python -m bench.cluster --kubeconfig K`.

    memory    of `cdi controller`: idle, beside thousands of pods of others, with DataVolumes that
              wait for a consumer
    requests  that it sent, by method, as its own metrics tell

The cluster needs the definitions (`cdi crds`) and no other controller; the class has to be one that
waits for a consumer. Everything is made in a namespace that is deleted afterwards. Sizes are in
bytes. Raises ToolFailed.
"""

from __future__ import annotations

import argparse
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from bench import contenders, controlplane, tools
from bench.controlplane import MEMORY_AT_MOST, MIB, Row
from bench.machine import Api, Document, Memory, believing_anybody

VOLUMES: Final = 2_000
PODS: Final = 5_000
KIB: Final = 1 << 10
POD_AT_MOST: Final = 2 * KIB  # memory that a pod of somebody else may take
RATE_AT_MOST: Final = 200  # requests a second that `cdi controller` allows itself
BURST: Final = 400  # and at once, after a rest
_REQUESTS: Final = re.compile(
    r'^rest_client_requests_total\{[^}]*method="([A-Z]+)"[^}]*\} (\S+)', re.MULTILINE
)
_PATIENCE: Final = 60.0  # seconds until it is ready
_LONG: Final = 600.0  # seconds until every DataVolume waits
_LOOK_EVERY: Final = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Shared:
    """A cluster by its kubeconfig, and one namespace of it."""

    kubeconfig: Path
    namespace: str

    def connect(self) -> Api:
        return Api(yaml.safe_load(self.kubeconfig.read_text(encoding="utf-8")))

    @property
    def volumes(self) -> str:
        return f"/apis/cdi.kubevirt.io/v1beta1/namespaces/{self.namespace}/datavolumes"

    @property
    def pods(self) -> str:
        return f"/api/v1/namespaces/{self.namespace}/pods"


class Controller:
    """`cdi controller` beside the cluster, until the `with` block ends."""

    def __init__(self, kubeconfig: Path, image: str, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._ready = folder / "ready"
        self._said = folder / "controller.log"
        self._argv = [
            *contenders.cdi(),
            "controller",
            f"--kubeconfig={kubeconfig}",
            f"--worker-image={image}",
            f"--listen=127.0.0.1:{self._port}",
            f"--ready-file={self._ready}",
        ]
        self._token = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["users"][0]["user"]

    def __enter__(self) -> Controller:
        with self._said.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(self._argv, stderr=log, env=tools.environment())
        until = time.monotonic() + _PATIENCE
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > until:
                raise tools.ToolFailed(f"no controller: {self._said.read_text(encoding='utf-8')}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()

    def memory(self) -> Memory:
        return Memory.of(self._process.pid)

    def requests(self) -> Counter[str]:
        """How many requests it has sent so far, by method."""
        asked = urllib.request.Request(
            f"https://127.0.0.1:{self._port}/metrics",
            headers={"Authorization": f"Bearer {self._token['token']}"},
        )
        with urllib.request.urlopen(asked, context=believing_anybody()) as answer:
            text = answer.read().decode()
        found: Counter[str] = Counter()
        for method, count in _REQUESTS.findall(text):
            found[method] += int(float(count))
        return found


def report(kubeconfig: Path, image: str, storage_class: str, volumes: int, pods: int) -> list[str]:
    """Measure; return the lines to print."""
    with (
        tempfile.TemporaryDirectory() as folder,
        namespace(kubeconfig) as shared,
        Controller(kubeconfig, image, Path(folder)) as controller,
    ):
        found = list(_measured(shared, controller, storage_class, volumes, pods))
    return controlplane.shown("shared cluster", found)


@contextmanager
def namespace(kubeconfig: Path) -> Iterator[Shared]:
    shared = Shared(kubeconfig, f"bench-{uuid.uuid4().hex[:8]}")
    with closing(shared.connect()) as api:
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": shared.namespace}}
        api.call("POST", "/api/v1/namespaces", made)
    try:
        yield shared
    finally:
        with closing(shared.connect()) as api:
            api.call("DELETE", f"/api/v1/namespaces/{shared.namespace}")


def _measured(
    shared: Shared, controller: Controller, storage_class: str, volumes: int, pods: int
) -> Iterator[Row]:
    yield _memory("memory, idle", controller)
    idle, before = controller.memory(), controller.requests()
    made = controlplane.create(
        shared.connect, shared.pods, [foreign_pod(f"foreign-{number}") for number in range(pods)]
    )
    yield Row(f"{pods} pods of others", f"{len(made.failures)} errors", kept=not made.failures)
    yield _memory("memory beside them", controller)
    each = (controller.memory().now - idle.now) / max(pods, 1)
    yield Row(
        "memory for each of them", f"{each / KIB:.1f} KiB", f"{POD_AT_MOST / KIB:.0f} KiB",
        each <= POD_AT_MOST,
    )  # fmt: skip
    yield Row("requests for them", _counted(controller.requests() - before))
    before, began = controller.requests(), time.monotonic()
    names = [f"waits-{number}" for number in range(volumes)]
    wanted = [controlplane.for_consumer(name, storage_class) for name in names]
    made = controlplane.create(shared.connect, shared.volumes, wanted)
    if not made.failures:
        _until_all_wait(shared, set(names))
    yield Row(f"{volumes} DataVolumes", f"{len(made.failures)} errors", kept=not made.failures)
    memory = controller.memory()
    yield Row(
        "memory with all of it",
        f"{memory.now / MIB:.0f} MiB, at most {memory.peak / MIB:.0f} MiB",
        f"{MEMORY_AT_MOST / MIB:.0f} MiB",
        memory.peak <= MEMORY_AT_MOST,
    )
    sent = controller.requests() - before
    yield Row("requests for them", _counted(sent))
    yield Row("for each", f"{sum(sent.values()) / max(volumes, 1):.1f}")
    rate = max(0, sum(sent.values()) - BURST) / (time.monotonic() - began)
    yield Row("requests a second", f"{rate:.0f}", f"{RATE_AT_MOST}", rate <= RATE_AT_MOST)


def _until_all_wait(shared: Shared, missing: set[str]) -> None:
    """Look once in a while: a watch that is not read while thousands are made is cut off."""
    until = time.monotonic() + _LONG
    with closing(shared.connect()) as api:
        while missing and time.monotonic() < until:
            for each in api.call("GET", shared.volumes)["items"]:
                if controlplane.is_waiting(each.get("status", {}).get("phase", "")):
                    missing.discard(each["metadata"]["name"])
            if missing:
                time.sleep(_LOOK_EVERY)
    if missing:
        raise tools.ToolFailed(f"{len(missing)} DataVolumes do not wait, {min(missing)} among them")


def _memory(what: str, controller: Controller) -> Row:
    memory = controller.memory()
    return Row(what, f"{memory.now / MIB:.0f} MiB, at most {memory.peak / MIB:.0f} MiB")


def _counted(sent: Counter[str]) -> str:
    return ", ".join(f"{count} {method}" for method, count in sorted(sent.items())) or "none"


def foreign_pod(name: str) -> Document:
    """A pod of somebody else, as large as pods are, that no node gets and no scheduler minds."""
    container = {
        "name": "main",
        "image": "registry.example/app:1",
        "env": [{"name": f"SETTING_{number}", "value": "x" * 40} for number in range(20)],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "foreign"}},
        "spec": {"schedulerName": "bench.example/nobody", "containers": [container]},
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.cluster", description="Measure a controller.")
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--image", default="registry.example/cdi:1", help="of workers; none starts")
    parser.add_argument("--storage-class", required=True, help="one that waits for a consumer")
    parser.add_argument("--volumes", type=int, default=VOLUMES)
    parser.add_argument("--pods", type=int, default=PODS)
    asked = parser.parse_args()
    try:
        lines = report(
            asked.kubeconfig, asked.image, asked.storage_class, asked.volumes, asked.pods
        )
    except tools.ToolFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
