"""How the rows are printed: plain text, one table after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bench import rows

MIB = 1 << 20


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Lay out lines in columns; the first column to the left, all others to the right."""
    cells = [list(head), *map(list, lines)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    return "\n".join(_laid_out(line, widths) for line in cells)


def _laid_out(line: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if column == 0 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    )
    return "  ".join([first, *rest]).rstrip()


def races(cases: Sequence[rows.CaseRow]) -> str:
    """The races: seconds, ratios, memory, written bytes."""
    head = [
        "case", "MiB", "cdi s", "+-%", "scratch s", "pipe s", "cdi/scratch", "cdi/pipe",
        "memory MiB", "written", "best pipe",
    ]  # fmt: skip
    return table(
        head,
        (
            [
                row.case,
                f"{row.source_bytes / MIB:.0f}",
                f"{row.ours:.2f}",
                f"{row.spread * 50:.0f}",
                f"{row.scratch:.2f}",
                f"{row.pipe:.2f}",
                f"{row.to_scratch:.2f}",
                f"{row.to_pipe:.2f}",
                f"{row.memory / MIB:.0f}",
                f"{row.written_share:.3f}",
                row.pipe_name,
            ]
            for row in cases
        ),
    )


def stages(cases: Sequence[rows.CaseRow]) -> str:
    """Seconds by stage, summed over threads, waits included."""
    names = ["fetch", "decode", "hash", "write", "sync"]
    names = [name for name in names if any(name in row.breakdown for row in cases)]
    return table(
        ["case", *names],
        (
            [
                row.case,
                *(f"{row.breakdown[name]:.2f}" if name in row.breakdown else "-" for name in names),
            ]
            for row in cases
        ),
    )


def caps(lines: Sequence[rows.CapRow]) -> str:
    """The capped server."""
    return table(
        ["capped", "MiB", "MB/s each", "cdi s", "one curl s", "times faster"],
        (
            [
                row.case,
                f"{row.source_bytes / MIB:.0f}",
                f"{row.rate / 1e6:.0f}",
                f"{row.ours:.2f}",
                f"{row.stream:.2f}",
                f"{row.faster:.1f}",
            ]
            for row in lines
        ),
    )


def growth(case: str, lines: Sequence[rows.GrowthRow]) -> str:
    """How time and memory follow the size."""
    return table(
        [f"growth ({case})", "non-zero MiB", "cdi s", "ms per MiB", "memory MiB"],
        (
            [
                f"{row.size / MIB:.0f} MiB disk",
                f"{row.nonzero / MIB:.0f}",
                f"{row.seconds:.2f}",
                f"{row.seconds * 1000 / (row.nonzero / MIB):.2f}",
                f"{row.memory / MIB:.0f}",
            ]
            for row in lines
        ),
    )


def starts(lines: Sequence[rows.StartRow]) -> str:
    """What starting costs."""
    return table(["start-up", "s"], ([row.what, f"{row.seconds:.2f}"] for row in lines))


def verdict(
    cases: Sequence[rows.CaseRow], capped: Sequence[rows.CapRow], others: Sequence[str] = ()
) -> Iterator[str]:
    """The mean, and a line per missed budget; `others` are those of other tables, as told there."""
    if cases:
        mean = rows.faster_than_scratch(cases)
        yield f"geometric mean: {mean:.2f} x faster than download to scratch, then qemu-img convert"
    lines = rows.missed(cases, capped)
    yield from (f"MISSED {line}" for line in lines)
    yield from (f"MISSED, see above: {' '.join(line.split())}" for line in others)
    if not lines and not others:
        yield "all budgets kept"
