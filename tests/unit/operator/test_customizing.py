"""Patches and arguments of users."""

from __future__ import annotations

import json

import pytest

from cdi.operator.customizing import customized
from cdi.operator.inventory.installed import installed
from cdi.operator.settings import Images, Settings

SETTINGS = Settings(namespace="cdi", version="v1", images=Images.all("x"))
WANTED = installed(SETTINGS, {})
MARK = "cdi.kubevirt.io/customizer-identifier"


def patch(content, way="merge", kind="Deployment", name="cdi-deployment"):
    text = content if isinstance(content, str) else json.dumps(content)
    return {"resourceType": kind, "resourceName": name, "type": way, "patch": text}


def after(*patches, flags=None):
    asked = {"patches": list(patches), **({"flags": flags} if flags else {})}
    made = customized(WANTED, {"spec": {"customizeComponents": asked}})
    return {(each["kind"], each["metadata"]["name"]): each for each in made.objects}, made.problems


def container(found, name="cdi-deployment"):
    return found["Deployment", name]["spec"]["template"]["spec"]["containers"][0]


def marked(found):
    return {key for key, each in found.items() if MARK in each["metadata"].get("annotations", {})}


def test_nothing_asked_changes_nothing():
    assert customized(WANTED, {}).objects is WANTED


def test_a_merge_patch_replaces_lists():
    found, problems = after(patch({"spec": {"template": {"spec": {"containers": []}}}}))
    assert found["Deployment", "cdi-deployment"]["spec"]["template"]["spec"]["containers"] == []
    assert problems == ()
    assert marked(found) == {("Deployment", "cdi-deployment")}


def test_a_strategic_patch_finds_items_by_their_key():
    added = {"name": "cdi-deployment", "env": [{"name": "X", "value": "1"}]}
    found, problems = after(
        patch({"spec": {"template": {"spec": {"containers": [added]}}}}, "strategic")
    )
    assert problems == ()
    names = [each["name"] for each in container(found)["env"]]
    assert {"X", "IMPORTER_IMAGE"} <= set(names)


def test_a_json_patch_may_remove_what_is_gone_and_makes_parents():
    found, problems = after(
        patch(
            [
                {"op": "remove", "path": "/spec/strategy/rollingUpdate"},
                {"op": "add", "path": "/spec/strategy/rollingUpdate/maxSurge", "value": 0},
                {"op": "replace", "path": "/spec/replicas", "value": 3},
            ],
            "json",
        )
    )
    assert problems == ()
    spec = found["Deployment", "cdi-deployment"]["spec"]
    assert spec["strategy"] == {"rollingUpdate": {"maxSurge": 0}}
    assert spec["replicas"] == 3


def test_patches_are_applied_in_their_order():
    found, _ = after(patch({"spec": {"replicas": 2}}), patch({"spec": {"replicas": 33}}))
    assert found["Deployment", "cdi-deployment"]["spec"]["replicas"] == 33
    found, _ = after(patch({"spec": {"replicas": 33}}), patch({"spec": {"replicas": 2}}))
    assert found["Deployment", "cdi-deployment"]["spec"]["replicas"] == 2


def test_a_star_means_all_and_case_does_not_count():
    change = {"metadata": {"labels": {"a": "b"}}}
    kinds = {
        "Deployment",
        "Service",
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
        "APIService",
    }
    found, _ = after(patch(change, kind="*", name="*"))
    assert marked(found) == {key for key in found if key[0] in kinds}
    found, _ = after(patch(change, kind="deployment", name="CDI-Apiserver"))
    assert marked(found) == {("Deployment", "cdi-apiserver")}


def test_other_kinds_are_left_alone():
    found, problems = after(patch({"rules": []}, kind="ClusterRole", name="cdi"))
    assert (marked(found), problems) == (set(), ())


def test_flags_replace_arguments_sorted_and_in_lower_case():
    flags = {"controller": {"v": "5", "Alpha": ""}, "api": {"x": "1"}, "uploadProxy": {"y": ""}}
    found, _ = after(flags=flags)
    assert container(found)["args"] == ["-alpha", "-v", "5"]
    assert container(found, "cdi-apiserver")["args"] == ["-x", "1"]
    assert container(found, "cdi-uploadproxy")["args"] == ["-y"]
    assert marked(found) == {key for key in found if key[0] == "Deployment"}


def test_the_mark_follows_from_what_is_asked():
    def mark(*patches):
        found, _ = after(*patches)
        return found["Deployment", "cdi-deployment"]["metadata"]["annotations"][MARK]

    one, other = patch({"spec": {"replicas": 2}}), patch({"spec": {"replicas": 3}})
    assert mark(one) == mark(one) != mark(other)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        pytest.param(patch("{"), "not JSON", id="no-json"),
        pytest.param(patch([]), "a merge patch is an object", id="merge-list"),
        pytest.param(patch({}, "json"), "list of operations", id="json-object"),
        pytest.param(
            patch([{"op": "replace", "path": "/spec/none/of/it", "value": 1}], "json"),
            "cannot be applied",
            id="json-missing",
        ),
        pytest.param(patch([{"op": "add"}], "json"), "cannot be applied", id="json-no-path"),
        pytest.param(patch([{"op": "fly", "path": "/a"}], "json"), "cannot be", id="json-unknown"),
        pytest.param(patch([], "strategic"), "must be an object", id="strategic-list"),
        pytest.param(patch({"$patch": "fly"}, "strategic"), "unknown patch", id="directive"),
        pytest.param(patch({}, "magic"), "'magic' is none of", id="type"),
        pytest.param(patch({"metadata": {"name": "y"}}), "changes metadata.name", id="renames"),
        pytest.param(patch({"kind": "Pod"}), "changes kind", id="another-kind"),
        pytest.param(
            patch([{"op": "replace", "path": "", "value": 1}], "json"), "no object", id="no-object"
        ),
    ],
)
def test_a_patch_that_cannot_be_applied_is_named_and_holds_up_no_other(wrong, said):
    found, problems = after(wrong, patch({"spec": {"replicas": 9}}))
    (problem,) = problems
    assert "spec.customizeComponents.patches[0]" in problem
    assert said in problem
    assert found["Deployment", "cdi-deployment"]["spec"]["replicas"] == 9
