"""
What is known to come, in the order of the file.

Here: runs of host bytes that some table has announced, kept as plain numbers: 25 bytes each.
Elsewhere: what has gone by already (`spill`), and what is done with a run (`forward`).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from heapq import heappop, heappush, heapreplace

from cdi.images.formats.tabled.runs import Kind, Run

RUN_BYTES = 25
_KINDS = tuple(Kind)


class _Batch:
    """Runs that became known together, sorted by place."""

    def __init__(self, runs: list[Run]) -> None:
        self.starts = array("Q", [run.start for run in runs])
        self.ends = array("Q", [run.end for run in runs])
        self.guests = array("Q", [run.guest for run in runs])
        self.kinds = bytes([run.kind for run in runs])
        self.at = 0

    def run(self) -> Run:
        at = self.at
        return Run(self.starts[at], self.ends[at], self.guests[at], _KINDS[self.kinds[at]])


class Agenda:
    """Sorted runs from several batches."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, _Batch]] = []
        self._serial = 0
        self.bytes = 0  # memory taken

    def add(self, runs: list[Run]) -> None:
        """Take runs, which are sorted by place."""
        if runs:
            self._serial += 1
            self.bytes += RUN_BYTES * len(runs)
            heappush(self._heap, (runs[0].start, self._serial, _Batch(runs)))

    def next_start(self) -> int | None:
        """Return where the first run starts."""
        return self._heap[0][0] if self._heap else None

    def pop(self) -> Run:
        """Remove and return the first run."""
        _, serial, batch = self._heap[0]
        run = batch.run()
        batch.at += 1
        if batch.at < len(batch.kinds):
            heapreplace(self._heap, (batch.starts[batch.at], serial, batch))
        else:
            heappop(self._heap)
            self.bytes -= RUN_BYTES * len(batch.kinds)
        return run

    def __iter__(self) -> Iterator[Run]:
        """Yield what is left, in no order."""
        for _, _, batch in self._heap:
            at = batch.at
            columns = (batch.starts[at:], batch.ends[at:], batch.guests[at:], batch.kinds[at:])
            for start, end, guest, kind in zip(*columns, strict=True):
                yield Run(start, end, guest, _KINDS[kind])

    def __len__(self) -> int:
        return sum(len(batch.kinds) - batch.at for _, _, batch in self._heap)


def packed_runs(runs: list[Run]) -> bytes:
    """Write runs as bytes, RUN_BYTES each."""
    batch = _Batch(runs)
    columns = [batch.starts, batch.ends, batch.guests]
    if sys.byteorder == "big":
        for column in columns:
            column.byteswap()
    return b"".join(column.tobytes() for column in columns) + batch.kinds


def unpacked_runs(data: bytes) -> list[Run]:
    """Read what `packed_runs` wrote."""
    count = len(data) // RUN_BYTES
    columns = []
    for index in range(3):
        column = array("Q")
        column.frombytes(data[index * count * 8 : (index + 1) * count * 8])
        if sys.byteorder == "big":
            column.byteswap()
        columns.append(column)
    kinds = data[count * 24 :]
    return [
        Run(start, end, guest, _KINDS[kind])
        for start, end, guest, kind in zip(*columns, kinds, strict=True)
    ]
