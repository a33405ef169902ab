"""The rows that are no race: capped connections, growth with the disk's size, start-up."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from bench import contenders, disk, race, rows, throttle, watch, webserver

CAP = 5_000_000  # bytes a second and connection
SMALL = 10 << 20  # the disk of the start-up row


def capped(case: str, packed: Path, original: Path, port: int, rounds: int) -> rows.CapRow:
    """Import the file `packed`, which the server at `port` has, over capped connections."""
    folder = packed.parent
    with throttle.Throttle(port, CAP) as slow:
        course = race.Course(f"http://127.0.0.1:{slow.port}/{packed.name}", folder, original)
        laps = [course.lap(contenders.OURS, compare=turn == 0) for turn in range(rounds)]
        copy = folder / "one-stream"
        try:
            # Its time is that of the cap, so that once is enough.
            stream = watch.run(["curl", "-sSf", "-o", copy, course.url])
        finally:
            copy.unlink(missing_ok=True)
    ours = statistics.median(lap.run.seconds for lap in laps)
    return rows.CapRow(case, packed.stat().st_size, CAP, ours, stream.seconds)


def growth(
    case: str, sizes: Sequence[int], folder: Path, server: webserver.Nginx, rounds: int
) -> list[rows.GrowthRow]:
    """Import the same case at each of `sizes`."""
    found = []
    for size in sizes:
        original = disk.make_raw(folder, size, f"growth-{size}.raw")
        packed = disk.make_variant(original, case, folder)
        course = race.Course(server.url(packed), folder, original)
        laps = [course.lap(contenders.OURS, compare=turn == 0) for turn in range(rounds + 1)][1:]
        found.append(
            rows.GrowthRow(
                size,
                disk.nonzero_bytes(original),
                statistics.median(lap.run.seconds for lap in laps),
                max(lap.run.memory for lap in laps),
            )
        )
        packed.unlink()
        original.unlink(missing_ok=True)
    return found


def start_up(folder: Path, server: webserver.Nginx, rounds: int) -> list[rows.StartRow]:
    """Measure the command that does nothing, and an import of next to nothing."""
    original = disk.make_raw(folder, SMALL, "small.raw")
    packed = disk.make_variant(original, "qcow2-zlib", folder)
    course = race.Course(server.url(packed), folder, original)
    versions = [watch.run([*contenders.cdi(), "--version"]) for _ in range(rounds)]
    imports = [course.lap(contenders.OURS, compare=turn == 0) for turn in range(rounds)]
    return [
        rows.StartRow("cdi --version", statistics.median(run.seconds for run in versions)),
        rows.StartRow(
            f"import of a {SMALL >> 20} MiB disk",
            statistics.median(lap.run.seconds for lap in imports),
        ),
    ]
