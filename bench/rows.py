"""What was measured, as values: ratios, means, and the budgets that were missed. No I/O."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

MIB = 1 << 20

# The budgets of the project; ratios are ours by theirs, so that smaller is better.
PIPE_AT_MOST = 1.15
SCRATCH_MEAN_AT_LEAST = 2.0  # times faster, geometric mean over all cases
SCRATCH_AT_MOST = 1.0  # in no case slower
MEMORY_AT_MOST = 150 * MIB
WRITTEN_AT_MOST = 1.02  # times the non-zero bytes of the disk
_DRAWING = frozenset({"fetch+decode", "decompress"})
CAPPED_AT_LEAST = 4.0  # times faster than one stream


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One way to pack the disk: wall times of the three contenders, and what ours needed."""

    case: str
    source_bytes: int
    ours: float
    scratch: float
    pipe: float
    pipe_name: str
    memory: int
    written: int
    nonzero: int
    spread: float = 0.0  # (slowest - fastest) / median of our counted runs
    stages: Mapping[str, float] = field(default_factory=dict)

    @property
    def breakdown(self) -> dict[str, float]:
        """Seconds of each stage for itself; see `breakdown_of`."""
        return breakdown_of(self.stages)

    @property
    def limit(self) -> str:
        """The stage that takes the most, in words."""
        share = self.breakdown
        if not share:
            return "no stage is known"
        name = max(share, key=lambda stage: share[stage])
        return f"{name} takes the most: {share[name]:.2f} s of all threads"

    @property
    def to_scratch(self) -> float:
        return self.ours / self.scratch

    @property
    def to_pipe(self) -> float:
        return self.ours / self.pipe

    @property
    def written_share(self) -> float:
        return self.written / self.nonzero


@dataclass(frozen=True, slots=True)
class CapRow:
    """A capped server: our import against one download of the same file, wall times."""

    case: str
    source_bytes: int
    rate: int  # bytes a second and connection
    ours: float
    stream: float

    @property
    def faster(self) -> float:
        return self.stream / self.ours


@dataclass(frozen=True, slots=True)
class GrowthRow:
    """The same case at one size."""

    size: int
    nonzero: int
    seconds: float
    memory: int


@dataclass(frozen=True, slots=True)
class StartRow:
    """Something small, where starting is all there is."""

    what: str
    seconds: float


def breakdown_of(stages: Mapping[str, float]) -> dict[str, float]:
    """Return fetch, decode, hash, write and sync, as far as a transfer has them.

    A decoder draws its bytes from the fetching stage, and its time holds that of the other.
    """
    fetch = stages.get("fetch", 0.0)
    decode = sum(seconds for name, seconds in stages.items() if name in _DRAWING)
    found = {
        "fetch": fetch,
        "decode": max(0.0, decode - fetch),
        "hash": stages.get("digest", 0.0),
        "write": stages.get("write", 0.0),
        "sync": stages.get("sync", 0.0),
    }
    return {name: seconds for name, seconds in found.items() if seconds}


def faster_than_scratch(cases: Sequence[CaseRow]) -> float:
    """Return how many times faster than by scratch we are, in the geometric mean."""
    return 1 / statistics.geometric_mean(row.to_scratch for row in cases)


def missed(cases: Sequence[CaseRow], caps: Sequence[CapRow]) -> list[str]:
    """Return a line for each budget that was missed."""
    return [
        *(line for row in cases for line in _missed_by(row)),
        *_missed_mean(cases),
        *(
            f"{row.case} at {row.rate / 1e6:.0f} MB/s a connection: {row.faster:.1f} x one stream, "
            f"at least {CAPPED_AT_LEAST:.0f} x wanted"
            for row in caps
            if row.faster < CAPPED_AT_LEAST
        ),
    ]


def _missed_mean(cases: Sequence[CaseRow]) -> Iterator[str]:
    if cases and (mean := faster_than_scratch(cases)) < SCRATCH_MEAN_AT_LEAST:
        yield (
            f"all cases: {mean:.2f} x faster than by scratch in the geometric mean, "
            f"at least {SCRATCH_MEAN_AT_LEAST:.1f} x wanted"
        )


def _missed_by(row: CaseRow) -> Iterator[str]:
    if row.to_pipe > PIPE_AT_MOST:
        yield (
            f"{row.case}: {row.to_pipe:.2f} x the time of {row.pipe_name}, {PIPE_AT_MOST} allowed; "
            f"{row.limit}"
        )
    if row.to_scratch > SCRATCH_AT_MOST:
        yield (
            f"{row.case}: {row.to_scratch:.2f} x the time by scratch, never slower wanted; "
            f"{row.limit}"
        )
    if row.memory > MEMORY_AT_MOST:
        yield (
            f"{row.case}: {row.memory / MIB:.0f} MiB resident, {MEMORY_AT_MOST / MIB:.0f} allowed"
        )
    if row.written_share > WRITTEN_AT_MOST:
        yield f"{row.case}: wrote {row.written_share:.3f} x the non-zero bytes, {WRITTEN_AT_MOST}"
