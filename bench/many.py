"""
Measure many DataVolumes at once: `python -m bench.many [--count 500]`, or `report` from elsewhere.

Half of them are blank, half clone one small disk. They are created at a steady rate, so that all
of them are there within a minute, by clients that wait for their turn and not for each other.

    answers   how long a create took, admission included, counted from when it was due
    writes    how often the API was written to for each, by its resource version
    memory    of `cdi up`, whose controllers, API server and admission are one process

Sizes are in bytes and times in seconds. Raises ToolFailed.
"""

from __future__ import annotations

import argparse
import compileall
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from bench import controlplane, tools
from bench.controlplane import Row, Writes
from bench.machine import NAMESPACE, VOLUMES, Document, Machine

COUNT: Final = 500
WITHIN: Final = 60.0  # seconds in which all are created
_CLIENTS: Final = 8

# The budgets of the project.
P99_WITHIN: Final = 0.250

_WORK = Path(__file__).resolve().parents[1] / "run"
_SOURCE = Path(__file__).resolve().parents[1] / "src" / "cdi"
MIB: Final = 1 << 20


def report(work_dir: Path, *, count: int = COUNT, within: float = WITHIN) -> list[str]:
    """Measure everything in a new directory below `work_dir`; return the lines to print."""
    compileall.compile_dir(_SOURCE, quiet=1)
    folder = Path(tempfile.mkdtemp(prefix="many-", dir=work_dir))
    try:
        with Machine(folder / "machine") as one:
            found = list(_measured(one, count, within))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return controlplane.shown(f"{count} DataVolumes in {within:.0f} s", found)


def _measured(one: Machine, count: int, within: float) -> Iterator[Row]:
    controlplane.applied(one, [controlplane.volume("source", {"blank": {}})])
    idle = one.memory()
    before = Writes.of(one)
    wanted = [_volume(number) for number in range(count)]
    with closing(one.connect()) as api, api.watch(VOLUMES, before.all) as changes:
        began = time.perf_counter()
        created = Created(one, wanted, began, within / count)
        created.start()
        missing = {each["metadata"]["name"] for each in wanted}
        controlplane.until_none(missing, changes, lambda phase: phase == "Succeeded")
        seconds = time.perf_counter() - began
        created.join()
    writes = Writes.of(one) - before
    memory = one.memory()
    p50, p99 = _share(created.took, 0.50), _share(created.took, 0.99)
    yield Row("refused", str(len(created.failures)), "0", not created.failures)
    yield Row(
        "a create is answered within",
        f"p50 {p50 * 1000:.0f} ms, p99 {p99 * 1000:.0f} ms",
        f"p99 {P99_WITHIN * 1000:.0f} ms",
        p99 <= P99_WITHIN,
    )
    yield Row("until the last has Succeeded", f"{seconds:.1f} s")
    yield Row("API writes for each", writes.shown(count))
    yield Row("memory before", f"{idle.now // MIB} MiB")
    yield Row("memory then", f"{memory.now // MIB} MiB, at most {memory.peak // MIB} MiB")


class Created:
    """Creates objects at a steady rate, whatever becomes of those before them."""

    def __init__(
        self, one: Machine, wanted: Sequence[Document], began: float, every: float
    ) -> None:
        self._one, self._wanted, self._began, self._every = one, wanted, began, every
        self.took: list[float] = []
        self.failures: list[str] = []
        self._threads = [
            threading.Thread(target=self._create, args=(start,)) for start in range(_CLIENTS)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _create(self, start: int) -> None:
        with closing(self._one.connect()) as api:
            for number in range(start, len(self._wanted), _CLIENTS):
                due = self._began + number * self._every
                time.sleep(max(0.0, due - time.perf_counter()))
                try:
                    api.call("POST", VOLUMES, self._wanted[number])
                except (tools.ToolFailed, OSError) as error:
                    self.failures.append(str(error))
                self.took.append(time.perf_counter() - due)


def _volume(number: int) -> Document:
    if number % 2:
        return controlplane.volume(f"blank-{number}", {"blank": {}})
    source = {"pvc": {"namespace": NAMESPACE, "name": "source"}}
    return controlplane.volume(f"clone-{number}", source)


def _share(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.many", description="Measure many DataVolumes.")
    parser.add_argument("--count", type=int, default=COUNT)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing stays behind
    _WORK.mkdir(exist_ok=True)
    try:
        print("\n".join(report(_WORK, count=asked.count)))
    except tools.ToolFailed as error:
        print(f"bench.many: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
