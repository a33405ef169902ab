"""VMDKs in layouts that products write and qemu-img does not, read both ways."""

from __future__ import annotations

import random

import pytest

from cdi.images import errors
from cdi.images.formats import vmdk
from cdi.images.intervals import Intervals
from support import readers, vmdk_images
from support.vmdk_images import PER_TABLE, ZERO, Image

SIZE = 8 * 512


def grain(number: int) -> bytes:
    return random.Random(number).randbytes(40) * 102 + number.to_bytes(16, "big")


def image_of(numbers: list[int], zeros: tuple[int, ...] = (), **options: object) -> Image:
    grains = {number: grain(number) for number in numbers} | dict.fromkeys(zeros, ZERO)
    capacity = (max(grains) // PER_TABLE + 1) * PER_TABLE * 8
    return Image(grains, **{"capacity": capacity, **options})


LAYOUTS = {
    "tables first": {},
    "with a redundant directory": {"redundant": True},
    "not closed": {"unclean": True},
    "packed, tables first": {"packed": True},
    "packed, redundant directory": {"packed": True, "redundant": True},
    "packed, tables at the end": {"packed": True, "footer": True},
}
SPARSE = [0, 1, 2, 7, 8, 511, 512, 513, 700, 1100]


@pytest.fixture(params=LAYOUTS)
def options(request: pytest.FixtureRequest) -> dict[str, bool]:
    return LAYOUTS[request.param]


@pytest.mark.parametrize("resume", [False, True], ids=["at once", "resumed"])
def test_every_layout_is_read_both_ways(options: dict[str, bool], resume: bool) -> None:
    image = image_of(SPARSE, zeros=(3, 600, 1024), **options)
    file = image.build()
    assert vmdk_images.read_at_random(file, 1, table_readers=2) == image.content()
    assert vmdk_images.read_forward(file, 1, resume) == image.content()


def test_grains_in_any_order_are_read(options: dict[str, bool]) -> None:
    image = image_of(SPARSE, **options)
    order = random.Random(5).sample(SPARSE, len(SPARSE))
    file = image.build(order)
    assert vmdk_images.read_at_random(file, 2, unit_bytes=3 * SIZE) == image.content()
    assert vmdk_images.read_forward(file, 2) == image.content()


@pytest.mark.parametrize("capacity", [1, 7, 9, 4095, 4097])
def test_a_disk_that_ends_within_a_grain_is_cut(options: dict[str, bool], capacity: int) -> None:
    image = image_of([0, (capacity - 1) // 8], capacity=capacity, **options)
    file = image.build()
    assert vmdk_images.read_at_random(file, 3) == image.content()
    assert vmdk_images.read_forward(file, 3, resume=True) == image.content()


def test_an_empty_disk_is_read(options: dict[str, bool]) -> None:
    image = Image({}, capacity=10_000, **options)
    file = image.build()
    assert vmdk_images.read_at_random(file) == image.content()
    assert vmdk_images.read_forward(file, resume=True) == image.content()


def test_what_is_done_is_not_fetched_again(options: dict[str, bool]) -> None:
    image = image_of(list(range(96)), **options)
    done = Intervals([(0, 32 * SIZE), (48 * SIZE, 64 * SIZE)])
    units = vmdk_images.units_of(image.build(), done, unit_bytes=4 * SIZE)
    covered = [part for unit in units for part in unit.covers]
    assert readers.joined(covered) == [(32 * SIZE, 48 * SIZE), (64 * SIZE, 96 * SIZE)]


def test_a_large_packed_disk_is_read_with_little_state() -> None:
    image = image_of(list(range(0, 60 * PER_TABLE, 5)), packed=True, footer=True)
    file = image.build()
    decoder = vmdk.ForwardVmdk()
    for start in range(0, len(file) - SIZE, 1 << 20):
        for _ in decoder.feed(file[start : start + (1 << 20)]):
            pass
        state = decoder.snapshot()
        assert state is not None
        assert len(state) < 64 << 10


def test_units_of_a_packed_disk_are_in_file_order_and_hardly_overlap() -> None:
    image = image_of(list(range(3000)), packed=True, footer=True)
    file = image.build()
    units = vmdk_images.units_of(file)
    fetched = sum(unit.end - unit.start for unit in units)
    assert units == sorted(units, key=lambda unit: unit.start)
    assert fetched <= len(file)


def test_tables_behind_the_grains_need_scratch_in_one_pass() -> None:
    image = image_of([0, 1])
    file = bytearray(image.build())
    table, end = image.positions["table", 0], len(file) // 512
    file += file[table * 512 : table * 512 + 2048]
    directory = image.positions["directory"] * 512
    file[directory : directory + 4] = end.to_bytes(4, "little")
    assert vmdk_images.read_at_random(bytes(file)) == image.content()
    with pytest.raises(errors.NeedsScratch):
        vmdk_images.read_forward(bytes(file))


def test_scattered_grains_beyond_the_memory_limit_need_scratch() -> None:
    numbers = list(range(4000))
    image = image_of(numbers)
    file = image.build(random.Random(1).sample(numbers, len(numbers)))
    with pytest.raises(errors.NeedsScratch):
        vmdk_images.read_forward(file, agenda_limit=20_000)
