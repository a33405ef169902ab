"""A forward decoder's state goes through bytes, and its memory stays small."""

from __future__ import annotations

import random

import pytest

from cdi.images.errors import TruncatedSource
from cdi.images.formats import qcow2
from support import readers
from support.qcow2_images import Image, Packed, Plain


def image() -> Image:
    chance = random.Random(2)
    clusters = {guest: Plain(chance.randbytes(4096)) for guest in range(0, 1200, 3)}
    packed = {guest: Packed(chance.randbytes(700) + bytes(3396)) for guest in range(1, 1200, 3)}
    return Image({**clusters, **packed}, 1200 * 4096, cluster_bits=12)


def test_every_place_can_be_continued_from() -> None:
    drawn = image()
    file = drawn.build()
    disk = bytearray(drawn.virtual_size)
    decoder = qcow2.ForwardQcow2()
    step = 10007
    for at in range(0, len(file), step):
        for write in decoder.feed(file[at : at + step]):
            readers.put(disk, write)
        state = decoder.snapshot()
        assert state is not None
        assert len(state) < 200_000
        decoder = qcow2.ForwardQcow2(state=state)
        assert decoder.fed == min(at + step, len(file))
    for write in decoder.finish():
        readers.put(disk, write)
    assert bytes(disk) == drawn.content()


def test_no_state_is_given_while_much_is_parked() -> None:
    drawn = image()
    file = drawn.build(drawn.items()[::-1])
    decoder = qcow2.ForwardQcow2()
    assert decoder.snapshot() is not None
    assert not list(decoder.feed(file[: len(file) // 2]))
    assert decoder.snapshot() is None
    list(decoder.feed(file[len(file) // 2 :]))
    assert decoder.snapshot() is not None


def test_the_state_of_another_version_is_refused() -> None:
    state = qcow2.ForwardQcow2().snapshot()
    assert state is not None
    with pytest.raises(ValueError, match="another version"):
        qcow2.ForwardQcow2(state=b"\x09" + state[1:])


def test_the_virtual_size_is_known_with_the_header() -> None:
    file = image().build()
    decoder = qcow2.ForwardQcow2()
    list(decoder.feed(file[:1000]))
    assert decoder.virtual_size is None
    list(decoder.feed(file[1000 : qcow2.HEAD_BYTES]))
    assert decoder.virtual_size == 1200 * 4096
    known = qcow2.ForwardQcow2(qcow2.parse_header(file[: qcow2.HEAD_BYTES], None))
    assert known.virtual_size == 1200 * 4096


@pytest.mark.parametrize("length", [0, 50, 5000])
def test_a_source_that_ends_early_is_truncated(length: int) -> None:
    decoder = qcow2.ForwardQcow2()
    list(decoder.feed(image().build()[:length]))
    with pytest.raises(TruncatedSource):
        list(decoder.finish())
