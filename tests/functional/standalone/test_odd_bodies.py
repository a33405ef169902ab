"""Nobody fails over a body, however odd: it is taken or refused, and never ends in a 500."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from cdi.api import crds
from support import apiserver
from support.apiserver import Running, config_map

NAMESPACED = "/api/v1/namespaces/default"
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
REVIEWS = "/apis/authorization.k8s.io/v1"
ODD = [
    None, 5, -1, "x", "", [], {}, True, 1.5, 10**40, [None], {"a": None}, [[]], "1e9999999",
    "9" * 5000, {"$patch": "delete"},
]  # fmt: skip
FIELDS = {"manager": "m", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1",
          "fieldsV1": {"f:data": {}}}  # fmt: skip
CONTAINER = {
    "name": "c", "image": "i", "env": [{"name": "A", "value": "b"}],
    "resources": {"requests": {"cpu": "1"}}, "ports": [{"containerPort": 80}],
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
}  # fmt: skip
BODIES = [
    (f"{NAMESPACED}/configmaps", config_map("odd", a="1") | {"metadata": {
        "name": "odd", "labels": {"a": "b"}, "finalizers": ["a/b"], "managedFields": [FIELDS],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u"}],
    }}),
    (f"{NAMESPACED}/pods", {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "odd"},
        "spec": {"containers": [CONTAINER], "volumes": [{"name": "v", "emptyDir": {}}]}}),
    (f"{NAMESPACED}/limitranges", {"apiVersion": "v1", "kind": "LimitRange",
     "metadata": {"name": "odd"},
     "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}}),
    (f"{RBAC}/roles", {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
     "metadata": {"name": "odd"},
     "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}),
    ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", apiserver.widget_definition()),
    ("/apis/cdi.kubevirt.io/v1beta1/namespaces/default/datasources", {
        "apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataSource",
        "metadata": {"name": "odd", "annotations": {"a": "b"}},
        "spec": {"source": {"pvc": {"name": "x", "namespace": "default"}}}}),
    (f"{REVIEWS}/subjectaccessreviews", {"apiVersion": "authorization.k8s.io/v1",
     "kind": "SubjectAccessReview", "spec": {"user": "u", "groups": ["g"],
     "resourceAttributes": {"verb": "get", "resource": "pods"}}}),
    ("/apis/authentication.k8s.io/v1/tokenreviews", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
        "spec": {"token": "t", "audiences": ["a"]}}),
    (f"{NAMESPACED}/serviceaccounts/default/token", {
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": {"audiences": ["a"], "expirationSeconds": 3600}}),
]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with apiserver.running(tmp_path_factory.mktemp("state")) as running:
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        running.create(definitions, crds.crd_for("DataSource"))
        running.create(f"{NAMESPACED}/configmaps", config_map("there"))
        yield running


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, each in inner:
        yield from places(each, (*path, key))


def with_odd(body: Any, path: tuple[Any, ...], odd: Any) -> Any:
    if not path:
        return odd
    changed = copy.deepcopy(body)
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = odd
    return changed


@pytest.mark.parametrize(("path", "body"), BODIES, ids=[path.split("/")[-1] for path, _ in BODIES])
def test_one_odd_value_anywhere_is_taken_or_refused(server, path, body):
    for place in places(body):
        for odd in ODD:
            answer = server.request("POST", f"{path}?dryRun=All", with_odd(body, place, odd))
            assert answer.status < 500, (place, str(odd)[:40], answer.body)


@pytest.mark.parametrize("key", ["apiVersion", "kind", "metadata"])
def test_odd_changes_are_taken_or_refused(server, key):
    there = f"{NAMESPACED}/configmaps/there?dryRun=All&fieldManager=m"
    for odd in ODD:
        applied = config_map("there") | {key: odd}
        replaced = [{"op": "replace", "path": f"/{key}", "value": odd}]
        for body, media in (
            (applied, "application/apply-patch+yaml"),
            (replaced, "application/json-patch+json"),
            ({key: odd}, "application/merge-patch+json"),
        ):
            answer = server.request("PATCH", there, body, content_type=media)
            assert answer.status < 500, (media, str(odd)[:40], answer.body)


def test_a_claim_without_a_volume_is_not_made_smaller(server):
    claims = f"{NAMESPACED}/persistentvolumeclaims"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}}
    server.create(
        claims,
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "claim"},
            "spec": {**spec, "storageClassName": "none"},
        },
    )
    smaller = {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    answer = server.request(
        "PATCH", f"{claims}/claim", smaller, content_type="application/merge-patch+json"
    )
    assert answer.status == 422
    assert "field can not be less than status.capacity" in answer.json["message"]


@pytest.mark.parametrize("key", [
    "gracePeriodSeconds", "preconditions", "dryRun", "propagationPolicy", "orphanDependents",
])  # fmt: skip
def test_odd_options_delete_nothing(server, key):
    there = f"{NAMESPACED}/configmaps/there"
    for odd in ODD:
        answer = server.request("DELETE", f"{there}?dryRun=All", {key: odd})
        assert answer.status < 500, (str(odd)[:40], answer.body)
    assert server.request("GET", there).status == 200
    answer = server.request("DELETE", there, {key: ["All"] if key != "dryRun" else ["Nope"]})
    assert 400 <= answer.status < 500


def test_a_revision_of_digits_without_end_is_none(server):
    answer = server.request("GET", f"{NAMESPACED}/configmaps?resourceVersion={'9' * 5000}")
    assert answer.status == 400
    assert "value out of range" in answer.json["message"]
