import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.images.intervals import Intervals

RANGES = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda pair: (pair[0], sum(pair)))
)


def members(ranges: list[tuple[int, int]]) -> set[int]:
    return {at for start, end in ranges for at in range(start, end)}


@given(RANGES)
def test_a_set_of_ranges_is_a_set_of_bytes(ranges):
    kept = Intervals(ranges)
    assert members(list(kept)) == members(ranges)


@given(RANGES)
def test_ranges_stay_sorted_disjoint_and_joined(ranges):
    kept = list(Intervals(ranges))
    assert all(start < end for start, end in kept)
    assert all(one[1] < two[0] for one, two in itertools.pairwise(kept))


@given(RANGES, st.integers(0, 80), st.integers(0, 30))
def test_missing_and_within_split_a_range(ranges, start, length):
    kept, whole = Intervals(ranges), set(range(start, start + length))
    missing = members(list(kept.missing(start, start + length)))
    assert missing == whole - members(ranges)
    assert members(list(kept.within(start, start + length))) == whole - missing
    assert kept.covers(start, start + length) == (not missing)


def test_a_mutable_set_has_no_hash():
    with pytest.raises(TypeError):
        hash(Intervals())
