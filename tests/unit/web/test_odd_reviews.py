"""No object is so odd that a rule fails over it: it is judged, or said to be no review."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import reviews

SOUND = list(reviews.sound())
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=5),
    st.sampled_from(
        ["1Gi", "-1", "9" * 40, "1e9999999", "pvc", "Block", "docker://", "http://[", "a:b", "@"]
    ),
    st.lists(st.one_of(st.none(), st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.sampled_from(["name", "pvc", "storage", ""]), st.none(), max_size=2),
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += _paths(inner, (*path, key))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            found += _paths(inner, (*path, index))
    return found


def _with(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    at = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return changed


@pytest.mark.parametrize("number", range(len(SOUND)))
def test_a_sound_review_is_judged(number):
    reviews.judged(SOUND[number])


@given(data=st.data())
@settings(max_examples=600)
def test_one_odd_value_anywhere_breaks_no_rule(data):
    sound = data.draw(st.sampled_from(SOUND))
    path = data.draw(st.sampled_from(_paths(sound)))
    reviews.judged(_with(sound, path, data.draw(ODD)))


@given(data=st.data())
@settings(max_examples=300)
def test_a_source_of_any_kind_and_form_breaks_no_rule(data):
    sound = data.draw(st.sampled_from(SOUND))
    member = st.sampled_from(
        ["http", "s3", "gcs", "registry", "imageio", "vddk", "pvc", "snapshot", "upload", "blank"]
    )
    fields = st.sampled_from(
        ["url", "secretRef", "checksum", "namespace", "name", "diskId", "uuid", "imageStream"]
    )
    source = st.dictionaries(member, st.one_of(ODD, st.dictionaries(fields, ODD, max_size=3)))
    for part in ("object", "oldObject"):
        if sound["request"][part] is not None:
            sound = _with(sound, ("request", part, "spec", "source"), data.draw(source))
            sound = _with(sound, ("request", part, "spec", "sourceRef"), None)
    reviews.judged(sound)


@given(st.recursive(ODD, lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_anything_else_is_no_review(document):
    reviews.judged(document)
