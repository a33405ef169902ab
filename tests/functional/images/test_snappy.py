"""Snappy's framing format, as copies of volumes come in it."""

from __future__ import annotations

import random

import cramjam
import pytest

from cdi.images import errors
from cdi.images.codecs.snappy import SnappyDecoder
from support import compressed

CONTENT = compressed.plain(1 << 20) + random.Random(1).randbytes(1 << 19) + bytes(3 << 20)
PACKED = bytes(cramjam.snappy.compress(CONTENT))
BEGIN = PACKED[:10]


def decoded(data: bytes, size: int) -> bytes:
    decoder, found = SnappyDecoder(), b""
    for piece in compressed.every(data, size):
        found += b"".join(decoder.feed(piece))
    return found + b"".join(decoder.finish())


@pytest.mark.parametrize("size", [997, 65_537, 1 << 20])
def test_content_comes_back_whole_from_pieces_of_any_size(size: int) -> None:
    assert decoded(PACKED, size) == CONTENT


def test_no_piece_is_larger_than_a_mebibyte() -> None:
    assert max(map(len, SnappyDecoder().feed(PACKED))) <= 1 << 20


def test_padding_and_a_second_beginning_are_skipped() -> None:
    padding = b"\xfe\x03\x00\x00abc\x80\x01\x00\x00x"
    assert decoded(BEGIN + padding + PACKED + padding, 4096) == CONTENT


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"no snappy at all", id="another-beginning"),
        pytest.param(BEGIN + b"\x02\x05\x00\x00abcde", id="a-kind-that-may-not-be-skipped"),
        pytest.param(BEGIN + b"\x00\xff\xff\xff", id="too-long"),
        pytest.param(BEGIN + b"\x01\x05\x00\x00\x00\x00\x00\x00a", id="wrong-checksum"),
    ],
)
def test_damage_is_told(data: bytes) -> None:
    with pytest.raises(errors.CorruptImage):
        decoded(data, 4096)


@pytest.mark.parametrize("length", [5, 12, len(PACKED) - 1])
def test_an_end_inside_a_chunk_is_told(length: int) -> None:
    with pytest.raises(errors.TruncatedSource):
        decoded(PACKED[:length], 4096)
