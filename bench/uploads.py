"""
Upload of an image by curl against what the original does: save to scratch, then convert.

Ours is timed from the start of curl to the answer, which comes when the disk is synced: straight to
an upload server that has said it is ready, and through the upload proxy, each time by TLS with
certificates on both sides. The rival gets the bytes in clear from nginx, which favours it. Memory
is that of the server, and of the proxy.

By itself it takes about a minute. With `--size 4100M --cases qcow2-zlib --rounds 1` there is a
compressed qcow2 of about 650 MB. Where the device is what both wait for, the ratio is that of the
bytes they write: ours the disk, the rival's the disk and the image. What programs make of it shows
in memory: `--dir /dev/shm`.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bench import contenders, disk, gateway, machine, race, table, tools, watch, webserver
from cdi import pki
from cdi.api import roles
from cdi.api.workorder import UploadOrder
from cdi.web.tokens.keys import KeySet
from cdi.web.tokens.payload import UploadPayload
from cdi.web.tokens.signing import Tokens

MIB: Final = 1 << 20
AT_MOST: Final = 0.5  # of the rival's time
MEMORY_AT_MOST: Final = 150 * MIB
BUDGETED: Final = "qcow2-zlib"
CASES: Final = (BUDGETED, "qcow2", "raw", "raw.gz")
SIZE: Final = "512M"
_ROOT: Final = Path(__file__).resolve().parents[1]
_CLIENT: Final = "client"


@dataclass(frozen=True, slots=True)
class Row:
    """One way to pack the disk: median wall times in seconds, memory in bytes."""

    case: str
    source_bytes: int
    ours: float
    proxied: float
    scratch: float
    memory: int
    proxy_memory: int

    @property
    def to_scratch(self) -> float:
        return self.ours / self.scratch

    @property
    def proxied_to_scratch(self) -> float:
        return self.proxied / self.scratch


class Server:
    """Starts upload servers, each for one upload into one folder."""

    def __init__(self, folder: Path) -> None:
        now, life = datetime.now(UTC), timedelta(days=1)
        authority = pki.make_authority("uploads", now, life)
        host = gateway.HOST
        server = pki.issue(authority, host, pki.Use.SERVER, now, life, hosts=[host])
        client = pki.issue(authority, _CLIENT, pki.Use.CLIENT, now, life)
        self.folder = folder
        for name, text in {
            "ca.crt": authority.certificate,
            "server.crt": server.certificate,
            "server.key": server.key,
            "client.crt": client.certificate,
            "client.key": client.key,
            gateway.KEY_FILE: pki.make_rsa_pair()[0],
        }.items():
            (folder / name).write_text(text, encoding="ascii")

    @property
    def disk(self) -> Path:
        """The disk that an upload becomes."""
        return self.folder / "data" / "disk.img"

    def lap(self, packed: Path, proxy: Proxy | None = None) -> tuple[float, int]:
        """Upload a file, through a proxy if there is one.

        Return the seconds that its sender waited, and the server's memory.
        """
        self.disk.parent.mkdir(exist_ok=True)
        self.disk.unlink(missing_ok=True)
        port_file = self.folder / gateway.SERVER_PORT_FILE
        port_file.unlink(missing_ok=True)
        os.sync()
        order = tools.environment() | self._order()
        with _started([roles.UPLOAD_SERVER], order, port_file) as process:
            port = int(port_file.read_text())
            tools.run(_health(self.folder, port))  # nobody is sent to one that has not answered
            with watch.sampling(process.pid) as peak:
                sent = watch.run(proxy.curl(packed) if proxy else self._curl(packed, port))
            if process.wait(60):
                raise tools.ToolFailed((self.folder / "termination-log").read_text())
        return sent.seconds, max(peak)

    def _order(self) -> dict[str, str]:
        order = UploadOrder(
            client_name=_CLIENT,
            listen_address="127.0.0.1",
            listen_port=0,
            tls_key_file=str(self.folder / "server.key"),
            tls_cert_file=str(self.folder / "server.crt"),
            client_cert_file=str(self.folder / "ca.crt"),
        )
        places = {
            "CDI_DATA_DIR": "data", "CDI_BLOCK_DEVICE": "none", "CDI_SCRATCH_DIR": "none",
            "CDI_STATE_DIR": "none", "CDI_TERMINATION_LOG": "termination-log",
        }  # fmt: skip
        moved = {name: str(self.folder / place) for name, place in places.items()}
        return order.to_env() | moved

    def _curl(self, packed: Path, port: int) -> Sequence[object]:
        own = ["--cert", self.folder / "client.crt", "--key", self.folder / "client.key"]
        return [*_curl(self.folder, packed, port), *own]


class Proxy:
    """An upload proxy before the server of a folder. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port_file = folder / gateway.PORT_FILE
        key = pki.parse_rsa_private((folder / gateway.KEY_FILE).read_text(encoding="ascii"))
        self._tokens = Tokens(KeySet(key, ()))
        self._stack = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Proxy:
        self._port_file.unlink(missing_ok=True)
        words = ["bench.gateway", str(self._folder)]
        started = _started(words, tools.environment(), self._port_file)
        self._process = self._stack.enter_context(started)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def memory(self) -> int:
        """What it held at most, up to now."""
        return 0 if self._process is None else machine.Memory.of(self._process.pid).peak

    def curl(self, packed: Path) -> Sequence[object]:
        """The words that upload a file."""
        token = self._tokens.sign_upload(UploadPayload(gateway.NAMESPACE, gateway.CLAIM))
        port = int(self._port_file.read_text())
        return [*_curl(self._folder, packed, port), "-H", f"Authorization: Bearer {token}"]


@contextlib.contextmanager
def _started(
    words: Sequence[str], env: Mapping[str, str], port_file: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of Python that listens once it has written a file, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", *words], env=dict(env), cwd=_ROOT, stderr=subprocess.DEVNULL
    )
    try:
        while not (port_file.exists() and port_file.read_text()):
            if process.poll() is not None:
                raise tools.ToolFailed(f"{words[0]} does not start")
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def _curl(folder: Path, packed: Path, port: int) -> Sequence[object]:
    return [*_asked(folder, port, "v1beta1/upload"), "-X", "POST", "-T", packed]


def _health(folder: Path, port: int) -> Sequence[object]:
    return _asked(folder, port, "healthz")


def _asked(folder: Path, port: int, path: str) -> list[object]:
    host = gateway.HOST
    return [
        "curl", "-sSf", "--cacert", folder / "ca.crt", "--resolve", f"{host}:{port}:127.0.0.1",
        f"https://{host}:{port}/{path}",
    ]  # fmt: skip


def measured(folder: Path, case: str, original: Path, rounds: int) -> Row:
    """Race one case, contenders alternating; the first round is not counted."""
    packed = disk.make_variant(original, case, folder)
    server = Server(folder)
    rival = contenders.scratch(*disk.kind_of(case))
    ours, proxied, scratch, memory = [], [], [], 0
    with webserver.Nginx(folder) as nginx, Proxy(folder) as proxy:
        course = race.Course(nginx.url(packed), folder, original)
        for turn in range(rounds + 1):
            seconds, peak = server.lap(packed)
            if turn == 0:
                race.insist_same(original, server.disk)
            through, _ = server.lap(packed, proxy)
            server.disk.unlink()
            other = course.lap(rival).run.seconds
            if turn:
                ours.append(seconds)
                proxied.append(through)
                scratch.append(other)
                memory = max(memory, peak)
        proxy_memory = proxy.memory
    size = packed.stat().st_size
    packed.unlink()
    medians = map(statistics.median, (ours, proxied, scratch))
    return Row(case, size, *medians, memory, proxy_memory)


def shown(found: Sequence[Row]) -> str:
    """The rows as a table."""
    head = [
        "upload", "MiB", "cdi s", "by proxy s", "scratch s", "cdi/scratch", "by proxy/scratch",
        "server MiB", "proxy MiB",
    ]  # fmt: skip
    return table.table(
        head,
        (
            [
                row.case,
                f"{row.source_bytes / MIB:.0f}",
                f"{row.ours:.2f}",
                f"{row.proxied:.2f}",
                f"{row.scratch:.2f}",
                f"{row.to_scratch:.2f}",
                f"{row.proxied_to_scratch:.2f}",
                f"{row.memory / MIB:.0f}",
                f"{row.proxy_memory / MIB:.0f}",
            ]
            for row in found
        ),
    )


def missed(found: Sequence[Row]) -> list[str]:
    """The budgets that were not met, in words."""
    slow = [
        f"upload of {row.case}: {row.to_scratch:.2f} x the time by scratch, at most {AT_MOST}"
        for row in found
        if row.case == BUDGETED and row.to_scratch > AT_MOST
    ]
    large = [
        f"upload of {row.case}: {who} has {held / MIB:.0f} MiB, at most {MEMORY_AT_MOST // MIB}"
        for row in found
        for who, held in (("the server", row.memory), ("the proxy", row.proxy_memory))
        if held > MEMORY_AT_MOST
    ]
    return slow + large


def report(folder: Path, original: Path, rounds: int) -> str:
    """Measure the case that has a budget; return what to print."""
    found = [measured(folder, BUDGETED, original, rounds)]
    return "\n".join([shown(found), *(f"missed: {line}" for line in missed(found))])


def main() -> int:
    """Measure and print; 1 if a budget is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.uploads", description=__doc__)
    parser.add_argument("--size", type=disk.parse_size, default=disk.parse_size(SIZE))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--dir", type=Path, help="where to work; a temporary directory otherwise")
    asked = parser.parse_args()
    compileall.compile_dir(_ROOT / "src" / "cdi", quiet=1)  # as an installed package is
    with tempfile.TemporaryDirectory(prefix="uploads-", dir=asked.dir) as name:
        folder = Path(name)
        original = disk.make_raw(folder, asked.size)
        found = [measured(folder, case, original, asked.rounds) for case in asked.cases.split(",")]
    print(shown(found))
    for line in missed(found):
        print("missed:", line)
    return 1 if missed(found) else 0


if __name__ == "__main__":
    sys.exit(main())
