import pytest

from cdi.images import errors
from cdi.images.passing import Passing


def test_ranges_are_cut_where_they_are_told_to_be():
    passing = Passing(100, [b"abcd", b"ef", b"ghij"])
    assert b"".join(passing.arriving(100, 103)) == b"abc"
    assert b"".join(passing.arriving(103, 107)) == b"defg"
    assert b"".join(passing.arriving(108, 110)) == b"ij"


def test_a_range_may_begin_a_little_before_the_end_of_the_one_before():
    data = bytes(range(256)) * 8
    passing = Passing(0, [data[at : at + 100] for at in range(0, len(data), 100)])
    assert b"".join(passing.arriving(0, 1000)) == data[:1000]
    assert b"".join(passing.arriving(1000 - 511, 1500)) == data[489:1500]
    with pytest.raises(ValueError, match="too far"):
        list(passing.arriving(800, 1600))


def test_the_end_is_noticed():
    with pytest.raises(errors.TruncatedSource):
        list(Passing(0, [b"ab"]).arriving(0, 3))
    with pytest.raises(errors.TruncatedSource):
        Passing(0, [b"ab"]).take(0, 3)


def test_what_nobody_has_read_of_a_range_is_passed_over():
    passing = Passing(0, [b"abc", b"def"])
    assert next(passing.arriving(0, 4)) == b"abc"
    assert b"".join(passing.arriving(4, 6)) == b"ef"


def test_a_piece_within_a_range_is_not_copied():
    piece = bytes(1000)
    assert next(Passing(5, [piece]).arriving(5, 2000)) is piece


def test_a_block_in_several_pieces_is_joined():
    passing = Passing(0, [b"ab", b"", b"cd", b"ef"])
    assert bytes(passing.take(1, 5)) == b"bcde"
    passing.forget(4)
    assert bytes(passing.take(4, 6)) == b"ef"
