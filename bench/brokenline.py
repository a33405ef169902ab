"""
An upload over a line that breaks every few seconds, through a stock nginx: what is sent in vain?

    python -m bench.brokenline --size 2G --every 3

`cdi up` takes it, and `cdi image-upload` sends it: random bytes, as nothing on the way may make
them fewer. The bytes on the line are counted before nginx, with heads and all that is lost when a
connection is cut. Sizes are in bytes and times in seconds. Raises ToolFailed.
"""

from __future__ import annotations

import argparse
import asyncio
import filecmp
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import contenders, cutting, disk, table, tools
from bench.machine import Machine

SIZE: Final = "2G"
EVERY: Final = 3.0
AT_MOST: Final = 1.02  # times the file
MIB: Final = 1 << 20
_WORK: Final = Path(__file__).resolve().parents[1] / "run"


@dataclass(frozen=True, slots=True)
class Row:
    """One upload."""

    size: int
    sent: int
    cuts: int
    seconds: float

    @property
    def share(self) -> float:
        return self.sent / self.size


def measured(folder: Path, size: int, every: float) -> Row:
    """Upload a new file of so many bytes in `folder`. Raises ToolFailed, also if it differs."""
    image = folder / "random.raw"
    _fill(image, size)
    with Machine(folder / "machine") as machine:
        row = asyncio.run(_uploaded(machine, image, size, every))
        (arrived,) = machine.data_dir.glob("volumes/*/disk.img")
        if not filecmp.cmp(image, arrived, shallow=False):
            raise tools.ToolFailed(f"{arrived} is not what was sent")
    return row


async def _uploaded(machine: Machine, image: Path, size: int, every: float) -> Row:
    proxy = machine.kubectl("get", "cdiconfig", "config", "-ojsonpath={.status.uploadProxyURL}")
    where = machine.data_dir.with_name("nginx")
    where.mkdir()
    async with cutting.through(where, proxy, every=every) as way:
        began = time.perf_counter()
        sender = await asyncio.create_subprocess_exec(
            *contenders.cdi(), "image-upload", "dv", "disk", f"--size={size}",
            f"--image-path={image}", f"--uploadproxy-url={way.url}",
            env=machine.environment(),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await sender.communicate()
        if sender.returncode:
            raise tools.ToolFailed(f"cdi image-upload: {said.decode(errors='replace')}")
        return Row(size, way.sent, way.cuts, time.perf_counter() - began)


def _fill(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for left in range(size, 0, -MIB):
            file.write(os.urandom(min(MIB, left)))


def shown(row: Row) -> str:
    """The row as a table."""
    head = ["upload over a breaking line", "MiB", "sent MiB", "sent/size", "cuts", "s"]
    figures = [
        "random, nginx", f"{row.size / MIB:.0f}", f"{row.sent / MIB:.1f}", f"{row.share:.4f}",
        str(row.cuts), f"{row.seconds:.0f}",
    ]  # fmt: skip
    return table.table(head, [figures])


def missed(row: Row) -> list[str]:
    """The budget, if it was not met, in words."""
    if row.share <= AT_MOST:
        return []
    return [f"upload over a breaking line: {row.share:.4f} x the bytes, at most {AT_MOST}"]


def main() -> int:
    """Measure and print; 1 if the budget is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.brokenline", description=__doc__)
    parser.add_argument("--size", type=disk.parse_size, default=disk.parse_size(SIZE))
    parser.add_argument("--every", type=float, default=EVERY, help="seconds a connection lasts")
    parser.add_argument("--dir", type=Path, default=_WORK, help="where to work")
    asked = parser.parse_args()
    asked.dir.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="brokenline-", dir=asked.dir) as name:
            row = measured(Path(name), asked.size, asked.every)
    except tools.ToolFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(shown(row))
    for line in missed(row):
        print("missed:", line)
    return 1 if missed(row) else 0


if __name__ == "__main__":
    sys.exit(main())
