"""Strategic merge patches, with every directive that kubectl sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.standalone.schema import registry, strategic
from cdi.standalone.schema.kinds import KindInfo

KINDS = {(kind.group, kind.kind): kind for kind in registry.builtin_kinds()}
POD = KINDS["", "Pod"]


def pod(**spec):
    return {"metadata": {"name": "p", "finalizers": ["a", "b"]}, "spec": spec}


ONE = {"name": "one", "image": "x", "env": [{"name": "A", "value": "1"}]}
TWO = {"name": "two", "image": "y"}


@pytest.mark.parametrize(
    ("current", "patch", "want"),
    [
        pytest.param({"hostname": "a"}, {"hostname": "b"}, {"hostname": "b"}, id="scalar"),
        pytest.param({"hostname": "a"}, {"hostname": None}, {}, id="null-removes"),
        pytest.param(
            {"containers": [ONE, TWO]},
            {"containers": [{"name": "two", "image": "z"}]},
            {"containers": [ONE, {"name": "two", "image": "z"}]},
            id="items-merge-by-key",
        ),
        pytest.param(
            {"containers": [ONE]},
            {"containers": [{"name": "one", "env": [{"name": "B", "value": "2"}]}]},
            {
                "containers": [
                    {**ONE, "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
                ]
            },
            id="items-merge-inside-items",
        ),
        pytest.param(
            {"containers": [ONE, TWO]},
            {"containers": [{"name": "one", "$patch": "delete"}]},
            {"containers": [TWO]},
            id="delete-item",
        ),
        pytest.param(
            {"containers": [ONE]},
            {"containers": [{"$patch": "replace"}, TWO]},
            {"containers": [TWO]},
            id="replace-list",
        ),
        pytest.param(
            {"securityContext": {"runAsUser": 1, "fsGroup": 2}},
            {"securityContext": {"$patch": "replace", "fsGroup": 3}},
            {"securityContext": {"fsGroup": 3}},
            id="replace-map",
        ),
        pytest.param(
            {"securityContext": {"fsGroup": 2}},
            {"securityContext": {"$patch": "delete"}},
            {},
            id="delete-map",
        ),
        pytest.param(
            {"volumes": [{"name": "v", "emptyDir": {}}]},
            {"volumes": [{"$retainKeys": ["name", "secret"], "name": "v", "secret": {}}]},
            {"volumes": [{"name": "v", "secret": {}}]},
            id="retain-keys",
        ),
        pytest.param(
            {"containers": [ONE, TWO]},
            {"$setElementOrder/containers": [{"name": "two"}, {"name": "one"}]},
            {"containers": [TWO, ONE]},
            id="order",
        ),
        pytest.param(
            {"tolerations": [{"key": "a"}]},
            {"tolerations": [{"key": "b"}]},
            {"tolerations": [{"key": "b"}]},
            id="atomic-list",
        ),
        pytest.param(
            {"nodeSelector": {"a": "1"}},
            {"nodeSelector": {"b": "2", "a": None}},
            {"nodeSelector": {"b": "2"}},
            id="map-entries",
        ),
    ],
)
def test_a_patch_is_laid_over_a_pod(current, patch, want):
    assert strategic.merge(POD, pod(**current), {"spec": patch}) == pod(**want)


def test_values_are_added_to_and_deleted_from_primitive_lists():
    added = strategic.merge(POD, pod(), {"metadata": {"finalizers": ["b", "c"]}})
    assert added["metadata"]["finalizers"] == ["a", "b", "c"]
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert strategic.merge(POD, pod(), patch)["metadata"]["finalizers"] == ["b"]


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"$patch": "explode"}, id="unknown-directive-value"),
        pytest.param({"$what": 1}, id="unknown-directive"),
        pytest.param({"spec": {"containers": [{"image": "x"}]}}, id="item-without-its-key"),
        pytest.param({"spec": {"containers": ["x"]}}, id="item-that-is-no-object"),
    ],
)
def test_nonsense_is_refused(patch):
    with pytest.raises(strategic.InvalidPatch):
        strategic.merge(POD, pod(containers=[ONE]), patch)


def test_custom_kinds_have_no_strategic_merge():
    info = KindInfo("e.com", "v1", "W", "ws", "w", dict, custom=True)
    with pytest.raises(strategic.UnsupportedPatch, match="merge-patch"):
        strategic.merge(info, {}, {})


NAMES = st.sampled_from("abcde")
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": NAMES, "image": st.sampled_from("xyz")}),
    unique_by=lambda each: each["name"],
)


@given(CONTAINERS, CONTAINERS)
def test_a_patch_twice_is_a_patch_once(current, patch):
    once = strategic.merge(POD, pod(containers=current), {"spec": {"containers": patch}})
    assert strategic.merge(POD, once, {"spec": {"containers": patch}}) == once
    merged = {each["name"]: each["image"] for each in once["spec"]["containers"]}
    assert merged == {e["name"]: e["image"] for e in [*current, *patch]}
