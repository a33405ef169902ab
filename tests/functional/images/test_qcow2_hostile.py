"""Tables that were made to harm: refused by both readers, in bounded time and memory."""

from __future__ import annotations

import dataclasses
import random
import struct
import tracemalloc
import zlib
from array import array
from collections.abc import Callable

import pytest
import zstandard

from cdi.images import errors
from cdi.images.errors import CorruptImage, NeedsScratch, TruncatedSource
from cdi.images.formats.image import Ranged
from support import qcow2_images, readers
from support.qcow2_images import COMPRESSED, COPIED, Image, Packed, Parts, Plain, Zero

BITS = 14
SIZE = 1 << BITS
PER_TABLE = SIZE // 8
Damage = Callable[[Image, bytearray], object]


def victim(**options: bool) -> Image:
    """Return an image with plain and compressed clusters in two L2 tables."""
    chance = random.Random(1)
    image = Image({}, 2 * PER_TABLE * SIZE, cluster_bits=BITS, **options)
    second = image.per_table
    for guest in (0, 1, second, second + 1):
        image.clusters[guest] = Plain(chance.randbytes(SIZE))
    for guest in (4, 5, second + 4):
        image.clusters[guest] = Packed(chance.randbytes(1900) + bytes(SIZE - 1900))
    image.clusters[7] = Zero(held=True)
    return image


def put(file: bytearray, offset: int, value: int, form: str = ">Q") -> None:
    struct.pack_into(form, file, offset, value)


def entry(guest: int, value: int | Callable[[Image], int]) -> Damage:
    """Return damage to the L2 entry of a guest cluster."""

    def damage(image: Image, file: bytearray) -> None:
        put(file, image.l2_entry(guest), value if isinstance(value, int) else value(image))

    return damage


def at(item: object, flags: int = COPIED, plus: int = 0) -> Callable[[Image], int]:
    """Return an entry that points to where an item lies."""
    return lambda image: (image.positions[item] + plus) | flags


def l1(table: int, value: int | Callable[[Image], int]) -> Damage:
    def damage(image: Image, file: bytearray) -> None:
        put(file, image.l1_entry(table), value if isinstance(value, int) else value(image))

    return damage


def packed_at(item: object, length: int) -> Callable[[Image], int]:
    return lambda image: image.descriptor(image.positions[item], length)


def content(blob: bytes) -> Damage:
    """Return damage to compressed bytes."""

    def damage(image: Image, file: bytearray) -> None:
        start = image.positions[5]
        file[start : start + len(blob)] = blob

    return damage


def deflated(data: bytes) -> bytes:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -12)
    return squeeze.compress(data) + squeeze.flush()


def cut(length: Callable[[Image], int]) -> Damage:
    def damage(image: Image, file: bytearray) -> None:
        del file[length(image) :]

    return damage


BOTH = (CorruptImage, CorruptImage)
CASES = [
    pytest.param(entry(1, at(0)), BOTH, "in use", id="two-guests-one-cluster"),
    pytest.param(entry(PER_TABLE + 1, at(0)), BOTH, "in use", id="shared-across-tables"),
    pytest.param(entry(1, at(("l2", 0))), BOTH, "in use", id="own-l2-table-as-data"),
    pytest.param(entry(1, at(("l2", 1))), BOTH, "in use", id="other-l2-table-as-data"),
    pytest.param(entry(1, at("l1")), BOTH, "in use", id="l1-table-as-data"),
    pytest.param(entry(1, at("refcounts")), BOTH, "in use", id="refcount-table-as-data"),
    pytest.param(entry(1, COPIED), BOTH, "guest offset 16384", id="header-as-data"),
    pytest.param(entry(1, packed_at(4, 1900)), BOTH, "in use", id="compressed-before-it-shared"),
    pytest.param(entry(1, packed_at(PER_TABLE + 1, 700)), BOTH, "in use",
                 id="plain-cluster-as-compressed"),
    pytest.param(entry(1, packed_at(("l2", 1), 700)), BOTH, "in use", id="l2-table-as-compressed"),
    pytest.param(entry(1, packed_at("l1", 700)), BOTH, "in use", id="l1-table-as-compressed"),
    pytest.param(entry(1, COMPRESSED | 100), BOTH, "guest offset 16384",
                 id="header-as-compressed"),
    pytest.param(entry(1, lambda i: i.positions[4] // SIZE * SIZE | COPIED), BOTH, "in use",
                 id="compressed-bytes-as-plain-cluster"),
    pytest.param(l1(1, at(("l2", 0))), BOTH, "L2 table|table of guest", id="l2-table-twice"),
    pytest.param(l1(1, at("l1")), BOTH, "table of guest offset 33554432", id="l1-names-itself"),
    pytest.param(l1(1, at("refcounts")), BOTH, "in use|overlaps", id="refcounts-as-l2-table"),
    pytest.param(l1(1, at(0)), BOTH, "in use|bits", id="data-as-l2-table"),
    pytest.param(l1(1, at(("l2", 1), plus=512)), BOTH, "L1 entry 1", id="l2-table-not-aligned"),
    pytest.param(l1(1, at(("l2", 1), flags=1)), BOTH, "L1 entry 1", id="l1-low-reserved-bit"),
    pytest.param(l1(1, at(("l2", 1), flags=1 << 58)), BOTH, "L1 entry 1",
                 id="l1-high-reserved-bit"),
    pytest.param(l1(1, (1 << 56) - SIZE), (CorruptImage, TruncatedSource), "table of guest",
                 id="l2-table-out-of-the-file"),
    pytest.param(entry(1, (1 << 56) - SIZE), (CorruptImage, TruncatedSource), "guest offset 16384",
                 id="data-out-of-the-file"),
    pytest.param(entry(1, at(1, plus=512)), BOTH, "guest offset 16384", id="data-not-aligned"),
    pytest.param(entry(1, at(1, flags=1 << 57)), BOTH, "guest offset 16384",
                 id="high-reserved-bit"),
    pytest.param(entry(1, at(1, flags=1 << 3)), BOTH, "guest offset 16384", id="low-reserved-bit"),
    pytest.param(entry(1, lambda i: i.descriptor(1 << 50, 700)), (CorruptImage, TruncatedSource),
                 "guest offset 16384", id="compressed-out-of-the-file"),
    pytest.param(entry(5, lambda i: (1 << 62) - 1 - (1 << 40) | COMPRESSED),
                 (CorruptImage, TruncatedSource), "guest offset 81920",
                 id="compressed-with-all-bits"),
    pytest.param(content(b"\xff" * 30), BOTH, "guest offset 81920", id="not-deflate"),
    pytest.param(content(deflated(bytes(SIZE - 1))), BOTH, "guest offset 81920", id="too-little"),
    pytest.param(content(deflated(bytes(SIZE + 1))), BOTH, "guest offset 81920", id="too-much"),
    pytest.param(content(deflated(bytes(60 << 10))), BOTH, "guest offset 81920", id="bomb"),
    pytest.param(cut(lambda i: i.positions[PER_TABLE + 1] + 100),
                 (CorruptImage, TruncatedSource), "cut short|source ended", id="cut-in-data"),
    pytest.param(cut(lambda i: i.positions["l2", 1] + 100),
                 (CorruptImage, TruncatedSource), "cut short|source ended", id="cut-in-l2-table"),
    pytest.param(cut(lambda i: i.positions["l1"] + 9),
                 (CorruptImage, (CorruptImage, TruncatedSource)), "cut short|source ended",
                 id="cut-in-l1-table"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "expected", "words"), CASES)
def test_harmful_tables_are_refused_by_both_readers(
    damage: Damage,
    expected: tuple[type[Exception], type[Exception]],
    words: str,
) -> None:
    image = victim()
    file = bytearray(image.build())
    damage(image, file)
    with pytest.raises(expected[0], match=words):
        qcow2_images.read_at_random(bytes(file))
    with pytest.raises(expected[1], match=words):
        qcow2_images.read_forward(bytes(file))


@pytest.mark.parametrize(("damage", "expected", "words"), CASES)
def test_harmful_tables_behind_their_data_are_refused_too(
    damage: Damage,
    expected: tuple[type[Exception], type[Exception]],
    words: str,
    request: pytest.FixtureRequest,
) -> None:
    image = victim()
    items = image.items()
    order = [item for item in items if not isinstance(item, tuple | str)]
    order += [item for item in items if isinstance(item, tuple)] + ["refcounts", "l1"]
    file = bytearray(image.build(order))
    damage(image, file)
    with pytest.raises(CorruptImage):
        qcow2_images.read_at_random(bytes(file))
    with pytest.raises((CorruptImage, TruncatedSource)):
        qcow2_images.read_forward(bytes(file))


def frame(announced: int, data: bytes) -> bytes:
    """Return a zstd frame that announces another size than it has."""
    return b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", announced) + zstandard.compress(data)[6:]


@pytest.mark.parametrize(
    "blob",
    [
        pytest.param(b"no frame at all", id="not-zstd"),
        pytest.param(zstandard.compress(bytes(SIZE - 1)), id="too-little"),
        pytest.param(zstandard.compress(bytes(SIZE * 500)), id="bomb"),
        pytest.param(frame(1 << 62, bytes(SIZE)), id="announces-exbibytes"),
        pytest.param(
            zstandard.ZstdCompressor(write_content_size=False).compress(bytes(SIZE * 500)),
            id="bomb-without-announcement",
        ),
    ],
)
def test_harmful_zstd_is_refused(blob: bytes) -> None:
    image = victim(zstd=True)
    file = bytearray(image.build())
    content(blob)(image, file)
    for read in (qcow2_images.read_at_random, qcow2_images.read_forward):
        with pytest.raises(CorruptImage, match="guest offset 81920"):
            read(bytes(file))


@pytest.mark.parametrize(
    ("descriptor", "bitmap"),
    [
        pytest.param(lambda place: place | COPIED, 1 | 1 << 32, id="allocated-and-zero"),
        pytest.param(lambda place: 0, 1, id="allocated-nowhere"),
        pytest.param(lambda place: place | COPIED | 1, 1, id="zero-flag"),
        pytest.param(lambda place: place + 512 | COPIED, 1, id="not-aligned"),
        pytest.param(lambda place: place | COMPRESSED, 1, id="compressed-with-a-bitmap"),
    ],
)
def test_harmful_subclusters_are_refused(descriptor: Callable[[int], int], bitmap: int) -> None:
    image = victim(extended=True)
    image.clusters[2] = Parts(bytes(range(256)) * (SIZE // 256), 0xFF)
    file = bytearray(image.build())
    put(file, image.l2_entry(2), descriptor(image.positions[2]))
    put(file, image.l2_entry(2) + 8, bitmap)
    for read in (qcow2_images.read_at_random, qcow2_images.read_forward):
        with pytest.raises(CorruptImage, match="guest offset 32768"):
            read(bytes(file))


def test_zero_flags_in_version_2_are_refused() -> None:
    image = victim()
    image.clusters.pop(7)
    image.version = 2
    file = bytearray(image.build())
    put(file, image.l2_entry(9), 1)
    for read in (qcow2_images.read_at_random, qcow2_images.read_forward):
        with pytest.raises(CorruptImage, match="guest offset 147456"):
            read(bytes(file))


def peak_of(action: Callable[[], object]) -> int:
    """Return the most memory that Python objects took meanwhile, in bytes."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def huge(l2_table: bytes, bits: int, tables: int) -> tuple[qcow2_images.qcow2.Header, object, int]:
    """Return a header, a reader and a size: every L1 entry names its own copy of one table."""
    size = 1 << bits
    per_table = size // 8
    start = 4 * size + -(-tables * 8 // size) * size
    header = qcow2_images.qcow2.Header(
        version=3,
        cluster_bits=bits,
        virtual_size=tables * per_table * size,
        l1_offset=2 * size,
        l1_declared=tables,
        refcount_table_offset=size,
        refcount_table_clusters=1,
    )
    l1_table = struct.pack(f">{tables}Q", *(start + n * size for n in range(tables)))

    def reader(offset: int, length: int) -> bytes:
        if offset < start:
            return l1_table[offset - header.l1_offset :][:length]
        return (l2_table * (length // size + 1))[:length]

    return header, reader, 1 << 50


def test_many_tables_of_zero_clusters_far_apart_take_bounded_memory() -> None:
    bits = 16
    chance = random.Random(3)
    places = [chance.randrange(1 << 20, 1 << 30) << bits for _ in range(1 << bits - 3)]
    table = struct.pack(f">{len(places)}Q", *(place | 1 for place in places))
    header, reader, size = huge(table, bits, tables=40)

    def read() -> None:
        layout = qcow2_images.qcow2.RandomQcow2(Ranged(reader, size), header)
        with pytest.raises(CorruptImage, match="in use"):
            list(layout.units(readers.Nothing()))

    assert peak_of(read) < 60 << 20


def test_a_disk_of_many_windows_is_named_in_bounded_memory() -> None:
    bits, tables = 20, 1
    size = 1 << bits
    header, _, file_size = huge(bytes(size), bits, tables)
    header = dataclasses.replace(header, virtual_size=70_000 * size)  # two windows
    start = 5 * size

    def reader(offset: int, length: int) -> bytes:
        if offset < start:
            return struct.pack(">Q", start)
        # Every second one is further on, so that no two can be joined.
        count, first = length // 16, 64 * size + (offset - start) // 8 * size
        entries = array("Q", bytes(length))
        entries[0::2] = array("Q", range(first, first + 2 * count * size, 2 * size))
        first += size << 20
        entries[1::2] = array("Q", range(first, first + 2 * count * size, 2 * size))
        entries.byteswap()
        return entries.tobytes()

    layout = qcow2_images.qcow2.RandomQcow2(Ranged(reader, file_size), header)
    covered = 0

    def read() -> None:
        nonlocal covered
        for unit in layout.units(readers.Nothing()):
            covered += sum(end - start for start, end in unit.covers)

    assert peak_of(read) < 40 << 20
    assert covered == header.virtual_size


def test_an_l1_table_of_absurd_length_needs_scratch_going_forward() -> None:
    entries = 4 << 20
    header = qcow2_images.qcow2.Header(
        version=3,
        cluster_bits=9,
        virtual_size=entries * 64 * 512,
        l1_offset=1024,
        l1_declared=entries,
        refcount_table_offset=512,
        refcount_table_clusters=1,
    )
    decoder = qcow2_images.qcow2.ForwardQcow2(header, spill_limit=1 << 20)
    list(decoder.feed(bytes(1024)))
    first = 1 << 30

    def feed() -> None:
        for index in range(0, entries, 32768):
            table = range(first + index * 512, first + (index + 32768) * 512, 512)
            list(decoder.feed(struct.pack(">32768Q", *table)))

    def feed_until_refused() -> None:
        with pytest.raises(NeedsScratch):
            feed()

    assert peak_of(feed_until_refused) < 40 << 20


def test_broken_bytes_never_end_in_another_error() -> None:
    image = victim()
    file = image.build()
    tables = [image.positions[item] for item in ("l1", ("l2", 0), ("l2", 1))]
    chance = random.Random(7)
    for _ in range(40):
        broken = bytearray(file)
        for _ in range(chance.randrange(1, 4)):
            place = chance.choice([0, *tables]) + chance.randrange(120)
            if place not in range(20, 32):  # other sizes only make the test slow
                broken[place] ^= 1 << chance.randrange(8)
        for read in (qcow2_images.read_at_random, qcow2_images.read_forward):
            try:
                read(bytes(broken), chance.randrange(100))
            except (errors.ContentError, NeedsScratch):
                continue
