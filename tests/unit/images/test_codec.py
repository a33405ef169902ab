"""Telling a compression by its first bytes, and the fields of .xz."""

import pytest

from cdi.images.codecs import codec, xzfields

BLOCK, END = b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        pytest.param(b"\x1f\x8b\x08\0\0\0\0\0\0\3", "gz", id="gzip"),
        pytest.param(b"\xfd7zXZ\0\0\4\xe6\xd6", "xz", id="xz"),
        pytest.param(b"\x28\xb5\x2f\xfd\x24\0\0\0\0\0", "zst", id="zstd"),
        pytest.param(b"\x5f\x2a\x4d\x18\x01\0\0\0\0\0", "zst", id="zstd-begins-skippable"),
        pytest.param(b"BZh9" + BLOCK, "bz2", id="bzip2"),
        pytest.param(b"BZh1" + END, "bz2", id="bzip2-of-nothing"),
        pytest.param(b"\x04\x22\x4d\x18\x64\x40\xa7\0\0\0", "lz4", id="lz4"),
        pytest.param(b"BZh9 is only text", None, id="text-like-bzip2"),
        pytest.param(b"BZh0" + BLOCK, None, id="bzip2-of-level-0"),
        pytest.param(b"QFI\xfb\0\0\0\3\0\0", None, id="qcow2"),
        pytest.param(bytes(10), None, id="zeros"),
        pytest.param(b"", None, id="nothing"),
        pytest.param(b"\xfd7zX", None, id="too-short-to-tell"),
    ],
)
def test_the_first_bytes_tell_the_compression(head: bytes, name: str | None) -> None:
    found = codec.codec_for(head)
    assert (found.name if found else None) == name


def test_a_codec_is_found_by_the_name_that_a_journal_keeps() -> None:
    for known in codec.CODECS:
        assert codec.codec_named(known.name) is known


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(b"\x00", (0, 1), id="zero"),
        pytest.param(b"\x7f", (127, 1), id="one-byte"),
        pytest.param(b"\x80\x01", (128, 2), id="two-bytes"),
        pytest.param(b"\xff" * 8 + b"\x7f", ((1 << 63) - 1, 9), id="largest"),
    ],
)
def test_numbers_are_read(data: bytes, value: tuple[int, int]) -> None:
    assert xzfields.parse_vli(data, 0) == value


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x80", id="cut"),
        pytest.param(b"\x80\x00", id="longer-than-needed"),
        pytest.param(b"\xff" * 9 + b"\x01", id="over-63-bits"),
    ],
)
def test_ill_formed_numbers_are_refused(data: bytes) -> None:
    with pytest.raises(xzfields.MalformedError):
        xzfields.parse_vli(data, 0)


@pytest.mark.parametrize(("check", "size"), [(0, 0), (1, 4), (4, 8), (10, 32), (15, 64)])
def test_checks_have_the_length_of_their_kind(check: int, size: int) -> None:
    assert xzfields.check_size(check) == size
