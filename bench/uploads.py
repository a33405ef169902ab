"""
Upload of an image by curl against what the original does: save to scratch, then convert.

`python -m bench.uploads --size 5G` has a compressed qcow2 of about 650 MB. Ours is timed from the
start of curl to the answer, which comes when the disk is synced; the bytes go through TLS with
client certificates. The rival gets them in clear from nginx, which favours it. Memory is that of
the server. Where the device is what both wait for, the ratio is that of the bytes they write: ours
the disk, the rival's the disk and the image.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bench import contenders, disk, race, table, tools, watch, webserver
from cdi import pki
from cdi.api import roles
from cdi.api.workorder import UploadOrder

MIB: Final = 1 << 20
AT_MOST: Final = 0.5  # of the rival's time
MEMORY_AT_MOST: Final = 150 * MIB
BUDGETED: Final = "qcow2-zlib"
CASES: Final = (BUDGETED, "qcow2", "raw", "raw.gz")
_HOST: Final = "upload-server"
_CLIENT: Final = "client"


@dataclass(frozen=True, slots=True)
class Row:
    """One way to pack the disk: median wall times in seconds, memory in bytes."""

    case: str
    source_bytes: int
    ours: float
    scratch: float
    memory: int

    @property
    def to_scratch(self) -> float:
        return self.ours / self.scratch


class Server:
    """Starts upload servers, each for one upload into one folder."""

    def __init__(self, folder: Path) -> None:
        now, life = datetime.now(UTC), timedelta(days=1)
        authority = pki.make_authority("uploads", now, life)
        server = pki.issue(authority, _HOST, pki.Use.SERVER, now, life, hosts=[_HOST])
        client = pki.issue(authority, _CLIENT, pki.Use.CLIENT, now, life)
        self.folder = folder
        for name, text in {
            "ca.crt": authority.certificate,
            "server.crt": server.certificate,
            "server.key": server.key,
            "client.pem": client.certificate + client.key,
        }.items():
            (folder / name).write_text(text, encoding="ascii")

    @property
    def disk(self) -> Path:
        """The disk that an upload becomes."""
        return self.folder / "data" / "disk.img"

    def lap(self, packed: Path) -> tuple[float, int]:
        """Upload a file; return the seconds that its sender waited, and the server's memory."""
        self.disk.parent.mkdir(exist_ok=True)
        self.disk.unlink(missing_ok=True)
        port_file = self.folder / "upload-port"
        port_file.unlink(missing_ok=True)
        os.sync()
        process = subprocess.Popen(
            [sys.executable, "-m", roles.UPLOAD_SERVER],
            env=tools.environment() | self._order(),
            stderr=subprocess.DEVNULL,
        )
        try:
            while not port_file.exists():
                if process.poll() is not None:
                    raise tools.ToolFailed("the upload server does not start")
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.05)
            with watch.sampling(process.pid) as peak:
                sent = watch.run(self._curl(packed, int(port_file.read_text())))
            if process.wait(60):
                raise tools.ToolFailed((self.folder / "termination-log").read_text())
        finally:
            process.kill()
            process.wait()
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
        return [
            "curl", "-sSf", "--cacert", self.folder / "ca.crt",
            "--cert", self.folder / "client.pem", "--resolve", f"{_HOST}:{port}:127.0.0.1",
            "-X", "POST", "-T", packed, f"https://{_HOST}:{port}/v1beta1/upload",
        ]  # fmt: skip


def measured(folder: Path, case: str, original: Path, rounds: int) -> Row:
    """Race one case, contenders alternating; the first round is not counted."""
    packed = disk.make_variant(original, case, folder)
    server = Server(folder)
    rival = contenders.scratch(*disk.kind_of(case))
    ours, scratch, memory = [], [], 0
    with webserver.Nginx(folder) as nginx:
        course = race.Course(nginx.url(packed), folder, original)
        for turn in range(rounds + 1):
            seconds, peak = server.lap(packed)
            if turn == 0:
                race.insist_same(original, server.disk)
            other = course.lap(rival).run.seconds
            if turn:
                ours.append(seconds)
                scratch.append(other)
                memory = max(memory, peak)
    size = packed.stat().st_size
    packed.unlink()
    return Row(case, size, statistics.median(ours), statistics.median(scratch), memory)


def shown(found: Sequence[Row]) -> str:
    """The rows as a table."""
    head = ["upload", "MiB", "cdi s", "scratch s", "cdi/scratch", "memory MiB"]
    return table.table(
        head,
        (
            [
                row.case,
                f"{row.source_bytes / MIB:.0f}",
                f"{row.ours:.2f}",
                f"{row.scratch:.2f}",
                f"{row.to_scratch:.2f}",
                f"{row.memory / MIB:.0f}",
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
        f"upload of {row.case}: {row.memory / MIB:.0f} MiB, at most {MEMORY_AT_MOST // MIB}"
        for row in found
        if row.memory > MEMORY_AT_MOST
    ]
    return slow + large


def report(folder: Path, original: Path, rounds: int) -> str:
    """Measure the case that has a budget; return what to print."""
    found = [measured(folder, BUDGETED, original, rounds)]
    return "\n".join([shown(found), *(f"missed: {line}" for line in missed(found))])


def main() -> int:
    """Measure and print; 1 if a budget is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.uploads", description=__doc__)
    parser.add_argument("--size", type=disk.parse_size, default=disk.parse_size("2G"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--dir", type=Path, help="where to work; a temporary directory otherwise")
    asked = parser.parse_args()
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
