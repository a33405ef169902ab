"""What real programs compressed is decompressed exactly, in bounded memory, or refused."""

import struct
import zlib
from collections.abc import Callable

import lz4.frame
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdi.images import errors
from cdi.images.codecs import codec, decoder, gzipmarks
from support import compressed
from support.compressed import halves, run, xz_in_blocks

LARGE, SMALL, TINY = (compressed.plain(size) for size in (1_500_000, 30_000, 1_500))


def gzip_with_every_field(data: bytes) -> bytes:
    head = b"\x1f\x8b\x08\x1f" + bytes(4) + b"\x02\x03"
    head += struct.pack("<H", 300) + bytes(300) + b"disk.img\0" + b"a comment\0"
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    deflate = zlib.compressobj(wbits=-15)
    body = deflate.compress(data) + deflate.flush()
    return head + body + struct.pack("<II", zlib.crc32(data), len(data))


# Each is a container of the same plain bytes; the codec is the first word of the id.
MAKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda data: run("gzip -c", data),
    "gz-members": lambda data: halves("gzip -c", data),
    "gz-padded": lambda data: halves("gzip -1 -c", data) + bytes(len(data) // 10),
    "gz-every-header-field": gzip_with_every_field,
    "xz": lambda data: run("xz -c", data),
    "xz-blocks": xz_in_blocks,
    "xz-blocks-with-sizes": lambda data: run(f"xz -c -T2 --block-size={len(data) // 3}", data),
    "xz-bcj-delta-sha256": lambda data: xz_in_blocks(
        data, "--check=sha256 --x86 --delta=dist=4 --lzma2=preset=1"
    ),
    "xz-crc32": lambda data: xz_in_blocks(data, "--check=crc32"),
    "xz-unchecked": lambda data: xz_in_blocks(data, "--check=none"),
    "xz-streams-padded": lambda data: (
        halves(f"xz -c --block-size={len(data) // 3}", data, bytes(8))
        + run("xz -c", b"")
        + bytes(len(data) // 60 * 4)
    ),
    "zst": lambda data: run("zstd -q -c", data),
    "zst-frames": lambda data: (
        struct.pack("<II", 0x184D2A53, 3) + b"abc" + halves("zstd -q -c -19", data)
    ),
    "zst-long": lambda data: run("zstd -q -c --long=27", data),
    "zst-unchecked": lambda data: run("zstd -q -c --no-check -1", data),
    "zst-seekable": lambda data: compressed.seekable_zst(data, len(data) // 4),
    "bz2": lambda data: run("bzip2 -c", data),
    "bz2-streams": lambda data: halves("bzip2 -1 -c", data, run("bzip2 -c", b"")),
    "lz4": lambda data: run("lz4 -q -c", data),
    "lz4-frames": lambda data: halves(
        "lz4 -q -c -B4 -BD", data, struct.pack("<II", 0x184D2A50, 5) + b"hello"
    ),
}
MADE = {
    (size, name): make(data)
    for name, make in MAKERS.items()
    for size, data in (("large", LARGE), ("small", SMALL), ("tiny", TINY))
}
NAMES = list(MAKERS)


def codec_of(name: str) -> str:
    return name.partition("-")[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_codec_is_told_by_the_first_bytes(name: str) -> None:
    found = codec.codec_for(MADE["tiny", name][: codec.HEAD])
    assert found
    assert found.name == codec_of(name)


@pytest.mark.parametrize("size", [997, 65_537, 1 << 20])
@pytest.mark.parametrize("name", NAMES)
def test_large_objects_decode_in_pieces_of_any_size(name: str, size: int) -> None:
    pieces = compressed.every(MADE["large", name], size)
    assert compressed.decode(codec_of(name), pieces) == LARGE


@pytest.mark.parametrize("size", [1, 7])
@pytest.mark.parametrize("name", NAMES)
def test_small_objects_decode_in_the_smallest_pieces(name: str, size: int) -> None:
    pieces = compressed.every(MADE["small", name], size)
    assert compressed.decode(codec_of(name), pieces) == SMALL


@given(name=st.sampled_from(NAMES), cuts=st.lists(st.integers(0, 35_000), max_size=20))
@settings(max_examples=100, deadline=None)
def test_it_does_not_matter_where_the_pieces_end(name: str, cuts: list[int]) -> None:
    data = MADE["small", name]
    pieces = compressed.cut(data, [place for place in cuts if place < len(data)])
    assert compressed.decode(codec_of(name), pieces) == SMALL


@pytest.mark.parametrize("name", NAMES)
def test_nothing_at_all_is_a_truncated_object(name: str) -> None:
    with pytest.raises(errors.TruncatedSource):
        compressed.decode(codec_of(name), [])


@pytest.mark.parametrize("name", NAMES)
def test_an_object_cut_anywhere_is_found_out(name: str) -> None:
    data = MADE["tiny", name]
    complete = {point.source: point.output for point in compressed.restarts(codec_of(name), data)}
    for end in range(1, len(data)):
        try:
            got = compressed.decode(codec_of(name), [data[:end]])
        except errors.TruncatedSource:
            continue
        except errors.CorruptImage:
            assert name == "xz-streams-padded", "padding cut to an odd length"
            continue
        boundary = max(place for place in complete if place <= end)
        assert got == TINY[: complete[boundary]]
        assert not any(data[boundary:end]), "only padding may follow a whole stream"


@pytest.mark.parametrize(
    "name", ["gz", "xz", "xz-crc32", "xz-bcj-delta-sha256", "xz-streams-padded", "zst", "bz2"]
)
def test_no_flipped_bit_changes_the_output(name: str) -> None:
    data = MADE["tiny", name]
    for place in range(len(data)):
        broken = bytearray(data)
        broken[place] ^= 1 << place % 8
        try:
            got = compressed.decode(codec_of(name), [bytes(broken)])
        except errors.ContentError:
            continue
        assert got == TINY, f"byte {place}"


@pytest.mark.parametrize("command", ["gzip", "xz -0", "zstd -q", "bzip2", "lz4 -q"])
def test_a_bomb_is_yielded_in_small_pieces(command: str) -> None:
    bomb = run(f"{command} -c", bytes(48 << 20))
    found = codec.codec_for(bomb[:10])
    assert found
    scripted = found.decoder()
    sizes = [len(out) for piece in compressed.every(bomb, 1 << 20) for out in scripted.feed(piece)]
    sizes += [len(out) for out in scripted.finish()]
    assert sum(sizes) == 48 << 20
    assert max(sizes) <= decoder.PIECE


def test_a_zstd_bomb_of_repeated_blocks_is_yielded_in_small_pieces() -> None:
    block = (2 | decoder.PIECE // 8 << 3).to_bytes(3, "little") + b"x"
    bomb = b"\x28\xb5\x2f\xfd\x00\x58" + block * 500 + b"\x01\0\0"
    sizes = [len(out) for out in codec.codec_named("zst").decoder().feed(bomb)]
    assert sum(sizes) == 500 << 17
    assert max(sizes) <= decoder.PIECE


@pytest.mark.parametrize("name", NAMES)
def test_decoding_restarts_at_every_point_that_was_passed(name: str) -> None:
    data = MADE["small", name]
    points = compressed.restarts(codec_of(name), data)
    assert points
    for point in points:
        rest = compressed.every(data[point.source :], 1000)
        assert compressed.decode(codec_of(name), rest, point) == SMALL[point.output :]


@pytest.mark.parametrize(
    ("name", "count"),
    [("gz-members", 2), ("xz-blocks", 6), ("xz-streams-padded", 6), ("zst-seekable", 5)],
)
def test_members_blocks_and_frames_are_points_to_restart_from(name: str, count: int) -> None:
    assert len(compressed.restarts(codec_of(name), MADE["small", name])) == count


def test_a_restart_is_passed_only_when_all_before_it_was_yielded() -> None:
    data = MADE["small", "xz-blocks"]
    scripted = codec.codec_named("xz").decoder()
    got = 0
    for out in scripted.feed(data):
        assert scripted.restart is None or scripted.restart.output <= got
        got += len(out)


GZIPS = [name for name in NAMES if codec_of(name) == "gz"]


@pytest.mark.parametrize("size", [1, 7, 4096])
@pytest.mark.parametrize("name", GZIPS)
def test_gzip_that_marks_places_decodes_alike(name: str, size: int) -> None:
    data = MADE["small", name]
    assert compressed.decode("gz", compressed.every(data, size), marking=True) == SMALL


@pytest.mark.parametrize("name", GZIPS)
def test_damage_is_found_by_gzip_that_marks_places(name: str) -> None:
    data = MADE["small", name]
    for at in range(200, len(data) // 2, 97):
        broken = bytearray(data)
        broken[at] ^= 0x10
        with pytest.raises(errors.ContentError):
            compressed.decode("gz", [bytes(broken)], marking=True)
    with pytest.raises(errors.TruncatedSource):
        compressed.decode("gz", [data[: len(data) // 4]], marking=True)


@pytest.mark.parametrize("command", ["gzip -1 -c", "gzip -9 -c"])
def test_a_gzip_member_is_gone_on_with_from_its_middle(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gzipmarks, "EVERY", 100_000)
    data = run(command, LARGE)
    points = compressed.restarts("gz", data, 997, marking=True)
    assert len(points) > 6
    assert {point.state[0] for point in points if point.state} > {0}  # places within bytes, too
    for point in points:
        rest = compressed.every(data[point.source :], 5000)
        assert compressed.decode("gz", rest, point) == LARGE[point.output :]


@pytest.mark.parametrize("state", [b"?", b"\x09" + bytes(30), b"\x02\xff" + bytes(30)])
def test_a_place_that_makes_no_sense_is_refused(state: bytes) -> None:
    place = codec.Restart(1000, 2000, 0, state)
    with pytest.raises(errors.CorruptImage, match="no sense"):
        compressed.decode("gz", [b"x" * 100], place)


@pytest.mark.parametrize("name", ["gz-members", "zst", "xz-blocks", "bz2", "lz4"])
def test_a_decoder_that_failed_stays_failed(name: str) -> None:
    data = bytearray(MADE["small", name])
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    scripted = codec.codec_named(codec_of(name)).decoder()
    with pytest.raises(errors.CorruptImage):
        list(scripted.feed(bytes(data)))
    with pytest.raises(errors.CorruptImage):
        list(scripted.feed(b"more"))
    with pytest.raises(errors.CorruptImage):
        list(scripted.finish())


def test_a_damaged_object_is_named_with_its_codec_and_offset() -> None:
    data = MADE["small", "zst-frames"] + b"rubbish"
    with pytest.raises(errors.CorruptImage, match=rf"zst data .* offset {len(data) - 3}"):
        compressed.decode("zst", [data])


@pytest.mark.parametrize("name", ["gz", "bz2"])
def test_what_follows_gzip_and_bzip2_is_ignored_with_a_word(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert compressed.decode(name, [MADE["small", name] + b"rubbish" * 9]) == SMALL
    assert "ignored what follows" in caplog.text


@pytest.mark.parametrize("name", ["xz", "zst", "lz4"])
def test_what_follows_the_others_is_damage(name: str) -> None:
    with pytest.raises(errors.CorruptImage):
        compressed.decode(name, [MADE["small", name] + b"rubbish, and rubbish"])


def test_a_gzip_member_behind_padding_is_read() -> None:
    assert compressed.decode("gz", [halves("gzip -c", SMALL, bytes(513))]) == SMALL


def test_xz_padding_of_an_odd_length_is_damage() -> None:
    with pytest.raises(errors.CorruptImage, match="padding"):
        compressed.decode("xz", [MADE["tiny", "xz"] + bytes(6)])


def test_an_xz_dictionary_beyond_reason_is_refused() -> None:
    data = bytearray(run("xz -c -T1", TINY))
    size = data[12] * 4 + 4
    place = data.index(b"\x21\x01", 12) + 2
    data[place] = 39  # 3 GiB
    data[12 + size - 4 : 12 + size] = zlib.crc32(data[12 : 12 + size - 4]).to_bytes(4, "little")
    with pytest.raises(errors.UnsafeImage, match="too much memory"):
        compressed.decode("xz", [bytes(data)])


def test_a_zstd_window_beyond_reason_is_refused() -> None:
    frame = b"\x28\xb5\x2f\xfd\x00" + bytes([(31 - 10) << 3]) + b"\x01\0\0"
    with pytest.raises(errors.UnsafeImage, match="too much memory"):
        compressed.decode("zst", [frame])


def test_a_zstd_dictionary_is_asked_for_in_plain_words() -> None:
    frame = b"\x28\xb5\x2f\xfd\x21\x07\x00\x01\0\0"  # names dictionary 7
    with pytest.raises(errors.UnsupportedFormat, match="dictionary"):
        compressed.decode("zst", [frame])


def test_an_xz_index_that_contradicts_its_blocks_is_damage() -> None:
    ours, other = xz_in_blocks(SMALL), xz_in_blocks(SMALL[::-1])
    size = struct.unpack("<I", ours[-8:-4])[0] * 4 + 4
    other_size = struct.unpack("<I", other[-8:-4])[0] * 4 + 4
    mixed = ours[: -12 - size] + other[-12 - other_size :]
    for point in (None, *compressed.restarts("xz", ours)[:-2]):
        start = point.source if point else 0
        with pytest.raises(errors.CorruptImage, match="index"):
            compressed.decode("xz", [mixed[start:]], point)


def test_lz4_frames_without_checksums_decode() -> None:
    data = lz4.frame.compress(SMALL, content_checksum=False, block_linked=False)
    assert compressed.decode("lz4", compressed.every(data, 100)) == SMALL
