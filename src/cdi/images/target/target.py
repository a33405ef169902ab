"""
What every target promises: a file or a block device that receives one disk.

Elsewhere: what both do alike (`writing`), and what each does in its own way (`file`, `device`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from cdi.images.closing import Closing
from cdi.images.target.samples import Sample
from cdi.images.writes import Change


class Target(Closing):
    """Where a disk goes. Use as a context manager; leaving it closes without finishing.

    Threads may call `write` at the same time for different bytes. The rest is for one owner.
    """

    written: int  # bytes handed to the kernel
    seconds: float  # spent in looking for zeros and writing the rest, all threads together

    @property
    @abstractmethod
    def tag(self) -> str:
        """Tells this very file or device from another one at the same path; see `tag_of`."""

    @property
    @abstractmethod
    def path(self) -> Path:
        """Where the bytes are while the disk is not complete."""

    @abstractmethod
    def write(self, writes: Iterable[Change]) -> list[tuple[int, int]]:
        """Write all of `writes`, joining neighbours, leaving zeros out; return their ranges."""

    @abstractmethod
    def read_back(self, start: int, length: int) -> bytes:
        """Return what was written there."""

    def written_by_others(self, size: int) -> None:
        """Another program writes the first `size` bytes, zeros included, through `path`."""
        self.already([(0, size)])

    @abstractmethod
    def already(self, done: Iterable[tuple[int, int]]) -> None:
        """Tell what an earlier run has completed, so that it is not zeroed at the end."""

    @abstractmethod
    def put(self) -> tuple[tuple[int, int], ...]:
        """Return what a later run has to be told by `already`; nothing where holes are zeros."""

    @abstractmethod
    def fill(self, size: int) -> Iterator[tuple[int, int]]:
        """Make zero what nobody wrote of a disk of `size` bytes; yield each range that is done.

        Nothing where holes are zeros. Whoever stops in between can go on later, by `already`.
        """

    @property
    def held_from(self) -> int | None:
        """From where on nothing is in its place before the commit; None: all is at once."""
        return None

    @property
    def holds_content(self) -> bool:
        """Whether anything but zeros was written that is not in its place."""
        return False

    def let_go(self) -> None:
        """Put what is held back in its place, and hold nothing back from now on."""

    def forget_notes(self) -> None:
        """Remove notes about the disk from where its bytes belong, durably, if there may be any."""

    @abstractmethod
    def flush(self) -> None:
        """Return when all that was written before the call would survive a power cut."""

    @property
    @abstractmethod
    def lossy(self) -> bool:
        """Whether the storage has lost something that was written since the last `flush`."""

    @abstractmethod
    def samples(self, ranges: Iterable[tuple[int, int]]) -> list[Sample]:
        """Return samples of what has been written, by which a later run knows it again."""

    @abstractmethod
    def finish(self, size: int, committing: Callable[[], None] = lambda: None) -> None:
        """Make the target the complete disk of `size` bytes, durably. The commit point.

        `committing` is called when all of it is durable, and a file has not got its name yet.
        """
