"""`python -m bench`: build the disk, race every case, print the tables. Status 0 if it ran."""

from __future__ import annotations

import argparse
import compileall
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cdi
from bench import (
    bootsources,
    clones,
    contenders,
    controlplane,
    disk,
    extras,
    many,
    race,
    rows,
    table,
    tools,
    uploads,
    volumes,
    webhooks,
    webserver,
)

WORK = Path(__file__).resolve().parents[1] / "run"
SIZE = "2G"  # all cases take about 25 minutes on two processors
EXTRAS = (
    "capped",
    "growth",
    "start-up",
    "one-machine",
    "many",
    "webhooks",
    "volumes",
    "copies",
    "uploads",
    "bootsources",
)
GROWTH_CASE = "qcow2-zlib"
# Above this the page cache might not hold source, scratch and disk, and the device is measured.
_CACHE_SHARE = 0.5


def main() -> int:
    asked = _arguments()
    WORK.mkdir(exist_ok=True)
    # As an installed package is; otherwise every start may compile everything.
    compileall.compile_dir(Path(cdi.__file__).parent, quiet=1)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=WORK))
    began = time.monotonic()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing stays behind
    try:
        with webserver.Nginx(folder) as server:
            _Bench(asked, folder, server).run()
    except tools.ToolFailed as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\ntook {time.monotonic() - began:.0f} s in all, {load()}")
    return 0


class _Bench:
    """One whole run."""

    def __init__(self, asked: argparse.Namespace, folder: Path, server: webserver.Nginx) -> None:
        self._asked, self._folder, self._server = asked, folder, server
        self._cases: list[rows.CaseRow] = []
        self._caps: list[rows.CapRow] = []
        self._others: list[str] = []  # lines of other tables that tell of a missed budget

    def run(self) -> None:
        self._say(f"making a disk of {shown(self._asked.size)} with files of this machine ...")
        self._raw = disk.make_raw(self._folder, self._asked.size)
        self._nonzero = disk.nonzero_bytes(self._raw)
        for line in conditions(self._asked.size, self._nonzero, self._asked.rounds):
            print(line, flush=True)
        for case in self._asked.cases:
            self._case(case)
        print("\n" + table.races(self._cases) if self._cases else "")
        if self._cases:
            print("\nseconds by stage, summed over threads, waits included")
            print(table.stages(self._cases))
        if self._caps:
            print("\n" + table.caps(self._caps))
        self._growth_and_start()
        if "one-machine" in self._asked.cases:
            self._say("one-machine: cdi up, imports by kubectl, thousands of volumes ...")
            self._table("\n".join(controlplane.report(self._folder)))
        if "many" in self._asked.cases:
            self._say("many: 500 DataVolumes in a minute ...")
            self._table("\n".join(many.report(self._folder)))
        if "webhooks" in self._asked.cases:
            self._say("webhooks: cdi apiserver at a steady rate ...")
            self._table("\n".join(webhooks.report(self._folder)))
        if "volumes" in self._asked.cases and os.geteuid() == 0:
            self._say("volumes: cdi hostpath driver on file systems of its own ...")
            self._table("\n".join(volumes.report(self._folder)))
        if "copies" in self._asked.cases:
            self._say("copies: volumes, beside each other and over TLS ...")
            self._table(clones.report(self._folder, min(self._asked.size, clones.USUAL)))
        if "uploads" in self._asked.cases:
            self._say("uploads: curl over TLS ...")
            self._table(uploads.report(self._folder, self._raw, self._asked.rounds))
        if "bootsources" in self._asked.cases:
            self._say("bootsources: a hundred crons, one registry ...")
            self._table("\n".join(bootsources.report()))
        print("\n" + "\n".join(table.verdict(self._cases, self._caps, self._others)))

    def _table(self, text: str) -> None:
        print("\n" + text, flush=True)
        self._others += [line for line in text.splitlines() if "missed" in line.lower()]

    def _case(self, case: str) -> None:
        if case in EXTRAS:
            return
        self._say(f"{case}: packing ...")
        packed = disk.make_variant(self._raw, case, self._folder)
        self._say(f"{case}: racing ...")
        course = race.Course(self._server.url(packed), self._folder, self._raw)
        row = case_row(case, course, packed.stat().st_size, self._nonzero, self._asked.rounds)
        self._cases.append(row)
        self._say(
            f"{case}: cdi {row.ours:.2f} s, scratch {row.scratch:.2f} s, "
            f"{row.pipe_name} {row.pipe:.2f} s"
        )
        packed.unlink()

    def _growth_and_start(self) -> None:
        if "capped" in self._asked.cases:
            self._capped()
        if "growth" in self._asked.cases:
            self._say("growth: one, two and four times the size ...")
            sizes = [self._asked.size // part for part in (16, 8, 4)]
            found = extras.growth(
                GROWTH_CASE, sizes, self._folder, self._server, self._asked.rounds
            )
            print("\n" + table.growth(GROWTH_CASE, found))
        if "start-up" in self._asked.cases:
            found_starts = extras.start_up(self._folder, self._server, self._asked.rounds + 2)
            print("\n" + table.starts(found_starts))

    def _capped(self) -> None:
        """A smaller disk, as one stream at the cap's rate takes its time."""
        self._say("capped: a smaller disk over capped connections ...")
        size = min(self._asked.size, 512 << 20)
        original = disk.make_raw(self._folder, size, "capped.raw")
        for case in ("qcow2-zlib", "raw.zst"):
            packed = disk.make_variant(original, case, self._folder)
            self._caps.append(
                extras.capped(case, packed, original, self._server.port, self._asked.rounds)
            )
            packed.unlink()
        print("\n" + table.caps(self._caps))

    def _say(self, line: str) -> None:
        print(f"bench: {line}", file=sys.stderr, flush=True)


def case_row(
    case: str, course: race.Course, source_bytes: int, nonzero: int, rounds: int
) -> rows.CaseRow:
    """Race one case and return its row."""
    image_format, compression = disk.kind_of(case)
    ours, scratch, pipe = race.race(
        course,
        [contenders.OURS, contenders.scratch(image_format, compression)],
        contenders.pipelines(image_format, compression),
        rounds,
    )
    times = [lap.run.seconds for lap in ours.laps]
    return rows.CaseRow(
        case=case,
        source_bytes=source_bytes,
        ours=ours.seconds,
        scratch=scratch.seconds,
        pipe=pipe.seconds,
        pipe_name=pipe.contender.name,
        memory=max(lap.run.memory for lap in ours.laps),
        written=max(written(lap) for lap in ours.laps),
        nonzero=nonzero,
        spread=(max(times) - min(times)) / ours.seconds,
        stages=ours.middle.done["stages"],
    )


def written(lap: race.Lap) -> int:
    """Return what was written, by our own count or the kernel's, whichever is more."""
    return max(lap.run.written, int(lap.done["bytesWritten"]))


def conditions(size: int, nonzero: int, rounds: int) -> list[str]:
    """Return what has to be known to read the tables."""
    found = ", ".join(f"{name} {version}" for name, version in tools.versions().items())
    lines = [
        f"disk: {shown(size)}, ext4 with real files, {shown(nonzero)} in non-zero 4 KiB blocks",
        f"runs: alternating, 1 warm-up, then {rounds}; medians; every disk synced, compared once",
        "cache: the source is in the page cache for all; dirty pages are written back before a run",
        f"machine: {os.cpu_count()} processors, {load()}, Linux {os.uname().release}",
        f"tools: {found}",
    ]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if 3 * nonzero > memory * _CACHE_SHARE:
        lines.append("note: little memory for this size; the device is part of what is measured")
    return lines


def load() -> str:
    """Return how busy the machine is with everything."""
    return "load {:.1f} {:.1f} {:.1f}".format(*os.getloadavg())


def shown(count: int) -> str:
    """Return bytes for people."""
    return f"{count / (1 << 30):.2f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MiB"


def parse_cases(text: str) -> list[str]:
    """Return the cases of a list like `raw,qcow2`; all for an empty one. Raises ValueError."""
    known = [*disk.VARIANTS, *EXTRAS]
    names = text.replace(",", " ").split() or known
    for name in names:
        if name not in known:
            raise ValueError(f"{name}: the cases are {', '.join(known)}")
    return names


def _arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Measure cdi against plain tools.")
    environ = os.environ  # `make bench CASES=... SIZE=...`
    parser.add_argument("--cases", type=parse_cases, default=environ.get("CASES", ""))
    parser.add_argument("--size", type=disk.parse_size, default=environ.get("SIZE") or SIZE)
    parser.add_argument("--rounds", type=int, default=int(environ.get("ROUNDS") or 3))
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
