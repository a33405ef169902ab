"""When two specs say the same."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.web.admission import sameness


def sized(text: Any) -> dict[str, Any]:
    return {"pvc": {"resources": {"requests": {"storage": text}}}}


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        pytest.param({}, None, True, id="empty-and-absent"),
        pytest.param(sized("1Gi"), sized("1024Mi"), True, id="size-in-other-words"),
        pytest.param(sized("1Gi"), sized(1 << 30), True, id="size-as-number"),
        pytest.param(sized("1Gi"), sized("1G"), False, id="other-size"),
        pytest.param({"a": None}, {}, True, id="null"),
        pytest.param({"a": []}, {}, True, id="empty-list"),
        pytest.param({"a": ""}, {}, True, id="empty-text"),
        pytest.param({"a": False}, {}, True, id="false"),
        pytest.param({"a": 0}, {}, False, id="zero"),
        pytest.param({"storageClassName": ""}, {}, False, id="no-class"),
        pytest.param({"preallocation": False}, {}, False, id="explicit-no"),
        pytest.param({"blank": {}}, {}, False, id="empty-member"),
        pytest.param({"requests": {}}, {}, True, id="no-requests"),
        pytest.param({"a": [{"b": None}]}, {"a": [{}]}, True, id="inside-lists"),
        pytest.param({"a": [1, 2]}, {"a": [2, 1]}, False, id="order-of-lists"),
    ],
)
def test_sameness(one: Any, other: Any, wanted: bool) -> None:
    assert sameness.same(one, other) is wanted
    assert sameness.same(other, one) is wanted


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
SPECS = st.dictionaries(
    st.sampled_from(["a", "requests", "storageClassName", "blank"]),
    st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
)


@given(SPECS)
def test_whatever_a_spec_says_it_says_the_same_as_itself(spec: Any) -> None:
    assert sameness.same(spec, spec)
