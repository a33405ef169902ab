"""
Measure copies of volumes: `python -m bench.clones [--mib 512] [--folder DIR]`.

    beside     the copier, which has both volumes, on the file system of the folder
    wire       a clone source and an upload server: tar, snappy, TLS, as copies are sent
    sparse     the same data at the end of a disk a hundred times as large, beside
    shared     the copier on a loop-mounted xfs, for a disk of any size (root, mkfs.xfs)

Whole processes, over fresh volumes; medians of three. Sizes in bytes, times in seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bench import table
from cdi.api.quantity import parse
from cdi.api.workorder import CloneOrder, CopyOrder, UploadOrder
from cdi.kube import pki

MIB: Final = 1 << 20
ROUNDS: Final = 3
SPARSE: Final = 100  # times as large
WIRE_AT_LEAST: Final = 2.0  # times faster than over the wire
SPARSE_AT_MOST: Final = 1.1  # times the time of the disk without holes
SHARED_AT_MOST: Final = 1.0  # seconds, at any size
_LIFE: Final = timedelta(days=1)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.clones", description="Measure copies of volumes.")
    parser.add_argument("--mib", type=int, default=512, help="data of the disk that is copied")
    parser.add_argument("--folder", type=Path, default=None, help="where the volumes are")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=wanted.folder) as place:
        rows = list(measured(Path(place), wanted.mib * MIB))
    print(table.table(["copy", "seconds", "MiB/s", "budget", ""], rows))
    return 0


def measured(place: Path, size: int) -> Iterator[list[str]]:
    """Yield the rows, as they are printed."""
    source = place / "source"
    source.mkdir()
    _write_disk(source / "disk.img", size, size)
    beside = _median(lambda target: copied(source, target), place)
    yield _row("beside", beside, size, "")
    wire = _median(lambda target: sent(source, target), place)
    yield _row("wire", wire, size, f"beside is >= {WIRE_AT_LEAST} x as fast", wire / beside)
    sparse = place / "sparse"
    sparse.mkdir()
    _write_disk(sparse / "disk.img", size, size * SPARSE)
    holes = _median(lambda target: copied(sparse, target), place)
    yield _row("sparse", holes, size, f"<= {SPARSE_AT_MOST} x beside", holes / beside)
    if os.geteuid() == 0 and shutil.which("mkfs.xfs"):
        with _xfs(place, size) as mounted:
            (mounted / "source").mkdir()
            _write_disk(mounted / "source" / "disk.img", size, size)
            shared = _median(lambda target: copied(mounted / "source", target), mounted)
        yield _row("shared", shared, size, f"<= {SHARED_AT_MOST} s")


def _row(what: str, seconds: float, size: int, budget: str, ratio: float = 0.0) -> list[str]:
    shown = f"{ratio:.2f} x" if ratio else ""
    return [what, f"{seconds:.2f}", f"{size / MIB / seconds:.0f}", budget, shown]


def _median(copy: Callable[[Path], None], place: Path) -> float:
    taken = []
    for number in range(ROUNDS):
        target = place / f"target-{number}"
        target.mkdir()
        began = time.perf_counter()
        copy(target)
        taken.append(time.perf_counter() - began)
        shutil.rmtree(target)
    return statistics.median(taken)


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


def sent(source: Path, target: Path) -> None:
    """Send from a clone source to an upload server."""
    now = datetime.now(UTC) - timedelta(minutes=1)
    servers, clients = (pki.make_authority(name, now, _LIFE) for name in ("servers", "clients"))
    shown = pki.issue(servers, "localhost", pki.Use.SERVER, now, _LIFE, hosts=["localhost"])
    client = pki.issue(clients, "bench", pki.Use.CLIENT, now, _LIFE)
    keys = Path(tempfile.mkdtemp(dir=target.parent))
    for name, text in (("crt", shown.certificate), ("key", shown.key), ("ca", clients.certificate)):
        (keys / name).write_text(text)
    serves = UploadOrder(
        client_name="bench",
        listen_address="127.0.0.1",
        listen_port=0,
        tls_key_file=str(keys / "key"),
        tls_cert_file=str(keys / "crt"),
        client_cert_file=str(keys / "ca"),
        image_size=parse("1Ti"),
    )
    server = _start("cdi.workers.uploadserver", serves.to_env() | _env(target))
    try:
        order = CloneOrder(
            upload_url=f"https://localhost:{_port(server, target)}/v1beta1/upload",
            client_key=client.key,
            client_cert=client.certificate,
            server_ca=servers.certificate,
            owner_uid="bench",
            mount_point=str(source),
        )
        state = target.with_name(f"{target.name}-sender")
        state.mkdir()
        _run("cdi.workers.clonesource", order.to_env() | _env(state))
        server.wait(60)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(keys)
        shutil.rmtree(state, ignore_errors=True)


def _port(server: subprocess.Popen[bytes], target: Path) -> int:
    file = target / "upload-port"
    while not file.exists():
        if server.poll() is not None:
            raise SystemExit("the upload server has ended")
        time.sleep(0.01)
    return int(file.read_text())


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
