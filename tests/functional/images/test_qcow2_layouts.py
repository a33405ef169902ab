"""Layouts that no program makes: any order of tables and data, read both ways."""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cdi.images import errors
from cdi.images.formats.image import Ranged
from support import qcow2_images, readers
from support.qcow2_images import Image, Packed, Parts, Plain, Zero


def filling(seed: int, size: int) -> bytes:
    """Return bytes of one of several kinds: random, repeating, sparse."""
    chance = random.Random(seed)
    word = chance.randbytes(chance.choice([size, 30, 1]))
    data = bytearray((word * (size // len(word) + 1))[:size])
    data[: chance.choice([0, 0, size // 2])] = b""
    return bytes(data).ljust(size, b"\0")


@st.composite
def images(draw: st.DrawFn, extended: bool = False) -> tuple[Image, list[object]]:
    """Draw an image and an order of what is in it."""
    bits = 14 if extended else draw(st.sampled_from([9, 9, 10, 12]))
    size = 1 << bits
    count = draw(st.integers(1, 40 if extended else 300))
    image = Image({}, max(count * size - draw(st.integers(0, 3)) * 128, 512), cluster_bits=bits)
    image.extended = extended
    image.version = 3 if extended else draw(st.sampled_from([2, 3]))
    image.zstd = image.version == 3 and draw(st.booleans())
    kinds: list[str] = ["plain", "packed", "packed"]
    if image.version == 3:
        kinds += ["zero", "held"]
    if extended:
        kinds += ["parts", "parts"]
    used = draw(st.sets(st.integers(0, -(-image.virtual_size // size) - 1), max_size=25))
    for guest in sorted(used):
        kind = draw(st.sampled_from(kinds))
        data = filling(draw(st.integers(0, 1 << 32)), size)
        allocated = draw(st.integers(0, (1 << 32) - 1)) if kind == "parts" else 0
        image.clusters[guest] = {
            "plain": Plain(data),
            "packed": Packed(data),
            "zero": Zero(),
            "held": Zero(held=True),
            "parts": Parts(data, allocated, ~allocated & 0xF0F0F0F0),
        }[kind]
    image.junk = {f"leaked {n}": filling(n, size) for n in range(draw(st.integers(0, 2)))}
    order = draw(
        st.one_of(
            st.just(image.items()),
            st.just(image.items()[::-1]),
            st.permutations(image.items()),
        )
    )
    return image, order


def assert_all_ways_give(image: Image, order: list[object], seed: int) -> None:
    file, disk = image.build(order, align_end=1 if seed % 2 else 512), image.content()
    assert qcow2_images.read_at_random(file, seed) == disk
    assert qcow2_images.read_at_random(file, seed, unit_bytes=2048, table_readers=3) == disk
    assert qcow2_images.read_forward(file, seed) == disk
    assert qcow2_images.read_forward(file, seed, resume=True) == disk


relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@relaxed
@given(images(), st.integers(0, 1000))
def test_any_order_of_tables_and_data_is_read(drawn: tuple[Image, list[object]], seed: int) -> None:
    assert_all_ways_give(*drawn, seed)


@settings(relaxed, max_examples=40)
@given(images(extended=True), st.integers(0, 1000))
def test_any_pattern_of_subclusters_is_read(drawn: tuple[Image, list[object]], seed: int) -> None:
    assert_all_ways_give(*drawn, seed)


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="needs qemu-utils")
@settings(relaxed, max_examples=25)
@given(st.one_of(images(), images(extended=True)))
def test_qemu_img_agrees_about_such_layouts(
    tmp_path: Path, drawn: tuple[Image, list[object]]
) -> None:
    image, order = drawn
    path, out = tmp_path / "disk.qcow2", tmp_path / "disk.raw"
    path.write_bytes(image.build(order, align_end=512))
    subprocess.run(
        ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, out],
        check=True, capture_output=True,
    )  # fmt: skip
    got = out.read_bytes()  # qemu-img rounds the size of a disk down to sectors
    assert len(got) == image.virtual_size // 512 * 512
    assert got == image.content()[: len(got)]


def everything(bits: int = 12, tables: int = 3) -> Image:
    """Return an image with some clusters in each of several L2 tables."""
    per_table = (1 << bits) // 8
    image = Image({}, per_table * tables << bits, cluster_bits=bits)
    for table in range(tables):
        for index in range(12):
            kind = Packed if index % 3 else Plain
            guest = table * per_table + index * 2
            image.clusters[guest] = kind(filling(guest, 1 << bits))
    return image


def test_data_before_all_tables_is_parked() -> None:
    image = everything()
    file = image.build(image.items()[::-1])
    assert qcow2_images.read_forward(file) == image.content()


def test_more_than_fits_to_be_parked_needs_scratch() -> None:
    image = everything()
    file = image.build(image.items()[::-1])
    with pytest.raises(errors.NeedsScratch, match="in one pass"):
        qcow2_images.read_forward(file, spill_limit=16 << 10)


class Room:
    """Room for what does not fit, with as much of it as there is at a time."""

    def __init__(self) -> None:
        self.pieces: dict[int, bytes] = {}
        self.most = 0

    def put(self, offset: int, data: bytes) -> None:
        self.pieces |= {offset + at: bytes(data[at : at + 1]) for at in range(len(data))}
        self.most = max(self.most, len(self.pieces))

    def get(self, offset: int, length: int) -> bytes:
        return b"".join(self.pieces[offset + at] for at in range(length))

    def free(self, start: int, end: int) -> None:
        for at in range(start, end):
            del self.pieces[at]


def test_what_does_not_fit_waits_elsewhere() -> None:
    image = everything()
    file = image.build(image.items()[::-1])
    room = Room()

    def decoder(state: bytes | None) -> qcow2_images.qcow2.ForwardQcow2:
        made = qcow2_images.qcow2.ForwardQcow2(state=state, spill_limit=16 << 10)
        made.park_in(room)
        return made

    assert readers.forward(decoder, file, 0, resume=True) == image.content()
    assert room.most > 16 << 10
    assert room.pieces == {}


def test_zeros_before_their_table_take_no_room() -> None:
    image = everything()
    image.clusters = {guest: Plain(bytes(image.size)) for guest in range(900)}
    file = image.build(image.items()[::-1])
    assert qcow2_images.read_forward(file, spill_limit=64 << 10) == image.content()


def test_leaked_clusters_after_the_last_table_take_no_room() -> None:
    image = everything()
    image.junk = {"leaked": b"\xaa" * (64 * image.size)}
    tables = [item for item in image.items() if isinstance(item, tuple)]
    rest = [item for item in image.items() if not isinstance(item, tuple | int)]
    data = [item for item in image.items() if isinstance(item, int)]
    file = image.build(["l1", *tables, *reversed(rest[:1]), "leaked", *data])
    assert qcow2_images.read_forward(file, spill_limit=64 << 10) == image.content()


class Done:
    """Guest bytes that a journal names as complete."""

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        self._ranges = readers.joined(ranges)

    def covers(self, start: int, end: int) -> bool:
        return any(first <= start and end <= after for first, after in self._ranges)


@relaxed
@given(images(), st.randoms(use_true_random=False))
def test_what_is_done_is_left_out_and_nothing_else(
    drawn: tuple[Image, list[object]], chance: random.Random
) -> None:
    image, order = drawn
    file = image.build(order)
    units = qcow2_images.units_of(file, unit_bytes=1024)
    every = [piece for unit in units for piece in unit.covers]
    done = [piece for piece in every if chance.random() < 0.5]
    left = qcow2_images.units_of(file, Done(done), unit_bytes=1024)
    got = readers.joined([piece for unit in left for piece in unit.covers] + done)
    assert got == readers.joined(every)


def test_long_plain_runs_are_cut_into_units_and_resumed_by_cluster() -> None:
    bits = 16
    image = Image(
        {guest: Plain(filling(guest, 1 << bits)) for guest in range(64)},
        64 << bits,
        cluster_bits=bits,
    )
    file = image.build()
    units = qcow2_images.units_of(file, unit_bytes=256 << 10)
    assert [unit.end - unit.start for unit in units] == [256 << 10] * 16
    left = qcow2_images.units_of(file, Done([(65536, 3 * 65536)]), unit_bytes=256 << 10)
    assert [unit.covers for unit in left][:2] == [
        ((0, 65536),),  # the gap behind it is not worth fetching
        ((3 * 65536, 7 * 65536),),
    ]


def test_plain_bytes_are_passed_on_without_a_copy() -> None:
    image = Image({0: Plain(filling(1, 65536))}, 65536, cluster_bits=16)
    file = image.build()
    (unit,) = qcow2_images.units_of(file)
    piece = file[unit.start : unit.end]
    (write,) = unit.decode([piece])
    assert write.data is piece


def test_near_tables_are_fetched_together() -> None:
    image = everything(tables=40)
    order = [item for item in image.items() if isinstance(item, tuple)]
    file = image.build([*order, *(item for item in image.items() if item not in order)])
    reads: list[tuple[int, int]] = []

    def reader(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        return file[offset : offset + length]

    header = qcow2_images.qcow2.parse_header(file, len(file))
    layout = qcow2_images.qcow2.RandomQcow2(Ranged(reader, len(file)), header)
    assert list(layout.units(readers.Nothing()))
    assert len(reads) == 2  # one for the L1 table, one for forty L2 tables
