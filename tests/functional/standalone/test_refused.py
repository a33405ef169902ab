"""What the API server refuses, in Kubernetes' words; every row was asked of kube-apiserver, too."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support import apiserver
from support.apiserver import Running, config_map

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
ONE = CONFIG_MAPS + "/one"
JSON_PATCH = "application/json-patch+json"
MERGE = "application/merge-patch+json"
YAML = "application/yaml"
APPLY = "application/apply-patch+yaml"
DEEP = b"[" * 20_000 + b"]" * 20_000
# Nine levels that each repeat the one before nine times: 387 million strings in 400 bytes.
BOMB = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with apiserver.running(tmp_path_factory.mktemp("state")) as running:
        running.create(CONFIG_MAPS, config_map("one", a="x"))
        yield running


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "cdi"])
def test_what_must_always_be_there_is_not_deleted(server, name):
    path = f"/api/v1/namespaces/{name}"
    answer = server.request("DELETE", path)
    assert answer.status == 403
    assert answer.json["message"] == (
        f'namespaces "{name}" is forbidden: this namespace may not be deleted'
    )
    assert answer.json["details"] == {"name": name, "kind": "namespaces"}
    assert "deletionTimestamp" not in server.get(path)["metadata"]


@pytest.mark.parametrize(
    ("method", "path", "body", "media"),
    [
        pytest.param("POST", CONFIG_MAPS, b'{"data":' + DEEP + b"}", "application/json", id="json"),
        pytest.param(
            "POST", CONFIG_MAPS, b'{"data":' + b"[" * 20_000, "application/json", id="cut"
        ),
        pytest.param("POST", CONFIG_MAPS, b"data: " + DEEP, YAML, id="yaml"),
        pytest.param("POST", CONFIG_MAPS, BOMB, YAML, id="yaml-that-repeats-itself"),
        pytest.param("POST", CONFIG_MAPS, b'{"data":{"a":"\xff"}}', "application/json", id="bytes"),
        pytest.param("PATCH", ONE, b'{"data":' + DEEP + b"}", MERGE, id="merge-patch"),
        pytest.param("PATCH", ONE + "?fieldManager=m", b"data: " + DEEP, APPLY, id="apply"),
        pytest.param(
            "PATCH",
            ONE,
            b'[{"op":"add","path":"/data","value":' + DEEP + b"}]",
            JSON_PATCH,
            id="json-patch",
        ),
    ],
)
def test_a_body_that_nobody_can_walk_is_a_bad_request(server, caplog, method, path, body, media):
    answer = server.request(method, path, body, content_type=media)
    assert (answer.status, answer.json["reason"]) == (400, "BadRequest")
    assert not caplog.records


@pytest.mark.parametrize("depth", [10, 100, 140])
def test_what_is_not_too_deep_is_kept_whole(server, depth):
    definition = apiserver.widget_definition(f"depth{depth}.example.com")
    server.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    status: Any = "bottom"
    for _ in range(depth - 2):
        status = {"in": status}
    path = f"/apis/depth{depth}.example.com/v1/namespaces/default/widgets"
    made = server.create(path, {"metadata": {"name": "w"}, "spec": {"size": 1}})
    made["status"] = status
    written = server.request("PUT", path + "/w/status", made)
    assert written.status == 200
    assert written.json["status"] == status
    merged = {"status": status, "metadata": {"labels": {"a": "b"}}}
    patched = server.request("PATCH", path + "/w/status", merged, content_type=MERGE)
    assert patched.status == 200
    assert server.get(path + "/w")["status"] == status


def test_copies_of_a_json_patch_have_a_limit(server):
    grow = [{"op": "add", "path": "/data/a0", "value": "x" * 1000}]
    grow += [
        {"op": "copy", "from": "/data", "path": f"/x{n}"}
        if n % 2
        else {"op": "copy", "from": f"/x{n - 1}", "path": f"/data/a{n}"}
        for n in range(1, 41)
    ]
    answer = server.request("PATCH", ONE, grow, content_type=JSON_PATCH)
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert answer.json["message"].startswith(
        "the server rejected our request due to an error in our request"
    )
    assert server.get(ONE)["data"] == {"a": "x"}


def test_a_json_patch_that_buries_itself_is_refused(server):
    burial = [
        {"op": "copy", "from": "/data", "path": "/data/d"},
        *[{"op": "copy", "from": "/data", "path": "/data" + "/d" * n} for n in (1, 2, 4, 8)],
        *[{"op": "add", "path": "/data" + "/d" * n, "value": {}} for n in range(15, 200)],
    ]
    answer = server.request("PATCH", ONE, burial, content_type=JSON_PATCH)
    assert answer.status in (400, 422)
    assert server.get(ONE)["data"] == {"a": "x"}


@pytest.mark.parametrize("field", ["kind", "apiVersion"])
@pytest.mark.parametrize("media", [JSON_PATCH, MERGE])
def test_a_patch_does_not_change_what_an_object_is(server, field, media):
    steps = [{"op": "replace", "path": f"/{field}", "value": "Secret"}]
    patch = steps if media == JSON_PATCH else {field: "Secret"}
    answer = server.request("PATCH", ONE, patch, content_type=media)
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    (cause,) = answer.json["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldValueInvalid", "patch")


@pytest.mark.parametrize(
    ("patch", "media"),
    [
        pytest.param({"data": {"a": 1}}, MERGE, id="merge"),
        pytest.param({"data": {"a": 1}}, "application/strategic-merge-patch+json", id="strategic"),
        pytest.param([{"op": "add", "path": "/data/a", "value": 1}], JSON_PATCH, id="json-patch"),
        pytest.param([{"op": "replace", "path": "", "value": []}], JSON_PATCH, id="no-object"),
    ],
)
def test_a_patch_that_leaves_nothing_readable_is_invalid(server, patch, media):
    answer = server.request("PATCH", ONE, patch, content_type=media)
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert [cause["field"] for cause in answer.json["details"]["causes"]] == ["patch"]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        pytest.param("Bearer \xff\xfe", 401, id="bytes-that-are-no-text"),
        pytest.param("Bearer a.b.c", 401, id="no-token-of-ours"),
        pytest.param("Bearer a.\xff.c", 401, id="odd-bytes-in-a-token"),
        pytest.param("Bearer", 403, id="no-token"),
        pytest.param("Basic !!!", 403, id="another-scheme"),
        pytest.param("\xe4", 403, id="no-scheme"),
    ],
)
def test_odd_credentials_are_nobody(server, caplog, header, status):
    answer = server.request("GET", CONFIG_MAPS, token="", Authorization=header)
    assert answer.status == status
    assert json.loads(answer.body)["kind"] == "Status"
    assert not caplog.records
