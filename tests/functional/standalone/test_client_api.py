"""The API as clients know it: discovery, options, strictness, scale; as kube-apiserver has it."""

import gc
import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from cdi.standalone.apiserver import bodies, duplicates
from support import apiserver
from support.apiserver import Running, config_map

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
APPLIED = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with apiserver.running(tmp_path_factory.mktemp("state")) as running:
        scale = {
            "specReplicasPath": ".spec.size",
            "statusReplicasPath": ".status.size",
            "labelSelectorPath": ".status.selector",
        }
        definition = apiserver.widget_definition(
            subresources={"status": {}, "scale": scale},
            selectableFields=[{"jsonPath": ".spec.color"}, {"jsonPath": ".spec.size"}],
        )
        running.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
        running.create(CONFIG_MAPS, config_map("there", a="1"))
        for name, size, color in (("one", 3, "red"), ("two", 1, "blue")):
            spec = {"size": size, "color": color}
            body = {"apiVersion": "example.com/v1", "kind": "Widget", "spec": spec}
            running.create(WIDGETS, {**body, "metadata": {"name": name}})
        yield running


@pytest.mark.parametrize("path", ["/api/v1", "/apis/apps/v1", "/apis/apps", "/apis", "/api"])
def test_a_slash_at_the_end_of_discovery_means_nothing(server, path):
    assert server.get(path + "/") == server.get(path)


def test_what_is_served_is_listed_at_the_root(server):
    paths = server.get("/")["paths"]
    assert {"/api/v1", "/apis/apps", "/healthz", "/metrics", "/version"} <= set(paths)


def test_health_is_told_in_parts(server):
    told = server.request("GET", "/readyz?verbose").body.decode()
    assert told == "[+]ping ok\n[+]store ok\nreadyz check passed\n"
    assert server.request("GET", "/livez/ping").body == b"ok"
    assert server.request("GET", "/livez/nonsense").status == 404


def test_metrics_are_the_administrators(server):
    text = server.request("GET", "/metrics").body.decode()
    assert 'apiserver_storage_objects{resource="widgets.example.com"} 2' in text
    assert 'apiserver_request_total{code="201",verb="POST"}' in text
    assert server.request("GET", "/metrics", token="").status == 403


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        pytest.param(
            "resourceVersion=99999999", 504, "Timeout: Too large resource version", id="future"
        ),
        pytest.param(
            "resourceVersion=99999999&resourceVersionMatch=Exact",
            504,
            "Timeout: Too large resource version",
            id="exactly-the-future",
        ),
        pytest.param(
            "resourceVersion=abc",
            400,
            'invalid resource version: resourceVersion: Invalid value: "abc"',
            id="no-revision",
        ),
        pytest.param(
            "resourceVersionMatch=Exact",
            422,
            'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
            id="match-of-nothing",
        ),
        pytest.param(
            "resourceVersionMatch=Foo&resourceVersion=1",
            422,
            'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Unsupported value: '
            '"Foo": supported values: "Exact", "NotOlderThan", ""',
            id="unknown-match",
        ),
        pytest.param(
            "resourceVersionMatch=Exact&resourceVersion=0",
            422,
            'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
            'resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
            id="exactly-anything",
        ),
        pytest.param(
            "sendInitialEvents=true",
            422,
            'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: '
            "sendInitialEvents is forbidden for list",
            id="events-of-a-list",
        ),
        pytest.param("limit=-1", 200, "", id="no-limit"),
    ],
)
def test_options_of_a_list_make_sense(server, query, status, message):
    answer = server.request("GET", f"{CONFIG_MAPS}?{query}")
    assert answer.status == status
    assert answer.json.get("message", "").startswith(message)
    if status == 422:
        details = answer.json["details"]
        assert (details["group"], details["kind"]) == ("meta.k8s.io", "ListOptions")
        assert len(details["causes"]) == 1


@pytest.mark.parametrize(
    ("type_of", "status", "message"),
    [
        pytest.param(
            {"apiVersion": "v1", "kind": "Pod"},
            400,
            "the API version in the data (v1) does not match the expected API version "
            "(example.com/v1)",
            id="version",
        ),
        pytest.param(
            {"apiVersion": "example.com/v1", "kind": "Pod"},
            422,
            'Pod.example.com "x" is invalid: kind: Invalid value: "Pod": must be Widget',
            id="kind",
        ),
    ],
)
def test_another_type_than_that_of_the_address_is_refused(server, type_of, status, message):
    answer = server.request("POST", WIDGETS, type_of | {"metadata": {"name": "x"}})
    assert (answer.status, answer.json["message"]) == (status, message)


@pytest.mark.parametrize("selector", ["metadata.name===there", "metadata.name!==there"])
def test_a_field_selector_with_a_sign_too_many_selects_nothing(server, selector):
    for method in ("GET", "DELETE"):
        answer = server.request(method, f"{CONFIG_MAPS}?fieldSelector={selector}")
        assert (answer.status, answer.json["reason"]) == (400, "BadRequest")
    assert server.request("GET", f"{CONFIG_MAPS}/there").status == 200


def test_a_get_does_not_go_back_behind_a_revision(server):
    answer = server.request("GET", f"{CONFIG_MAPS}/there?resourceVersion=99999999")
    assert (answer.status, answer.headers["Retry-After"]) == (504, "1")
    assert answer.json["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/api/v1/namespaces/default/nonsense", 404),
        ("GET", "/apis/apps/v9/namespaces/default/deployments", 404),
        ("GET", f"{CONFIG_MAPS}/there/nonsense", 404),
        ("POST", f"{CONFIG_MAPS}/there", 405),
        ("PUT", CONFIG_MAPS, 405),
        ("GET", "/api/v1/namespaces/default/serviceaccounts/default/token", 405),
        ("DELETE", "/api/v1/namespaces", 405),
    ],
)
def test_details_are_there_even_where_there_are_none(server, method, path, code):
    answer = server.request(method, path, None if method == "GET" else {})
    assert answer.status == code
    assert answer.json["details"] == {}


@pytest.mark.parametrize(
    ("body", "media", "problem"),
    [
        pytest.param(
            '{"metadata":{"name":"x","name":"y"},"data":{"a":"1","a":"2"}}',
            "application/json",
            'duplicate field "metadata.name", duplicate field "data.a"',
            id="json",
        ),
        pytest.param(
            '{"metadata":{"name":"x","foo":1},"data":{"a":"1","a":"2"}}',
            "application/json",
            'unknown field "metadata.foo", duplicate field "data.a"',
            id="unknown-and-twice",
        ),
        pytest.param(
            'metadata:\n  name: x\ndata:\n  a: "1"\n  b: [1, {c: d}]\n  a: "2"\n',
            "application/yaml",
            'yaml: unmarshal errors:\n  line 6: key "a" already set in map',
            id="yaml",
        ),
    ],
)
def test_strict_finds_what_is_said_twice(server, body, media, problem):
    path = f"{CONFIG_MAPS}?dryRun=All&fieldValidation="
    body = body.replace("b: [1, {c: d}]", 'b: "3"')
    strict = server.request("POST", path + "Strict", body, content_type=media)
    assert strict.status == 400
    assert strict.json["message"] == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: '
        f"{problem}"
    )
    warned = server.request("POST", path + "Warn", body, content_type=media)
    assert warned.status == 201
    assert "299" in warned.headers["Warning"]
    ignored = server.request("POST", path + "Ignore", body, content_type=media)
    assert (ignored.status, ignored.headers.get("Warning")) == (201, None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\na: 2\na: 3\n", 2),
        ("a: [x, x, {b: 1, c: 1}]\nb: x\n", 0),
        ("a: {b: 1}\nb: {b: 1, b: 2}\n", 1),
        ("- a: 1\n  b: 2\n- a: 1\n", 0),
        ("a: &x {k: 1}\nb: *x\nc: *x\n", 0),
        ("? [1, 2]\n: 1\na: 1\n", 0),
    ],
)
def test_duplicates_of_yaml_are_those_of_one_map(text, found):
    told = duplicates.duplicates(text.encode(), "application/yaml")
    assert sum(line.count("already set") for line in told) == found


def test_strict_patches_are_invalid_and_not_bad(server):
    path = f"{CONFIG_MAPS}/there?dryRun=All&fieldValidation=Strict"
    patch = '{"metadata":{"labels":{"a":"1","a":"2"}}}'
    answer = server.request("PATCH", path, patch, content_type=MERGE)
    assert answer.status == 422
    (cause,) = answer.json["details"]["causes"]
    assert cause["field"] == "patch"
    assert cause["message"].endswith('duplicate field "metadata.labels.a"')


@pytest.mark.parametrize(
    ("query", "body", "code", "message"),
    [
        pytest.param(
            "fieldManager=m",
            {**APPLIED, "metadata": {"name": "x", "managedFields": []}},
            400,
            "metadata.managedFields must be nil",
            id="managed-fields",
        ),
        pytest.param(
            f"fieldManager={'m' * 129}",
            APPLIED,
            422,
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than '
            "128 bytes",
            id="long-manager",
        ),
        pytest.param(
            "fieldManager=a%0ab",
            APPLIED,
            422,
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Invalid value: "a\\nb": invalid '
            "character U+000A (at position 1)",
            id="manager-with-a-line-break",
        ),
        pytest.param(
            "dryRun=All",
            APPLIED,
            422,
            'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for '
            "apply patch",
            id="no-manager",
        ),
        pytest.param(
            "fieldManager=m",
            {"kind": "ConfigMap", "metadata": {"name": "x"}},
            400,
            "invalid object type: /, Kind=ConfigMap",
            id="no-version",
        ),
        pytest.param(
            "fieldManager=m",
            {**APPLIED, "metadata": {}},
            400,
            "the name of the object (x based on URL) was undeterminable: name must be provided",
            id="no-name",
        ),
        pytest.param(
            "fieldManager=m&fieldValidation=Foo",
            APPLIED,
            422,
            'PatchOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: "Foo": '
            'supported values: "", "Ignore", "Strict", "Warn"',
            id="unknown-validation",
        ),
    ],
)
def test_server_side_apply_is_refused(server, query, body, code, message):
    path = f"{CONFIG_MAPS}/x?{query}"
    answer = server.request("PATCH", path, json.dumps(body), content_type=APPLY)
    assert (answer.status, answer.json["message"]) == (code, message)
    assert server.request("GET", f"{CONFIG_MAPS}/x").status == 404


def test_a_client_with_a_strange_name_is_a_manager_all_the_same(server):
    answer = server.request("POST", CONFIG_MAPS, config_map("odd", a="1"), User_Agent="\xff" * 300)
    assert answer.status == 201
    assert len(answer.json["metadata"]["managedFields"][0]["manager"]) <= 128


def test_a_custom_object_stays_what_it_is(server):
    answer = server.request("PATCH", f"{WIDGETS}/one", {"kind": "Foo"}, content_type=MERGE)
    assert answer.status == 422
    assert answer.json["message"] == (
        'Foo.example.com "one" is invalid: kind: Invalid value: "Foo": must be Widget'
    )


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("spec.color=red", ["one"]),
        ("spec.size=1", ["two"]),
        ("spec.color!=red", ["two"]),
        ("spec.color=red,spec.size=1", []),
    ],
)
def test_users_kinds_are_selected_by_the_fields_they_name(server, selector, names):
    found = server.get(f"{WIDGETS}?fieldSelector={selector}")["items"]
    assert [item["metadata"]["name"] for item in found] == names


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param(
            f"{WIDGETS}?fieldSelector=spec.nope=1",
            "field label not supported: spec.nope",
            id="custom",
        ),
        pytest.param(
            f"{CONFIG_MAPS}?fieldSelector=spec.nope=1",
            '"spec.nope" is not a known field selector: only "metadata.name", "metadata.namespace"',
            id="without-fields-of-its-own",
        ),
        pytest.param(
            f"{EVENTS}?fieldSelector=involvedObject.name=x",
            "field label not supported: involvedObject.name",
            id="the-other-kind-of-event",
        ),
    ],
)
def test_fields_that_nothing_is_selected_by(server, path, message):
    answer = server.request("GET", path)
    assert (answer.status, answer.json["message"]) == (400, message)


def test_events_are_selected_by_what_they_regard(server):
    about = {"kind": "Pod", "name": "p", "namespace": "default"}
    event = {
        "metadata": {"name": "e"},
        "regarding": about,
        "reason": "Tested",
        "type": "Normal",
        "action": "Test",
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "tests",
        "reportingInstance": "tests-1",
    }
    server.create(EVENTS, event)
    query = "regarding.name=p,regarding.kind=Pod,reportingController=tests"
    assert len(server.get(f"{EVENTS}?fieldSelector={query}")["items"]) == 1
    assert server.get(f"{EVENTS}?fieldSelector=regarding.name=q")["items"] == []


class TestScale:
    def test_what_is_shown(self, server):
        status = {"status": {"size": 2, "selector": "a=b"}}
        server.request("PATCH", f"{WIDGETS}/one/status", status, content_type=MERGE)
        scale = server.get(f"{WIDGETS}/one/scale")
        assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
        assert (scale["spec"], scale["status"]) == (
            {"replicas": 3},
            {"replicas": 2, "selector": "a=b"},
        )

    def test_what_is_set(self, server):
        scale = server.get(f"{WIDGETS}/two/scale")
        scale["spec"]["replicas"] = 5
        put = server.request("PUT", f"{WIDGETS}/two/scale", scale)
        assert (put.status, put.json["spec"]) == (200, {"replicas": 5})
        stale = server.request("PUT", f"{WIDGETS}/two/scale", scale)
        assert stale.status == 409
        patch: dict[str, Any] = {"spec": {"replicas": 7}}
        server.request("PATCH", f"{WIDGETS}/two/scale", patch, content_type=MERGE)
        assert server.get(f"{WIDGETS}/two")["spec"]["size"] == 7
        done = server.kubectl("scale", "widget", "two", "--replicas=1")
        assert (done.returncode, done.stdout) == (0, "widget.example.com/two scaled\n")
        assert server.get(f"{WIDGETS}/two")["spec"]["size"] == 1

    def test_what_is_refused(self, server):
        patch = {"spec": {"replicas": -7}}
        answer = server.request("PATCH", f"{WIDGETS}/two/scale", patch, content_type=MERGE)
        assert answer.status == 422
        assert answer.json["message"] == (
            'Widget.example.com "two" is invalid: .spec.size: Invalid value: -7: should be a '
            "non-negative integer"
        )
        assert server.request("GET", f"{WIDGETS}/none/scale").status == 404
        assert server.request("POST", f"{WIDGETS}/two/scale", {}).status == 405
        scale = f"{CONFIG_MAPS}/there/scale"
        assert server.request("GET", scale).status == 404

    def test_a_deployment_shows_its_selector(self, server):
        labels = {"matchLabels": {"a": "b"}}
        template = {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"containers": [{"name": "c", "image": "x"}]},
        }
        spec = {"replicas": 0, "selector": labels, "template": template}
        path = "/apis/apps/v1/namespaces/default/deployments"
        server.create(path, {"metadata": {"name": "d"}, "spec": spec})
        scale = server.get(f"{path}/d/scale")
        assert (scale["spec"], scale["status"]) == ({}, {"replicas": 0, "selector": "a=b"})


def test_reading_a_large_yaml_does_not_look_for_garbage_all_the_time():
    text = yaml.safe_dump({"x": [{"a": n, "b": [1, 2]} for n in range(2000)]}).encode()
    before = sum(generation["collections"] for generation in gc.get_stats())
    value = bodies.parse_yaml(text)
    after = sum(generation["collections"] for generation in gc.get_stats())
    assert len(value["x"]) == 2000
    assert gc.isenabled()
    assert after - before < 20  # there were hundreds
