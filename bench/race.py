"""
One run after the other, contenders alternating, so that a busy machine is as unfair to all.

The first round warms up: it brings the served file into the page cache, tells which pipeline is
the fastest, and its disks are compared with the original. Before every run the dirty pages of all
are written back, and after it the disk is removed, so that nobody pays for another's writes.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import contenders, tools, watch
from bench.contenders import Contender

HOPELESS = 1.5  # times the best so far


@dataclass(frozen=True, slots=True)
class Lap:
    """One import: what it took, and what cdi said of it (nothing for the others)."""

    run: watch.Run
    done: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Course:
    """Where the race is run: one URL, one folder for disks, the disk that all must make."""

    url: str
    folder: Path
    original: Path

    def lap(
        self, contender: Contender, *, compare: bool = False, limit: float | None = None
    ) -> Lap:
        """Run `contender` once, for at most `limit` seconds.

        Raises ToolFailed, also if its disk differs from the original.
        """
        disk, scratch = self.folder / "lap.img", self.folder / "lap.scratch"
        _remove(disk, scratch)
        os.sync()
        ours = contender.script is None
        try:
            argv = contender.argv(self.url, disk, scratch)
            if limit is not None:
                argv = ["timeout", "-s", "KILL", f"{limit:.1f}", *argv]
            run = watch.run(argv, memory=ours)
            if compare:
                insist_same(self.original, disk)
        finally:
            _remove(disk, scratch)
        return Lap(run, finished(run.output) if ours else {})


@dataclass(frozen=True, slots=True)
class Finish:
    """All counted laps of one contender."""

    contender: Contender
    laps: tuple[Lap, ...]

    @property
    def seconds(self) -> float:
        """The median wall time."""
        return statistics.median(lap.run.seconds for lap in self.laps)

    @property
    def middle(self) -> Lap:
        """The lap whose time is the median, or next to it."""
        return min(self.laps, key=lambda lap: abs(lap.run.seconds - self.seconds))


def race(
    course: Course, fixed: Sequence[Contender], rivals: Sequence[Contender], rounds: int
) -> list[Finish]:
    """Race `fixed` and the fastest of `rivals` for `rounds` counted rounds."""
    for contender in fixed:
        course.lap(contender, compare=True)
    racers = [*fixed, fastest(course, rivals)]
    laps: list[list[Lap]] = [[] for _ in racers]
    for _ in range(rounds):
        for contender, own in zip(racers, laps, strict=True):
            own.append(course.lap(contender))
    return [Finish(one, tuple(own)) for one, own in zip(racers, laps, strict=True)]


def fastest(course: Course, rivals: Sequence[Contender]) -> Contender:
    """Return the rival with the best warm-up lap; one that cannot run here drops out.

    So does one that takes much longer than the one before.
    """
    best: tuple[float, Contender] | None = None
    problem = "no pipeline was given"
    for rival in rivals:
        limit = None if best is None else HOPELESS * best[0]
        try:
            seconds = course.lap(rival, compare=True, limit=limit).run.seconds
        except tools.ToolFailed as error:
            problem = str(error)
            continue
        if best is None or seconds < best[0]:
            best = seconds, rival
    if best is None:
        raise tools.ToolFailed(problem)
    return best[1]


def finished(output: str) -> dict[str, Any]:
    """Return cdi's last word, the `done` event of its JSON lines."""
    for line in reversed(output.splitlines()):
        event: dict[str, Any] = json.loads(line)
        if event.get("event") == "done":
            return event
    raise tools.ToolFailed(f"{' '.join(contenders.cdi())} did not say that it was done")


def insist_same(original: Path, disk: Path) -> None:
    """Raise ToolFailed unless both raw disks hold the same bytes."""
    if original.stat().st_size != disk.stat().st_size:  # qemu-img forgives zeros at the end
        raise tools.ToolFailed(f"{disk} has {disk.stat().st_size} bytes, not as many as {original}")
    tools.run(["qemu-img", "compare", "-f", "raw", "-F", "raw", original, disk])


def _remove(*paths: Path) -> None:
    for path in paths:
        with suppress(FileNotFoundError):
            path.unlink()
