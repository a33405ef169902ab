"""
Measure CDI on one machine: `python -m bench.controlplane`, or `report` from elsewhere.

    start     from the process's start to `ready`
    import    from `kubectl apply` to Succeeded, for a small qcow2 behind nginx
    blank     the same for many blank DataVolumes at once
    writes    how often the API was written to, by its resource version
    memory    of `cdi up`, idle and with thousands of DataVolumes that wait for a consumer

Real processes over fresh directories; medians. Succeeded counts when a watch tells so. Sizes are
in bytes and times in seconds. Raises ToolFailed.
"""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import disk, machine, table, tools, webserver
from bench.machine import EVENTS, VOLUMES, Document, Machine

ROUNDS: Final = 5
BLANKS: Final = 100
MANY: Final = 5_000
SMALL: Final = 10 << 20  # the disk of the small import
MIB: Final = 1 << 20
_CLIENTS: Final = 4  # that create many DataVolumes side by side

# The budgets of the project.
READY_WITHIN: Final = 2.0
IMPORT_WITHIN: Final = 1.5
MEMORY_AT_MOST: Final = 300 * MIB
CREATES_A_MINUTE: Final = 500

_WORK = Path(__file__).resolve().parents[1] / "run"
_SOURCE = Path(__file__).resolve().parents[1] / "src" / "cdi"


@dataclass(frozen=True, slots=True)
class Row:
    """One measured value, shown; `kept` is None where there is no budget."""

    what: str
    value: str
    budget: str = ""
    kept: bool | None = None


@dataclass(slots=True)
class Creates:
    """How creating many went."""

    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Writes:
    """How often objects were written so far, and how many events are among that."""

    all: int
    events: int

    @classmethod
    def of(cls, one: Machine) -> Writes:
        with closing(one.connect()) as api:
            page = api.call("GET", f"{EVENTS}?limit=1")["metadata"]
        # An event is written once here, and none is old enough to have gone.
        more = int(page.get("remainingItemCount", 0))
        return cls(int(page["resourceVersion"]), more + 1)

    def __sub__(self, before: Writes) -> Writes:
        return Writes(self.all - before.all, self.events - before.events)

    def shown(self, volumes: int) -> str:
        """What one of so many volumes took."""
        return f"{self.all / volumes:.1f}, {self.events / volumes:.1f} of them events"


def report(
    work_dir: Path, *, rounds: int = ROUNDS, at_once: int = BLANKS, many: int = MANY
) -> list[str]:
    """Measure everything in a new directory below `work_dir`; return the lines to print."""
    # As pip does for an installed package; without it each start would compile everything anew
    # where PYTHONDONTWRITEBYTECODE is set.
    compileall.compile_dir(_SOURCE, quiet=1)
    folder = Path(tempfile.mkdtemp(prefix="controlplane-", dir=work_dir))
    try:
        with webserver.Nginx(folder) as server:
            original = disk.make_raw(folder, SMALL, "small.raw")
            packed = disk.make_variant(original, "qcow2-zlib", folder)
            found = list(_measured(folder, server.url(packed), rounds, at_once, many))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    lines = shown("one machine", found)
    return [*lines, f"{os.cpu_count()} processors, load {load}, medians of {rounds}"]


def shown(title: str, rows: Iterable[Row]) -> list[str]:
    """The table of what was measured, line by line."""
    cells = ((row.what, row.value, row.budget, _verdict(row)) for row in rows)
    return table.table([title, "measured", "budget", ""], cells).splitlines()


def _verdict(row: Row) -> str:
    return "" if row.kept is None else "kept" if row.kept else "MISSED"


def _measured(folder: Path, url: str, rounds: int, at_once: int, many: int) -> Iterator[Row]:
    yield from starts(folder, rounds)
    with Machine(folder / "imports") as one:
        idle = one.memory()
        yield Row("memory, idle", f"{_mib(idle.now)}, at most {_mib(idle.peak)}")
        yield from imports(one, url, rounds)
        yield from blanks(one, at_once)
    with Machine(folder / "many") as one:
        yield from waiting(one, many)


# Starting.


def starts(folder: Path, rounds: int) -> Iterator[Row]:
    """Start it over a fresh directory, and again over the same one."""
    first: list[float] = []
    again: list[float] = []
    for turn in range(rounds):
        place = folder / f"start-{turn}"
        for times in (first, again):
            with Machine(place) as one:
                times.append(one.to_ready)
        shutil.rmtree(place)
    yield _timed("cdi up to ready", first, READY_WITHIN)
    yield _timed("cdi up to ready, started before", again, READY_WITHIN)


# Imports.


def imports(one: Machine, url: str, rounds: int) -> Iterator[Row]:
    """Apply one small import after the other."""
    times: list[float] = []
    writes: list[Writes] = []
    for turn in range(rounds + 1):  # the first one warms kubectl's discovery cache
        before = Writes.of(one)
        times.append(applied(one, [volume(f"small-{turn}", {"http": {"url": url}})]))
        writes.append(Writes.of(one) - before)
    yield _timed(
        f"import of a {SMALL // MIB} MiB disk, apply to Succeeded", times[1:], IMPORT_WITHIN
    )
    middle = sorted(writes[1:], key=lambda each: each.all)[len(writes[1:]) // 2]
    yield Row("API writes for it", middle.shown(1))


def blanks(one: Machine, count: int) -> Iterator[Row]:
    """Apply many blank volumes in one go."""
    before = Writes.of(one)
    seconds = applied(one, [volume(f"blank-{number}", {"blank": {}}) for number in range(count)])
    writes = Writes.of(one) - before
    yield Row(f"{count} blank at once, apply to all Succeeded", f"{seconds:.1f} s")
    yield Row("of these each", f"{seconds / count * 1000:.0f} ms")
    yield Row("API writes for each", writes.shown(count))
    memory = one.memory()
    yield Row("memory then", f"{_mib(memory.now)}, at most {_mib(memory.peak)}")


def applied(one: Machine, wanted: Sequence[Document]) -> float:
    """Apply volumes with kubectl; return the seconds until the last one has Succeeded."""
    missing = {each["metadata"]["name"] for each in wanted}
    revision = one.revision()
    with closing(one.connect()) as api, api.watch(VOLUMES, revision) as changes:
        began = time.perf_counter()
        process = subprocess.Popen(
            [machine.kubectl(), "apply", "-f-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env=one.environment(),
        )
        with process:
            assert process.stdin is not None
            process.stdin.write(machine.bundle(wanted))
            process.stdin.close()
            until_none(missing, changes, lambda phase: phase == "Succeeded")
            return time.perf_counter() - began


def until_none(
    missing: set[str], changes: Iterable[Document], enough: Callable[[str], bool]
) -> None:
    """Read a watch until every one of `missing` has a phase that is enough."""
    if not missing:
        return
    for seen in changes:
        phase = seen.get("status", {}).get("phase", "")
        name = seen["metadata"]["name"]
        if phase == "Failed":
            raise tools.ToolFailed(f"{name} failed: {seen['status']}")
        if enough(phase):
            missing.discard(name)
        if not missing:
            return
    raise tools.ToolFailed(f"the watch ended before {', '.join(sorted(missing)[:5])}")


# Memory.


def waiting(one: Machine, count: int) -> Iterator[Row]:
    """Create volumes that wait for a consumer: every cache and controller holds all of them."""
    names = [f"waits-{number}" for number in range(count)]
    before = Writes.of(one)
    with closing(one.connect()) as api, api.watch(VOLUMES, before.all) as changes:
        began = time.perf_counter()
        created = create(one.connect, VOLUMES, [for_consumer(name) for name in names])
        if not created.failures:
            until_none(set(names), changes, is_waiting)
        seconds = time.perf_counter() - began
    rate = count / created.seconds * 60
    kept = rate >= CREATES_A_MINUTE and not created.failures
    yield Row(
        f"{count} created",
        f"{rate:.0f} a minute, {len(created.failures)} errors",
        f"{CREATES_A_MINUTE} a minute",
        kept,
    )
    yield Row("until all of them wait", f"{seconds:.1f} s")
    yield Row("API writes for each", (Writes.of(one) - before).shown(count))
    memory = one.memory()
    yield Row(
        f"memory with {count}",
        f"{_mib(memory.now)}, at most {_mib(memory.peak)}",
        _mib(MEMORY_AT_MOST),
        memory.peak <= MEMORY_AT_MOST,
    )


def is_waiting(phase: str) -> bool:
    return phase in ("WaitForFirstConsumer", "PendingPopulation")


def create(connect: Callable[[], machine.Api], path: str, wanted: Sequence[Document]) -> Creates:
    """Create objects in a collection from several clients at once, each over one connection."""
    created = Creates()

    def create_share(share: Sequence[Document]) -> None:
        with closing(connect()) as api:
            for each in share:
                try:
                    api.call("POST", path, each)
                except (tools.ToolFailed, OSError) as error:
                    created.failures.append(str(error))

    threads = [
        threading.Thread(target=create_share, args=(wanted[start::_CLIENTS],))
        for start in range(_CLIENTS)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    created.seconds = time.perf_counter() - began
    return created


# Manifests.


def volume(name: str, source: Document) -> Document:
    """A DataVolume as in the examples."""
    return _volume(name, {"source": source, "storage": _request("16Mi")})


def for_consumer(name: str, storage_class: str = "local-wffc") -> Document:
    """A DataVolume whose claim waits for a pod; the class has to be one that waits."""
    claim = {
        "storageClassName": storage_class,
        "accessModes": ["ReadWriteOnce"],
        **_request("1Gi"),
    }
    return _volume(name, {"source": {"http": {"url": "http://127.0.0.1:1/disk"}}, "pvc": claim})


def _volume(name: str, spec: Document) -> Document:
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": name},
        "spec": spec,
    }


def _request(size: str) -> Document:
    return {"resources": {"requests": {"storage": size}}}


# What is shown.


def _timed(what: str, times: Sequence[float], budget: float) -> Row:
    median = statistics.median(times)
    value = f"{median:.2f} s ({min(times):.2f} to {max(times):.2f})"
    return Row(what, value, f"{budget:.1f} s", median <= budget)


def _mib(count: int) -> str:
    return f"{count / MIB:.0f} MiB"


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.controlplane", description="Measure `cdi up`.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--many", type=int, default=MANY, help="DataVolumes of the memory row")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing stays behind
    _WORK.mkdir(exist_ok=True)
    try:
        print("\n".join(report(_WORK, rounds=asked.rounds, many=asked.many)))
    except tools.ToolFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
