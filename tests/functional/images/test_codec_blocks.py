"""Parts of multi-block xz and seekable zstd decode by themselves, and hostile tables do no harm."""

import gc
import struct
import tracemalloc
import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard

from cdi.images import errors, intervals, layout
from cdi.images.codecs import blocks, decoder, xzindex, zstdindex
from cdi.images.transfer import parallel
from support import compressed

PLAIN = compressed.plain(400_000)
LIMIT = 64 << 20

OBJECTS = {
    "xz": compressed.xz_in_blocks(PLAIN),
    "xz-sha256": compressed.xz_in_blocks(PLAIN, "--check=sha256"),
    "xz-streams": compressed.halves("xz -c -0 --block-size=50000", PLAIN, bytes(8)) + bytes(9000),
    "zst": compressed.seekable_zst(PLAIN, 70_000),
    "zst-checksums": compressed.seekable_zst(PLAIN, 70_000, checksums=True),
}
NAMES = list(OBJECTS)


class Object:
    """A ranged source of bytes that insists on ranges within it, and counts."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.reads = 0

    def read(self, offset: int, length: int) -> bytes:
        assert offset >= 0
        assert length > 0
        assert offset + length <= len(self.data)
        self.reads += 1
        return self.data[offset : offset + length]


def codec_of(name: str) -> str:
    return name.partition("-")[0]


def layout_of(name: str, data: bytes) -> blocks.BlockLayout | None:
    return blocks.layout_of(codec_of(name), Object(data).read, len(data))


def units(name: str, done: intervals.Intervals | None = None) -> list[layout.Unit]:
    data = OBJECTS[name]
    reader = Object(data).read
    found = blocks.units(codec_of(name), reader, len(data), done or intervals.Intervals())
    assert found is not None
    return list(found)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_follow_each_other_and_cover_the_disk(name: str) -> None:
    found = layout_of(name, OBJECTS[name])
    assert found
    assert found.virtual_size == len(PLAIN)
    assert len(found.blocks) >= 5
    output = 0
    for block in found.blocks:
        assert block.output_start == output
        output = block.output_end
    assert output == len(PLAIN)


@pytest.mark.parametrize("name", NAMES)
def test_the_table_is_found_with_few_reads(name: str) -> None:
    source = Object(OBJECTS[name])
    blocks.layout_of(codec_of(name), source.read, len(source.data))
    assert source.reads <= 9


@pytest.mark.parametrize("piece", [1, 4096, 1 << 20])
@pytest.mark.parametrize("name", NAMES)
def test_each_block_decodes_alone(name: str, piece: int) -> None:
    data = OBJECTS[name]
    found = layout_of(name, data)
    assert found
    for block in found.blocks:
        pieces = compressed.every(data[block.start : block.end], piece)
        got = b"".join(blocks.decode_block(codec_of(name), block, pieces))
        assert got == PLAIN[block.output_start : block.output_end]


@pytest.mark.parametrize("together", [0, 30_000, 1 << 20])
@pytest.mark.parametrize("name", NAMES)
def test_units_decoded_in_parallel_make_the_whole(
    name: str, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "TOGETHER", together)
    data = OBJECTS[name]
    disk = bytearray(len(PLAIN))

    def decode(unit: layout.Unit) -> None:
        for write in unit.decode(compressed.every(data[unit.start : unit.end], 5000)):
            disk[write.offset : write.offset + len(write.data)] = write.data

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(decode, units(name)))
    assert disk == PLAIN


def test_empty_space_is_shared_out_however_small_it_was_packed() -> None:
    empty = 80 << 20
    data = compressed.run("xz -0 --block-size=1MiB -c", bytes(empty))
    assert len(data) < blocks.TOGETHER
    found = blocks.layout_of("xz", Object(data).read, len(data))
    assert found
    shares = [parallel.unfolded_by(unit) for unit in found.units(intervals.Intervals())]
    assert len(shares) == 3
    assert max(shares) == layout.SHARE
    assert sum(shares) == empty


@pytest.mark.parametrize(
    ("dictionary", "at_once"),
    [("256KiB", 256), ("1MiB", 64), ("8MiB", 8), ("16MiB", 4), ("32MiB", None)],
)
def test_no_more_blocks_at_once_than_there_is_memory_for(
    dictionary: str, at_once: int | None
) -> None:
    packed = compressed.run(f"xz --lzma2=preset=0,dict={dictionary} --block-size=20KiB -c", PLAIN)
    found = blocks.layout_of("xz", Object(packed).read, len(packed))
    assert (found.at_once if found else None) == at_once


def test_a_frame_may_have_a_larger_window_than_the_first() -> None:
    parts = [compressed.plain(1000), compressed.plain(100_000) + bytes(12 << 20)]
    wide = zstandard.ZstdCompressionParameters(window_log=24)
    frames = [zstandard.ZstdCompressor(compression_params=wide).compress(part) for part in parts]
    sizes = [(len(frame), len(part)) for frame, part in zip(frames, parts, strict=True)]
    packed = b"".join(frames) + compressed.seek_table(sizes)
    found = blocks.layout_of("zst", Object(packed).read, len(packed))
    assert found
    large = found.blocks[1]
    got = b"".join(blocks.decode_block("zst", large, [packed[large.start : large.end]]))
    assert got == parts[1]


def test_a_decoded_block_gives_back_its_memory_at_once() -> None:
    packed = compressed.run("xz --lzma2=preset=0,dict=8MiB --block-size=20KiB -c", PLAIN)
    found = blocks.layout_of("xz", Object(packed).read, len(packed))
    assert found
    gc.disable()
    tracemalloc.start()
    try:
        for block in found.blocks:
            deque(blocks.decode_block("xz", block, [packed[block.start : block.end]]), maxlen=0)
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    assert left < 8 << 20


@pytest.mark.parametrize("name", NAMES)
def test_units_leave_out_what_is_done(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "TOGETHER", 0)
    everything = [unit.covers[0] for unit in units(name)]
    done = intervals.Intervals()
    done.add(*everything[1])
    assert [unit.covers[0] for unit in units(name, done)] == everything[:1] + everything[2:]
    done.add(0, len(PLAIN))
    assert units(name, done) == []


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        pytest.param("xz", compressed.run("xz -c", PLAIN), id="one-block"),
        pytest.param("xz", compressed.run("xz -c", b""), id="no-block"),
        pytest.param("zst", compressed.run("zstd -q -c", PLAIN), id="no-seek-table"),
        pytest.param("zst", compressed.halves("zstd -q -c", PLAIN), id="frames-but-no-table"),
        pytest.param("zst", compressed.seekable_zst(PLAIN, len(PLAIN)), id="one-frame"),
        pytest.param("gz", compressed.run("gzip -c", PLAIN), id="another-codec"),
        pytest.param(
            "xz", compressed.xz_in_blocks(PLAIN, "--lzma2=dict=64MiB"), id="much-memory-each"
        ),
        pytest.param("xz", compressed.run("xz -c", b"a") * 65, id="too-many-streams"),
    ],
)
def test_the_rest_is_decoded_forward(codec: str, data: bytes) -> None:
    assert blocks.layout_of(codec, Object(data).read, len(data)) is None


@pytest.mark.parametrize("name", NAMES)
def test_damage_within_a_block_is_found(name: str) -> None:
    found = layout_of(name, OBJECTS[name])
    assert found
    block = found.blocks[1]
    for place in range(block.start, block.end, 97):
        data = bytearray(OBJECTS[name])
        data[place] ^= 0x10
        with pytest.raises(errors.ContentError):
            list(blocks.decode_block(codec_of(name), block, [bytes(data[block.start : block.end])]))


@pytest.mark.parametrize("name", NAMES)
def test_a_block_that_is_cut_is_truncated(name: str) -> None:
    found = layout_of(name, OBJECTS[name])
    assert found
    block = found.blocks[1]
    with pytest.raises(errors.TruncatedSource):
        list(
            blocks.decode_block(codec_of(name), block, [OBJECTS[name][block.start : block.end - 1]])
        )


def lies(block: decoder.Block) -> Iterator[decoder.Block]:
    start, end, out, out_end = block.start, block.end, block.output_start, block.output_end
    yield decoder.Block(start, end, out, out_end - 1, block.detail)
    yield decoder.Block(start, end, out, out_end + 1, block.detail)
    yield decoder.Block(start, end - 4, out, out_end, block.detail)
    yield decoder.Block(start + 4, end, out, out_end, block.detail)
    yield decoder.Block(start, end + 8, out, out_end, block.detail)


@pytest.mark.parametrize("name", NAMES)
def test_a_block_never_yields_more_than_its_table_says(name: str) -> None:
    found = layout_of(name, OBJECTS[name])
    assert found
    for lie in lies(found.blocks[1]):
        got: list[bytes] = []
        with pytest.raises(errors.ContentError):
            got.extend(
                blocks.decode_block(codec_of(name), lie, [OBJECTS[name][lie.start : lie.end]])
            )
        assert sum(map(len, got)) <= lie.output_end - lie.output_start


def vli(value: int) -> bytes:
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def xz_ending(records: list[tuple[int, int]], count: int | None = None) -> bytes:
    """Return an index and a footer, both with good checksums, that claim `records`."""
    body = b"\0" + vli(len(records) if count is None else count)
    body += b"".join(vli(number) for record in records for number in record)
    body += bytes(-len(body) % 4)
    index = body + struct.pack("<I", zlib.crc32(body))
    fields = struct.pack("<I", len(index) // 4 - 1) + b"\0\4"
    return index + struct.pack("<I", zlib.crc32(fields)) + fields + b"YZ"


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(xz_ending([(1 << 62, 5), (1 << 62, 5)]), id="beyond-the-object"),
        pytest.param(xz_ending([(100, 1 << 63 - 1)] * 2), id="enormous-output"),
        pytest.param(xz_ending([(100, 5)] * 2), id="not-reaching-the-header"),
        pytest.param(xz_ending([(0, 5)] * 2), id="empty-blocks"),
        pytest.param(xz_ending([(100, 5)], count=1 << 60), id="enormous-count"),
        pytest.param(xz_ending([(100, 5)] * 3, count=2), id="more-than-counted"),
        pytest.param(xz_ending([]), id="no-blocks"),
        pytest.param(b"\0" * 12, id="only-padding"),
        pytest.param(
            struct.pack("<I", zlib.crc32(b"\xff" * 4 + b"\0\4")) + b"\xff" * 4 + b"\0\4YZ",
            id="enormous-index",
        ),
    ],
)
def test_a_hostile_xz_index_is_refused(ending: bytes) -> None:
    for before in (OBJECTS["xz"][:20_000], b""):
        data = before + ending
        with pytest.raises(errors.ContentError):
            xzindex.blocks(Object(data).read, len(data), LIMIT)


def test_every_flipped_bit_at_the_end_of_xz_is_noticed() -> None:
    whole = OBJECTS["xz"]
    for place in range(len(whole) - 40, len(whole)):
        data = bytearray(whole)
        data[place] ^= 1
        with pytest.raises(errors.ContentError):
            xzindex.blocks(Object(bytes(data)).read, len(data), LIMIT)


def test_an_xz_object_without_its_end_is_truncated() -> None:
    data = OBJECTS["xz"][:-1000]
    with pytest.raises(errors.TruncatedSource):
        xzindex.blocks(Object(data).read, len(data), LIMIT)


def test_an_index_larger_than_one_read_is_found() -> None:
    data = compressed.run("xz -c -0 --block-size=4096", bytes(12 << 20))
    found = xzindex.blocks(Object(data).read, len(data), LIMIT)
    assert len(found) == 3072
    assert found[-1].output_end == 12 << 20


@pytest.mark.parametrize(
    "table",
    [
        pytest.param(compressed.seek_table([(1 << 31, 5)] * 2), id="beyond-the-object"),
        pytest.param(compressed.seek_table([(0, 5)] * 2), id="output-from-nothing"),
        pytest.param(compressed.seek_table([]), id="empty"),
        pytest.param(compressed.seek_table([(9, 9)])[4:], id="cut"),
        pytest.param(struct.pack("<IBI", 1 << 31, 0, 0x8F92EAB1), id="enormous-count"),
        pytest.param(struct.pack("<IBI", 1, 0x7C, 0x8F92EAB1), id="reserved-bits"),
    ],
)
def test_a_hostile_seek_table_is_no_table(table: bytes) -> None:
    for before in (OBJECTS["zst"][:20_000], b""):
        data = before + table
        assert zstdindex.frames(Object(data).read, len(data), LIMIT) == ()


def test_a_frame_that_wants_much_memory_is_not_decoded_in_parallel() -> None:
    data = OBJECTS["zst"]
    assert zstdindex.frames(Object(data).read, len(data), 1 << 10) == ()
