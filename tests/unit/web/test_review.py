"""The envelope of a webhook, and the patch in it."""

import base64
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.web.admission import decision, jsonpatch, review
from cdi.web.admission.decision import Cause
from cdi.web.admission.request import AdmissionRequest, User

OBJECT = {"metadata": {"name": "d", "annotations": {"a/b": "1"}}, "spec": {}}
REVIEW: dict[str, Any] = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {
        "uid": "u-1",
        "operation": "CREATE",
        "kind": {"group": "cdi.kubevirt.io", "version": "v1beta1", "kind": "DataVolume"},
        "resource": {"group": "cdi.kubevirt.io", "version": "v1beta1", "resource": "datavolumes"},
        "namespace": "vms",
        "name": "d",
        "object": OBJECT,
        "oldObject": None,
        "dryRun": True,
        "userInfo": {"username": "alice", "groups": ["dev"], "extra": {"scope": ["x"]}},
    },
}
REQUEST = AdmissionRequest(
    operation="CREATE",
    resource="datavolumes.cdi.kubevirt.io",
    kind="DataVolume",
    namespace="vms",
    name="d",
    object=OBJECT,
    old=None,
    user=User("alice", ("dev",), extra={"scope": ("x",)}),
    dry_run=True,
)


def test_a_review_is_read() -> None:
    assert review.parse_review(REVIEW) == ("u-1", REQUEST)


def test_resources_of_the_core_group_have_no_suffix() -> None:
    asked = copy.deepcopy(REVIEW)
    asked["request"]["resource"] = {"group": "", "version": "v1", "resource": "pods"}
    _, request = review.parse_review(asked)
    assert (request.resource, request.group, request.version) == ("pods", "", "v1")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(None, id="nothing"),
        pytest.param([], id="list"),
        pytest.param(REVIEW | {"apiVersion": "admission.k8s.io/v1beta1"}, id="other-version"),
        pytest.param(REVIEW | {"kind": "Pod"}, id="other-kind"),
        pytest.param(REVIEW | {"request": None}, id="no-request"),
        pytest.param(REVIEW | {"request": {}}, id="no-uid"),
    ],
)
def test_what_is_no_review_is_refused(body: Any) -> None:
    with pytest.raises(review.NotAReview):
        review.parse_review(body)


def response(answer: decision.Decision) -> Any:
    sent = review.answer_to("u-1", REQUEST, answer)
    assert (sent["apiVersion"], sent["kind"]) == (REVIEW["apiVersion"], "AdmissionReview")
    assert sent["response"]["uid"] == "u-1"
    return sent["response"]


def test_permission_with_a_warning() -> None:
    answer = response(decision.allow(warnings=["careful"]))
    assert answer == {"uid": "u-1", "allowed": True, "warnings": ["careful"]}


def test_refusal_in_the_shape_of_a_status() -> None:
    answer = response(decision.reject([Cause("one", "spec.a"), Cause("two", "spec.b")]))
    assert answer["allowed"] is False
    assert (answer["status"]["code"], answer["status"]["message"]) == (422, " one two")
    assert [each["field"] for each in answer["status"]["details"]["causes"]] == ["spec.a", "spec.b"]


def test_a_changed_object_is_sent_as_a_patch() -> None:
    changed = {"metadata": {"name": "d", "annotations": {"a/b": "2"}}, "spec": {"x": 1}}
    answer = response(decision.allow_as(changed, OBJECT))
    assert answer["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(answer["patch"])) == [
        {"op": "replace", "path": "/metadata/annotations/a~1b", "value": "2"},
        {"op": "add", "path": "/spec/x", "value": 1},
    ]


def test_an_unchanged_object_is_not_sent() -> None:
    assert "patch" not in response(decision.allow_as(copy.deepcopy(OBJECT), OBJECT))


def applied(document: Any, operations: list[dict[str, Any]]) -> Any:
    root = {"": copy.deepcopy(document)}
    for operation in operations:
        keys = [""] + [
            part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]
        ]
        parent: Any = root
        for key in keys[:-1]:
            parent = parent[key]
        if operation["op"] == "remove":
            del parent[keys[-1]]
        else:
            assert (operation["op"] == "replace") is (keys[-1] in parent)
            parent[keys[-1]] = operation["value"]
    return root[""]


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
KEYS = st.text(alphabet="ab/~", max_size=3)
DOCUMENTS = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=4,
)


@given(DOCUMENTS, DOCUMENTS)
def test_a_patch_turns_one_document_into_the_other(old: Any, new: Any) -> None:
    operations = jsonpatch.difference(old, new)
    result = applied(old, operations)
    assert result == new
    assert jsonpatch.difference(result, new) == []
