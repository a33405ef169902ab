"""
Measure `cdi apiserver`: `python -m bench.webhooks`, or `report` from elsewhere.

    start     from the process's start until /readyz says yes
    latency   of webhooks at a steady rate, counted from when a request was due, not from when it
              could be sent; over TLS connections that are kept, as Kubernetes does
    memory    idle, and at the end

The API server behind it is that of `cdi up` on the same machine, and does its share of the work.
Sizes are in bytes and times in seconds. Raises ToolFailed.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import datetime
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench import contenders, table, tools
from bench.controlplane import Row
from bench.machine import Machine
from cdi import pki

RATE: Final = 50  # requests a second
SECONDS: Final = 20
MIB: Final = 1 << 20

# The budgets of the project.
P99_WITHIN: Final = 0.020
MEMORY_AT_MOST: Final = 100 * MIB
READY_WITHIN: Final = 3.0

_WORK = Path(__file__).resolve().parents[1] / "run"
_SOURCE = Path(__file__).resolve().parents[1] / "src" / "cdi"
_PATIENCE: Final = 60.0
_DAY: Final = datetime.timedelta(days=1)
_KEPT: Final = 4  # connections

Document = dict[str, Any]


def report(work_dir: Path, *, rate: int = RATE, seconds: float = SECONDS) -> list[str]:
    """Measure everything in a new directory below `work_dir`; return the lines to print."""
    compileall.compile_dir(_SOURCE, quiet=1)
    folder = Path(tempfile.mkdtemp(prefix="webhooks-", dir=work_dir))
    try:
        with Machine(folder / "machine") as one:
            _prepare(one)
            found = list(_measured(folder, one, rate, seconds))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    shown = ((row.what, row.value, row.budget, _verdict(row)) for row in found)
    return table.table(["webhooks", "measured", "budget", ""], shown).splitlines()


def _verdict(row: Row) -> str:
    return "" if row.kept is None else "kept" if row.kept else "MISSED"


def _prepare(one: Machine) -> None:
    """What the rules look up, and a front proxy that nobody uses."""
    with closing(one.connect()) as api:
        for name in ("gold", "vms"):
            api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})


def _measured(folder: Path, one: Machine, rate: int, seconds: float) -> Iterator[Row]:
    with ApiServer(folder, one).running() as server:
        yield Row(
            "cdi apiserver to ready",
            f"{server.to_ready:.2f} s",
            f"{READY_WITHIN:.1f} s",
            server.to_ready <= READY_WITHIN,
        )
        idle = server.memory()
        yield Row("memory, idle", _mib(idle), _mib(MEMORY_AT_MOST), idle <= MEMORY_AT_MOST)
        for what, path, review in _cases():
            times = sorted(asyncio.run(_asked(server, path, review, rate, seconds)))
            p99 = times[int(len(times) * 0.99)]
            kept = None if review is None else p99 <= P99_WITHIN
            budget = "" if review is None else f"p99 {P99_WITHIN * 1000:.0f} ms"
            yield Row(f"{what}, {rate} a second", _quantiles(times), budget, kept)
        yield _while_certificates_change(server, rate, seconds)
        yield Row("memory then", _mib(server.memory()))


def _while_certificates_change(server: ApiServer, rate: int, seconds: float) -> Row:
    """Every request over a connection of its own, and another certificate every second."""
    _, path, review = list(_cases())[1]

    async def asked() -> list[float]:
        async def exchange() -> None:
            while True:
                await asyncio.sleep(1)
                await asyncio.to_thread(server.exchange_certificate)

        exchanging = asyncio.ensure_future(exchange())
        try:
            return await _asked(server, path, review, rate, seconds, keep=False)
        finally:
            exchanging.cancel()

    what = f"the same DataVolume, new connections and certificates, {rate} a second"
    times = sorted(asyncio.run(asked()))
    return Row(what, _quantiles(times))


class ApiServer:
    """The process, in front of the API server of a machine."""

    def __init__(self, folder: Path, one: Machine) -> None:
        self.to_ready = 0.0
        self._folder, self._machine = folder, one
        self._signer = pki.make_authority("bench", datetime.datetime.now(datetime.UTC), _DAY)
        self.exchange_certificate()
        self.trust = ssl.create_default_context(cadata=self._signer.certificate)
        self.port = _free_port()

    def exchange_certificate(self) -> None:
        """Put another one of the same signer in its place, as a Secret that is mounted changes."""
        now = datetime.datetime.now(datetime.UTC)
        use = pki.Use.SERVER
        shown = pki.issue(self._signer, "localhost", use, now, _DAY, hosts=["localhost"])
        for name, text in (("tls.crt", shown.certificate), ("tls.key", shown.key)):
            made = self._folder / f"{name}.new"
            made.write_text(text, encoding="ascii")
            made.replace(self._folder / name)

    def url(self, path: str) -> str:
        return f"https://localhost:{self.port}{path}"

    @contextmanager
    def running(self) -> Iterator[ApiServer]:
        """Start it, wait until it is ready, stop it at the end."""
        argv = [
            *contenders.cdi(),
            "apiserver",
            f"--kubeconfig={self._machine.kubeconfig}",
            f"--listen=127.0.0.1:{self.port}",
            f"--tls-cert-file={self._folder / 'tls.crt'}",
            f"--tls-key-file={self._folder / 'tls.key'}",
        ]
        began = time.perf_counter()
        with (self._folder / "apiserver.log").open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(argv, stderr=log, env=tools.environment())
        try:
            asyncio.run(self._until_ready())
            self.to_ready = time.perf_counter() - began
            yield self
        finally:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()

    def memory(self) -> int:
        text = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        fields = dict(line.split(":", 1) for line in text.splitlines())
        return int(fields["VmRSS"].split()[0]) << 10

    async def _until_ready(self) -> None:
        end = time.monotonic() + _PATIENCE
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self.trust)) as session:
            while time.monotonic() < end and self._process.poll() is None:
                try:
                    async with session.get(self.url("/readyz")) as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientConnectionError:
                    pass
                await asyncio.sleep(0.02)
        said = (self._folder / "apiserver.log").read_text(encoding="utf-8")
        raise tools.ToolFailed(f"cdi apiserver did not become ready: {said}")


async def _asked(
    server: ApiServer,
    path: str,
    review: Document | None,
    rate: int,
    seconds: float,
    *,
    keep: bool = True,
) -> list[float]:
    """Ask at a steady rate; return how long each answer took."""
    connector = aiohttp.TCPConnector(ssl=server.trust, limit=_KEPT, force_close=not keep)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def ask(due: float) -> float:
            await asyncio.sleep(due - time.perf_counter())
            method = "GET" if review is None else "POST"
            async with session.request(method, server.url(path), json=review) as answer:
                found = await answer.text()
            if answer.status != 200 or (review and '"allowed":true' not in found):
                raise tools.ToolFailed(f"{path}: {answer.status} {found}")
            return time.perf_counter() - due

        began = time.perf_counter() + 0.1
        warm = [ask(began) for _ in range(_KEPT)]
        await asyncio.gather(*warm)
        began = time.perf_counter() + 0.1
        count = int(rate * seconds)
        return list(await asyncio.gather(*(ask(began + turn / rate) for turn in range(count))))


def _cases() -> Iterator[tuple[str, str, Document | None]]:
    """What is measured: a rule that looks up one object, and the one that looks up most.

    Before them an address that does nothing, which says how busy the machine is with others.
    """
    yield "nothing is done", "/healthz", None
    yield "a DataVolume is validated", "/datavolume-validate", _review({"blank": {}})
    clone = {"pvc": {"namespace": "gold", "name": "disk"}}
    yield "a clone is authorized", "/datavolume-mutate", _review(clone)


def _review(source: Document) -> Document:
    wanted = {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": "bench", "namespace": "vms"},
        "spec": {
            "source": source,
            "storage": {"resources": {"requests": {"storage": "1Gi"}}},
        },
    }
    resource = {"group": "cdi.kubevirt.io", "version": "v1beta1", "resource": "datavolumes"}
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "bench",
            "operation": "CREATE",
            "resource": resource,
            "kind": {"group": "cdi.kubevirt.io", "version": "v1beta1", "kind": "DataVolume"},
            "namespace": "vms",
            "name": "bench",
            "object": wanted,
            "userInfo": {"username": "bench", "groups": ["system:masters"]},
        },
    }


def _quantiles(times: list[float]) -> str:
    """Of times in order."""
    p99 = times[int(len(times) * 0.99)]
    return f"p50 {times[len(times) // 2] * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _mib(count: int) -> str:
    return f"{count / MIB:.0f} MiB"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.webhooks", description="Measure `cdi apiserver`.")
    parser.add_argument("--rate", type=int, default=RATE, help="requests a second")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each webhook")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing stays behind
    _WORK.mkdir(exist_ok=True)
    try:
        print("\n".join(report(_WORK, rate=asked.rate, seconds=asked.seconds)))
    except tools.ToolFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
