"""
Run one program to its end and tell what it took.

Memory is the sum of VmHWM over the processes of the tree that live at one moment, its largest
value over all samples: exact for one process up to the last sample, an upper bound for several.
Written bytes are what the kernel accounts to the tree (dirtied pages), scratch files included.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import tools

_SAMPLE_EVERY = 0.05
_KERNEL_BLOCK = 512  # unit of ru_oublock


@dataclass(frozen=True, slots=True)
class Run:
    """What one program took."""

    seconds: float
    memory: int = 0
    written: int = 0
    output: str = ""


def run(argv: Sequence[object], *, memory: bool = False) -> Run:
    """Run a program, sampling its memory if asked. Raises ToolFailed if it does not end well."""
    words = [str(word) for word in argv]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(
            words, env=tools.environment(), stdout=out, stderr=err, process_group=0
        )
        with sampling(process.pid) if memory else contextlib.nullcontext([0]) as peak:
            try:
                _, status, usage = os.wait4(process.pid, 0)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise tools.ToolFailed(
                f"{' '.join(words)}: exit status {process.returncode}\n{out.read()}{err.read()}"
            )
        return Run(seconds, max(peak), usage.ru_oublock * _KERNEL_BLOCK, out.read())


@contextlib.contextmanager
def sampling(pid: int) -> Iterator[list[int]]:
    """Collect the tree's memory into the list, from now until the block ends."""
    ended = threading.Event()

    def memory() -> int:
        return sum(map(_peak, _tree(pid)))

    # What the tree had before counts, too; and the block may be over before the first look.
    samples = [memory()]

    def look() -> None:
        while not ended.wait(_SAMPLE_EVERY):
            samples.append(memory())

    thread = threading.Thread(target=look, name="memory", daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in children.read_text().split():
                yield from _tree(int(child))


def _peak(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    return 0
