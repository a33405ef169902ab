"""How much is asked for so that a disk fits, and how much of a volume a disk may use."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.api import quantity
from cdi.storage import overhead
from support.storage_objects import K8S_DEFAULT, config, storage_class

SIZES = st.integers(min_value=1, max_value=1 << 50)
SHARES = st.integers(min_value=0, max_value=1000).map(lambda thousandths: thousandths / 1000)


@pytest.mark.parametrize(
    ("size", "share", "wanted"),
    [
        pytest.param("1Gi", 0.06, 1138166334, id="1Gi"),
        pytest.param("10Gi", 0.06, 11381663335, id="10Gi"),
        pytest.param("30Gi", 0.06, 34144990004, id="30Gi"),
        pytest.param("500Mi", 0.06, 555745280, id="500Mi"),
        pytest.param("500M", 0.06, 530180998, id="500M"),
        pytest.param("1Gi", 0.055, 1132797625, id="other-share"),
        pytest.param("1", 0, 1048576, id="one-byte"),
    ],
)
def test_required_size(size: str, share: float, wanted: int) -> None:
    assert overhead.required(quantity.parse(size).value(), share) == wanted


@given(SIZES, SHARES)
def test_what_is_required_is_usable(size: int, share: float) -> None:
    assert overhead.usable(overhead.required(size, share), share) == overhead.ceil_mib(size)


@given(SIZES, SHARES)
def test_usable_size_is_whole_mib_and_never_more_than_the_volume(size: int, share: float) -> None:
    usable = overhead.usable(size, share)
    assert usable % overhead.MIB == 0
    assert usable <= size


@given(SIZES, SIZES, SHARES)
def test_a_larger_disk_never_requires_less(one: int, other: int, share: float) -> None:
    small, large = sorted((one, other))
    assert overhead.required(small, share) <= overhead.required(large, share)


@given(SIZES)
def test_rounding_encloses_a_size(size: int) -> None:
    low, high = overhead.floor_mib(size), overhead.ceil_mib(size)
    assert low <= size <= high
    assert high - low in (0, overhead.MIB)


CLASSES = [storage_class("gold"), storage_class("usual", "p", K8S_DEFAULT)]
CONFIG = config("0.06", gold="0.1", usual="0.2")


@pytest.mark.parametrize(
    ("config_object", "name", "mode", "wanted"),
    [
        pytest.param(CONFIG, "gold", None, "0.1", id="of-class"),
        pytest.param(CONFIG, None, "Filesystem", "0.2", id="no-name-is-the-default-class"),
        pytest.param(CONFIG, "gone", None, "0.2", id="missing-class-is-the-default-class"),
        pytest.param(CONFIG, "gold", "Block", "0", id="block"),
        pytest.param(CONFIG, "", None, "0", id="empty-name"),
        pytest.param(None, "gold", None, "0", id="no-config"),
        pytest.param({"status": {}}, "gold", None, "0", id="config-without-status"),
        pytest.param(config("0.06"), "gold", None, "0.06", id="global"),
        pytest.param(config("0.06", gold="0"), "gold", None, "0", id="zero-of-class"),
    ],
)
def test_overhead_of_a_volume(config_object: Any, name: Any, mode: Any, wanted: str) -> None:
    assert overhead.overhead_for(config_object, CLASSES, name, mode) == wanted


def test_overhead_is_global_where_there_is_no_default_class() -> None:
    assert overhead.overhead_for(CONFIG, [], None, None) == "0.06"


@pytest.mark.parametrize("text", ["0", "1", "0.5", "0.05", "0.055"])
def test_valid_overhead(text: str) -> None:
    assert overhead.is_valid(text)


@pytest.mark.parametrize("text", ["", "1.0", "2", "-0.1", ".5", "0.", "0.0555", "0.5 ", "0.5\n"])
def test_invalid_overhead(text: str) -> None:
    assert not overhead.is_valid(text)
