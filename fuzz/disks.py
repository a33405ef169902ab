"""Both readers of a native format over one file: bounded, inside of the disk, and of one mind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from fuzz import harness

with harness.instrumented():
    from cdi.images import errors
    from cdi.images.formats import inspect, native
    from cdi.images.formats.image import Ranged
    from cdi.images.formats.raw import layout_of
    from cdi.images.layout import ForwardDecoder
    from cdi.images.writes import Change, Packed, Write

_PIECE = 3000  # bytes fed at a time: some tables straddle two pieces
_COMPARED = 3 << 20  # disks up to this size are compared byte by byte
_MOST_UNITS = 5000


class _Nothing:
    def covers(self, _start: int, _end: int) -> bool:
        return False


class Disk:
    """What the writes of one reader make."""

    def __init__(self) -> None:
        self.writes: list[tuple[int, bytes]] = []
        self.last = 0

    def take(self, changes: Iterable[Change], size: int | None) -> None:
        """Apply what a reader yields, and insist that it lies within the disk."""
        for change in changes:
            assert isinstance(change, Write | Packed)
            assert change.offset >= 0
            assert size is None or change.end <= size, f"writes to {change.end} of {size}"
            self.last = max(self.last, change.end)
            if self.last <= _COMPARED:
                self.writes.append((change.offset, bytes(change.data)))

    def content(self) -> bytes | None:
        """Return what the disk holds, filled up to a common length; None for a large one."""
        if self.last > _COMPARED:
            return None
        disk = bytearray(_COMPARED)
        for offset, data in self.writes:
            disk[offset : offset + len(data)] = data
        return bytes(disk)


def at_random(raw: bytes) -> Disk:
    """Read a file as a ranged source is read."""

    def read(offset: int, length: int) -> bytes:
        assert offset + length <= len(raw), "asks for bytes beyond the end"
        return raw[offset : offset + length]

    image = inspect.inspect(raw[: inspect.HEAD], len(raw), read)
    source = Ranged(read, len(raw), 64 << 10, 1)
    layout = image.layout(source) if image.layout else layout_of(image, source)
    disk = Disk()
    for number, unit in enumerate(layout.units(_Nothing())):
        assert 0 <= unit.start <= unit.end <= len(raw), (unit.start, unit.end)
        disk.take(unit.decode([raw[unit.start : unit.end]]), layout.virtual_size)
        if number > _MOST_UNITS:
            break
    return disk


def forward(raw: bytes, make: Callable[[bytes | None], ForwardDecoder]) -> Disk:
    """Read a file as a stream is read, now and then by a decoder that takes another's state."""
    inspect.inspect(raw[: inspect.HEAD], None)
    decoder, disk = make(None), Disk()
    for number, at in enumerate(range(0, len(raw), _PIECE)):
        disk.take(decoder.feed(raw[at : at + _PIECE]), decoder.virtual_size)
        if number % 5 == 4 and (state := decoder.snapshot()) is not None:
            decoder = make(state)
    disk.take(decoder.finish(), decoder.virtual_size)
    return disk


def check_both(raw: bytes, name: str) -> None:
    """Read a file both ways; where both come to an end, they must have read the same disk."""
    results = list(_attempts(raw, name))
    if len(results) == 2 and None not in (contents := [one.content() for one in results]):
        assert contents[0] == contents[1], "the two readers made different disks"


def _attempts(raw: bytes, name: str) -> Iterator[Disk]:
    for way in (at_random, lambda file: forward(file, native.NATIVE[name].decoder)):
        try:
            yield way(raw)
        except errors.TransferError as refused:
            harness.insist_on_sentence(refused)
