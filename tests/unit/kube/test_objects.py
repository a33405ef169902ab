"""Reading plain objects, their owners, and the difference between two of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.kube import mergepatch, objects, owners
from cdi.kube.objects import Key
from cdi.kube.resource import LEASES, NODES, PODS, Resource

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
    "spec": {"containers": [{"name": "c"}], "nodeName": None},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("metadata", "name"), "p", id="a-field"),
        pytest.param(("spec", "containers", 0, "name"), "c", id="in-a-list"),
        pytest.param(("spec", "containers", -1, "name"), "c", id="from-its-end"),
        pytest.param(("spec", "containers", 1, "name"), "-", id="beyond-a-list"),
        pytest.param(("status", "phase"), "-", id="a-missing-parent"),
        pytest.param(("spec", "nodeName"), "-", id="null-is-missing"),
        pytest.param(("metadata", "name", "x"), "-", id="below-a-scalar"),
        pytest.param(("spec", 0), "-", id="an-index-into-an-object"),
    ],
)
def test_get_finds(path: tuple[str | int, ...], value: str) -> None:
    assert objects.get(POD, *path, default="-") == value


@pytest.mark.parametrize(
    ("text", "key"),
    [
        pytest.param("ns/name", Key("ns", "name"), id="namespaced"),
        pytest.param("name", Key("", "name"), id="cluster-wide"),
    ],
)
def test_a_key_is_read_and_written(text: str, key: Key) -> None:
    assert objects.parse_key(text) == key
    assert str(key) == text


@pytest.mark.parametrize("text", ["", "/", "a/", "/b", "a/b/c"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="object key"):
        objects.parse_key(text)


@pytest.mark.parametrize(
    ("resource", "namespace", "path"),
    [
        pytest.param(PODS, "ns", "/api/v1/namespaces/ns/pods/x", id="core"),
        pytest.param(NODES, None, "/api/v1/nodes/x", id="cluster-wide"),
        pytest.param(
            LEASES,
            "ns",
            "/apis/coordination.k8s.io/v1/namespaces/ns/leases/x",
            id="in-a-group",
        ),
    ],
)
def test_a_resource_knows_its_path(resource: Resource, namespace: str | None, path: str) -> None:
    assert resource.path(namespace, "x") == path
    assert resource.path(namespace, "x", "status") == path + "/status"


@pytest.mark.parametrize(
    ("resource", "namespace", "name"),
    [
        pytest.param(PODS, None, "x", id="no-namespace"),
        pytest.param(PODS, "ns", "", id="no-name"),
        pytest.param(NODES, "ns", "x", id="a-namespace-too-many"),
    ],
)
def test_a_path_that_cannot_be_is_refused(
    resource: Resource, namespace: str | None, name: str
) -> None:
    with pytest.raises(ValueError, match=str(resource)):
        resource.path(namespace, name)


def test_an_owner_is_found_again() -> None:
    child: dict[str, Any] = {"metadata": {"name": "c"}}
    assert owners.add_owner(child, owners.owner_reference(POD))
    assert not owners.add_owner(child, owners.owner_reference(POD))
    assert owners.is_controlled_by(child, POD)
    assert owners.is_owned_by(child, POD)
    assert owners.controller_name(child, "Pod", "") == "p"
    assert owners.controller_name(child, "Pod", "other.io") == ""


def test_a_namesake_is_not_the_owner() -> None:
    child: dict[str, Any] = {"metadata": {"name": "c"}}
    owners.add_owner(child, owners.owner_reference(POD))
    namesake = {**POD, "metadata": {**POD["metadata"], "uid": "another"}}
    assert not owners.is_controlled_by(child, namesake)
    assert not owners.is_controlled_by(child, {"metadata": {}})


def test_an_object_has_one_controller_only() -> None:
    child: dict[str, Any] = {"metadata": {"name": "c"}}
    owners.add_owner(child, owners.owner_reference(POD))
    other = {**POD, "metadata": {"name": "q", "uid": "v"}}
    with pytest.raises(owners.AlreadyControlledError, match="controlled by Pod 'p'"):
        owners.add_owner(child, owners.owner_reference(other))
    assert owners.add_owner(child, owners.owner_reference(other, controller=False))


@pytest.mark.parametrize(
    ("old", "new", "patch"),
    [
        pytest.param({"a": 1}, {"a": 1}, {}, id="equal"),
        pytest.param({"a": 1}, {"a": 2}, {"a": 2}, id="changed"),
        pytest.param({"a": 1}, {}, {"a": None}, id="taken-away"),
        pytest.param({}, {"a": {}}, {"a": {}}, id="an-empty-object-is-something"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {"a": {"c": None}}, id="nested"),
        pytest.param({"a": [1, 2]}, {"a": [1]}, {"a": [1]}, id="lists-as-a-whole"),
        pytest.param({"a": 1}, {"a": True}, {"a": True}, id="true-is-not-one"),
    ],
)
def test_a_merge_patch_holds_only_the_difference(
    old: dict[str, Any], new: dict[str, Any], patch: dict[str, Any]
) -> None:
    assert mergepatch.merge_patch_for(old, new) == patch


_values = st.recursive(
    st.sampled_from([True, False, 0, 1, "", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=8,
)
_objects = st.dictionaries(st.sampled_from("abc"), _values, max_size=3)


@given(_objects, _objects)
def test_a_merge_patch_leads_from_one_state_to_the_other(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert mergepatch.merged(old, mergepatch.merge_patch_for(old, new)) == new


def test_what_is_kept_of_an_object_is_equal_and_shares_its_texts() -> None:
    text = (
        '{"kind":"Pod","metadata":{"name":"p","managedFields":[{}],"annotations":'
        '{"cdi.kubevirt.io/storage.import.importPodName":"p"}},"status":{"conditions":'
        '[{"type":"Ready","status":"True"}]}}'
    )
    first, second = (objects.compact(json.loads(text)) for _ in range(2))
    whole = json.loads(text)
    del whole["metadata"]["managedFields"]
    assert first == second == whole
    kept = [next(iter(each["metadata"]["annotations"])) for each in (first, second)]
    assert kept[0] is kept[1]
    assert first["status"]["conditions"][0]["type"] is second["status"]["conditions"][0]["type"]
