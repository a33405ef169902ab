"""Raw disks: host bytes are guest bytes."""

from __future__ import annotations

import pytest

from cdi.images.errors import CorruptImage, TruncatedSource
from cdi.images.formats import raw
from cdi.images.writes import Write

MIB = 1 << 20


class Done:
    def __init__(self, *ranges: tuple[int, int]) -> None:
        self._ranges = ranges

    def covers(self, start: int, end: int) -> bool:
        return any(first <= start and end <= after for first, after in self._ranges)


def test_units_are_aligned_and_cover_the_disk() -> None:
    units = list(raw.RandomRaw(9 * MIB + 5).units(Done()))
    assert [(unit.start, unit.end) for unit in units] == [
        (0, 4 * MIB),
        (4 * MIB, 8 * MIB),
        (8 * MIB, 9 * MIB + 5),
    ]
    assert all(unit.covers == ((unit.start, unit.end),) for unit in units)


def test_what_is_done_is_left_out() -> None:
    units = raw.RandomRaw(12 * MIB).units(Done((4 * MIB, 8 * MIB)))
    assert [unit.start for unit in units] == [0, 8 * MIB]


def test_pieces_of_a_unit_are_passed_on_as_they_are() -> None:
    first, second = bytes(100), bytes(156)
    _, unit = raw.RandomRaw(512, unit_bytes=256).units(Done())
    writes = list(unit.decode([first, b"", second]))
    assert writes == [Write(256, first), Write(356, second)]
    assert writes[0].data is first


def test_a_unit_that_ends_early_is_truncated() -> None:
    (unit,) = raw.RandomRaw(512).units(Done())
    with pytest.raises(TruncatedSource):
        list(unit.decode([bytes(511)]))


def test_a_stream_of_unknown_length_is_as_long_as_its_bytes() -> None:
    decoder = raw.ForwardRaw()
    assert list(decoder.feed(b"ab")) == [Write(0, b"ab")]
    assert list(decoder.feed(b"")) == []
    assert decoder.virtual_size is None
    continued = raw.ForwardRaw(state=decoder.snapshot())
    assert list(continued.feed(b"c")) == [Write(2, b"c")]
    assert list(continued.finish()) == []
    assert continued.virtual_size == 3


def test_a_stream_of_known_length_must_have_it() -> None:
    decoder = raw.ForwardRaw(4)
    list(decoder.feed(b"abc"))
    decoder = raw.ForwardRaw(state=decoder.snapshot())
    with pytest.raises(TruncatedSource):
        list(decoder.finish())
    with pytest.raises(CorruptImage):
        list(decoder.feed(b"de"))


@pytest.mark.parametrize("state", [b"", b"\x02" + bytes(17), bytes(17)])
def test_the_state_of_another_version_is_refused(state: bytes) -> None:
    with pytest.raises(ValueError, match="another version"):
        raw.ForwardRaw(state=state)
