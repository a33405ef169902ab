"""
Measure copies of volumes: `python -m bench.clones [--mib 512] [--folder DIR]`.

    plain      tar | snappy | TLS | snappy | tar, between two processes: what there is without us
    beside     the copier, which has both volumes, on the file system of the folder
    ranges     a clone source and an upload server of ours
    stream     the same as others see it: one POST, tar and snappy
    sparse     the same data at the end of a disk ten times as large: beside, and in ranges
    shared     the copier on a loop-mounted xfs, for a disk of any size (root, mkfs.xfs)

Whole processes, over fresh volumes, both ends of a copy started side by side as on a cluster;
medians of rounds, contenders alternating; everything is synced at the end. Sizes in bytes, times in
seconds.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import cdi
from bench import table
from cdi import pki
from cdi.api.quantity import parse
from cdi.api.workorder import CloneOrder, CopyOrder, UploadOrder

MIB: Final = 1 << 20
ROUNDS: Final = 3
USUAL: Final = 1 << 30  # bytes of data
SPARSE: Final = 10  # times as large
PLAIN_AT_LEAST: Final = 2.0  # times faster than the plain tools
SPARSE_AT_MOST: Final = 1.1  # times the time of the disk without holes
SHARED_AT_MOST: Final = 1.0  # seconds, at any size
_LIFE: Final = timedelta(days=1)


Copy = Callable[[Path, Path], None]  # from one folder to another one


@dataclass(frozen=True, slots=True)
class Row:
    """One way to copy: the median of its wall times, and of its processor seconds."""

    what: str
    seconds: float
    processor: float
    budget: str = ""
    ratio: float | None = None
    met: bool = True

    def cells(self, size: int) -> list[str]:
        shown = "" if self.ratio is None else f"{self.ratio:.2f} x"
        rate = f"{size / MIB / self.seconds:.0f}"
        return [
            self.what, f"{self.seconds:.2f}", rate, f"{self.processor:.2f}", self.budget, shown,
            "" if self.met else "missed",
        ]  # fmt: skip


def main() -> int:
    """Measure and print; 1 if a budget is missed."""
    parser = argparse.ArgumentParser(prog="bench.clones", description="Measure copies of volumes.")
    parser.add_argument("--mib", type=int, default=512, help="data of the disk that is copied")
    parser.add_argument("--folder", type=Path, default=None, help="where the volumes are")
    wanted = parser.parse_args()
    # As an installed package is; otherwise every start may compile everything.
    compileall.compile_dir(Path(cdi.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory(dir=wanted.folder) as place:
        found = measured(Path(place), wanted.mib * MIB)
    print(shown(found, wanted.mib * MIB))
    return 0 if all(row.met for row in found) else 1


def report(folder: Path, size: int) -> str:
    """What `make bench` prints: the rows for `size` bytes of data."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        return shown(measured(Path(place), size), size)


def shown(found: Sequence[Row], size: int) -> str:
    """The rows as a table."""
    head = ["copy", "seconds", "MiB/s", "processor s", "budget", "", ""]
    return table.table(head, (row.cells(size) for row in found))


def measured(place: Path, size: int) -> list[Row]:
    """Copy a disk in all ways."""
    source, sparse, files = place / "source", place / "sparse", place / "files"
    for file, large in (
        (source / "disk.img", size),
        (sparse / "disk.img", size * SPARSE),
        (files / "data.img", size),  # what is no disk is sent as a tar
    ):
        file.parent.mkdir()
        _write_disk(file, size, large)
    ways: dict[str, tuple[Copy, Path]] = {
        "plain": (piped, source),
        "beside": (copied, source),
        "ranges": (sent, source),
        "stream": (sent, files),
        "sparse, beside": (copied, sparse),
        "sparse, ranges": (sent, sparse),
    }
    laps = _raced(ways, place)
    plain = laps["plain"][0]
    rows = [Row("plain", *laps["plain"])]
    for what in ("beside", "ranges", "stream"):
        ratio = plain / laps[what][0]
        least = PLAIN_AT_LEAST if what != "stream" else None
        budget = f">= {least} x as fast as plain" if least else "as fast as plain"
        rows.append(Row(what, *laps[what], budget, ratio, least is None or ratio >= least))
    for what in ("beside", "ranges"):
        ratio = laps[f"sparse, {what}"][0] / laps[what][0]
        budget = f"<= {SPARSE_AT_MOST} x the time of {what}"
        met = ratio <= SPARSE_AT_MOST
        rows.append(Row(f"sparse, {what}", *laps[f"sparse, {what}"], budget, ratio, met))
    return [*rows, *_shared(place, size)]


def _shared(place: Path, size: int) -> Iterator[Row]:
    if os.geteuid() == 0 and shutil.which("mkfs.xfs"):
        with _xfs(place, size) as mounted:
            (mounted / "source").mkdir()
            _write_disk(mounted / "source" / "disk.img", size, size)
            seconds, processor = _raced({"": (copied, mounted / "source")}, mounted)[""]
        budget = f"<= {SHARED_AT_MOST} s"
        yield Row("shared", seconds, processor, budget, met=seconds <= SHARED_AT_MOST)


def _raced(ways: Mapping[str, tuple[Copy, Path]], place: Path) -> dict[str, tuple[float, float]]:
    """Return the median wall and processor seconds of each; the first round does not count."""
    laps: dict[str, list[tuple[float, float]]] = {what: [] for what in ways}
    for turn in range(ROUNDS + 1):
        for what, (copy, source) in ways.items():
            lap = _lap(copy, source, place / "target")
            if turn:
                laps[what].append(lap)
    return {
        what: (statistics.median(x for x, _ in found), statistics.median(x for _, x in found))
        for what, found in laps.items()
    }


def _lap(copy: Copy, source: Path, target: Path) -> tuple[float, float]:
    target.mkdir()
    os.sync()
    before, began = os.times(), time.perf_counter()
    copy(source, target)
    seconds, after = time.perf_counter() - began, os.times()
    shutil.rmtree(target)
    spent = after.children_user + after.children_system
    return seconds, spent - before.children_user - before.children_system


def _write_disk(path: Path, data: int, size: int) -> None:
    """Data that does not compress, at the end of a disk."""
    with path.open("wb") as file:
        file.truncate(size)
        file.seek(size - data)
        for _ in range(data // MIB):
            file.write(os.urandom(MIB))
        file.flush()
        os.fsync(file.fileno())


# The ways.


def copied(source: Path, target: Path) -> None:
    """Copy by the worker that has both volumes."""
    places = {"CDI_CLONE_SOURCE_DIR": str(source), "CDI_CLONE_SOURCE_DEVICE": "/nonexistent"}
    _run("cdi.workers.copier", CopyOrder(owner_uid="bench").to_env() | _env(target) | places)


def piped(source: Path, target: Path) -> None:
    """Copy by plain tools."""
    with _keys(target.parent) as keys:
        (target / "data").mkdir()
        module, port = [sys.executable, "-m", "bench.plaincopy"], str(_free_port())
        receiver = subprocess.Popen(
            [*module, "receive", target / "data", port, keys.folder / "crt", keys.folder / "key"]
        )
        with receiver:
            subprocess.run([*module, "send", source, port, keys.folder / "servers"], check=True)
        if receiver.returncode:
            raise SystemExit("the plain copy has failed")


def sent(source: Path, target: Path) -> None:
    """Send from a clone source to an upload server."""
    state = target.with_name(f"{target.name}-sender")
    with _keys(target.parent) as keys:
        port = _free_port()
        receiving = replace(keys.order, listen_port=port)
        server = _start("cdi.workers.uploadserver", receiving.to_env() | _env(target))
        try:
            order = CloneOrder(
                upload_url=f"https://localhost:{port}/v1beta1/upload",
                client_key=keys.client.key,
                client_cert=keys.client.certificate,
                server_ca=keys.servers,
                owner_uid="bench",
                mount_point=str(source),
            )
            state.mkdir()
            _run("cdi.workers.clonesource", order.to_env() | _env(state))
            if server.wait(60):
                raise SystemExit("the upload server has failed")
        finally:
            server.kill()
            server.wait()
            shutil.rmtree(state, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Keys:
    """What both ends of a copy show and believe."""

    folder: Path
    servers: str
    client: pki.Pair

    @property
    def order(self) -> UploadOrder:
        return UploadOrder(
            client_name="bench",
            listen_address="127.0.0.1",
            tls_key_file=str(self.folder / "key"),
            tls_cert_file=str(self.folder / "crt"),
            client_cert_file=str(self.folder / "ca"),
            image_size=parse("1Ti"),
        )


@contextlib.contextmanager
def _keys(place: Path) -> Iterator[_Keys]:
    now = datetime.now(UTC) - timedelta(minutes=1)
    servers, clients = (pki.make_authority(name, now, _LIFE) for name in ("servers", "clients"))
    shown = pki.issue(servers, "localhost", pki.Use.SERVER, now, _LIFE, hosts=["localhost"])
    client = pki.issue(clients, "bench", pki.Use.CLIENT, now, _LIFE)
    with tempfile.TemporaryDirectory(dir=place) as name:
        folder = Path(name)
        for file, text in {
            "crt": shown.certificate, "key": shown.key,
            "ca": clients.certificate, "servers": servers.certificate,
        }.items():  # fmt: skip
            (folder / file).write_text(text, encoding="ascii")
        yield _Keys(folder, servers.certificate, client)


def _free_port() -> int:
    """A port that is free just now: whoever is to connect knows it before there is a server."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def _env(target: Path) -> dict[str, str]:
    data = target / "data"
    data.mkdir()
    return {
        "CDI_DATA_DIR": str(data),
        "CDI_BLOCK_DEVICE": str(target / "no-device"),
        "CDI_TERMINATION_LOG": str(target / "termination-log"),
        "CDI_METRICS_ADDRESS": "127.0.0.1",
        "CDI_METRICS_PORT": "0",
    }


def _start(module: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    usual = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    command = [sys.executable, "-m", module]
    return subprocess.Popen(command, env=usual | env, stderr=subprocess.DEVNULL)


def _run(module: str, env: dict[str, str]) -> None:
    if _start(module, env).wait():
        raise SystemExit(f"{module} has failed: {Path(env['CDI_TERMINATION_LOG']).read_text()}")


@contextlib.contextmanager
def _xfs(place: Path, size: int) -> Iterator[Path]:
    """A file system that shares data, in a file."""
    image, mounted = place / "xfs.img", place / "xfs"
    mounted.mkdir()
    with image.open("wb") as file:
        file.truncate(max(2 * size, 512 * MIB))
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", str(image)], check=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(mounted)], check=True)
    try:
        yield mounted
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


if __name__ == "__main__":
    sys.exit(main())
