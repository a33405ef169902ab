"""Drift: what of an object is brought back, and what is left as others have it."""

from __future__ import annotations

import copy
import json

import pytest

from cdi.kube import owners
from cdi.operator import managed

CDI = {
    "apiVersion": "cdi.kubevirt.io/v1beta1",
    "kind": "CDI",
    "metadata": {"name": "cdi", "uid": "1"},
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "d", "namespace": "cdi", "labels": {"ours": "yes"}},
    "spec": {
        "replicas": 1,
        "template": {"spec": {"containers": [{"name": "c", "args": ["-v=1"], "image": "i"}]}},
    },
}


def installed(desired=DEPLOYMENT, version="v1"):
    """As the server has it: with what it fills in."""
    made = managed.marked(desired, CDI, version)
    made["metadata"]["uid"] = "2"
    if desired is DEPLOYMENT:
        made["spec"]["progressDeadlineSeconds"] = 600
        made["spec"]["template"]["spec"]["containers"][0]["terminationMessagePath"] = "/dev/log"
        made["status"] = {"replicas": 1}
    return made


def test_a_new_object_bears_its_marks():
    made = managed.marked(DEPLOYMENT, CDI, "v1")
    assert made["metadata"]["labels"] == {
        "ours": "yes",
        "operator.cdi.kubevirt.io/createVersion": "v1",
        "operator.cdi.kubevirt.io/updateVersion": "v1",
    }
    applied = made["metadata"]["annotations"]["operator.cdi.kubevirt.io/lastAppliedConfiguration"]
    assert json.loads(applied) == DEPLOYMENT
    assert managed.is_managed_by(made, CDI)
    assert "annotations" not in DEPLOYMENT["metadata"]


def test_what_is_as_it_should_be_is_left_alone():
    assert managed.restored(installed(), DEPLOYMENT, CDI, "v1") is None


def changed(path, value):
    made = installed()
    at = made
    for step in path[:-1]:
        at = at[step]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return made


CONTAINERS = ("spec", "template", "spec", "containers")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("spec", "replicas"), 5, id="scaled"),
        pytest.param((*CONTAINERS, 0, "image"), "theirs", id="image"),
        pytest.param((*CONTAINERS, 0, "args"), [], id="arguments"),
        pytest.param((*CONTAINERS, 0, "args"), None, id="arguments-removed"),
        pytest.param(("metadata", "labels", "ours"), None, id="label-removed"),
        pytest.param(("metadata", "labels", "ours"), "no", id="label-changed"),
        pytest.param(("metadata", "ownerReferences"), [], id="owner-removed"),
        pytest.param(
            ("metadata", "labels", "operator.cdi.kubevirt.io/createVersion"), None, id="mark"
        ),
        pytest.param(CONTAINERS, [], id="list-emptied"),
    ],
)
def test_drift_is_reverted(path, value):
    restored = managed.restored(changed(path, value), DEPLOYMENT, CDI, "v2")
    restored["metadata"]["labels"]["operator.cdi.kubevirt.io/createVersion"] = "v1"
    expected = installed()
    expected["metadata"]["labels"]["operator.cdi.kubevirt.io/updateVersion"] = "v2"
    if path == CONTAINERS:
        expected["spec"]["template"]["spec"]["containers"][0].pop("terminationMessagePath")
    assert restored == expected


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param(("spec", "paused"), True, id="field"),
        pytest.param(("metadata", "labels", "theirs"), "x", id="label"),
        pytest.param(("metadata", "annotations", "theirs"), "x", id="annotation"),
        pytest.param((*CONTAINERS, 0, "lifecycle"), {"a": 1}, id="field-in-a-list"),
        pytest.param(("status",), {"replicas": 0}, id="status"),
    ],
)
def test_what_others_have_added_stays(path, value):
    assert managed.restored(changed(path, value), DEPLOYMENT, CDI, "v1") is None


def test_what_was_wanted_once_and_is_not_any_more_goes():
    once = copy.deepcopy(DEPLOYMENT)
    once["spec"]["template"]["spec"]["priorityClassName"] = "high"
    current = managed.marked(once, CDI, "v1")
    current["spec"]["template"]["spec"]["theirs"] = 1
    restored = managed.restored(current, DEPLOYMENT, CDI, "v2")
    assert "priorityClassName" not in restored["spec"]["template"]["spec"]
    assert restored["spec"]["template"]["spec"]["theirs"] == 1
    assert managed.restored(restored, DEPLOYMENT, CDI, "v2") is None


def test_a_rule_of_a_role_is_ours_entirely():
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "r"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}],
    }
    for change in ({"verbs": ["get"]}, {"resourceNames": ["x"]}):
        current = managed.marked(role, CDI, "v1")
        current["rules"][0].update(change)
        assert managed.restored(current, role, CDI, "v1")["rules"] == role["rules"]


@pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
def test_data_is_somebody_elses(kind):
    desired = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "s"}, "data": {"a": ""}}
    current = managed.marked(desired, CDI, "v1")
    current["data"] = {"a": "filled", "b": "added"}
    assert managed.restored(current, desired, CDI, "v1") is None


def test_an_object_made_by_hand_is_adopted():
    by_hand = {**copy.deepcopy(DEPLOYMENT), "metadata": {"name": "d", "namespace": "cdi"}}
    restored = managed.restored(by_hand, DEPLOYMENT, CDI, "v1")
    assert managed.is_managed_by(restored, CDI)


def test_an_object_of_another_controller_is_not_taken_away():
    theirs = managed.marked(DEPLOYMENT, {**CDI, "metadata": {"name": "x", "uid": "9"}}, "v1")
    with pytest.raises(owners.AlreadyControlledError):
        managed.restored(theirs, DEPLOYMENT, CDI, "v1")


@pytest.mark.parametrize("text", ["{", "[" * 100_000], ids=["torn", "nested-without-end"])
def test_an_annotation_that_cannot_be_read_counts_as_none(text):
    current = installed()
    current["metadata"]["annotations"]["operator.cdi.kubevirt.io/lastAppliedConfiguration"] = text
    current["spec"]["replicas"] = 2
    assert managed.restored(current, DEPLOYMENT, CDI, "v1")["spec"]["replicas"] == 1
