"""What is said of a request that makes no sense: the words of kube-apiserver, which people know."""

from collections.abc import Iterator
from typing import Any

import pytest

from cdi.standalone.apiserver import jsonerrors
from support import apiserver
from support.apiserver import Running, config_map

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
THERE = f"{CONFIG_MAPS}/there"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
JSON, YAML = "application/json", "application/yaml"
JSON_PATCH, MERGE = "application/json-patch+json", "application/merge-patch+json"
STRATEGIC, APPLY = "application/strategic-merge-patch+json", "application/apply-patch+yaml"
FORMS = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
UNREADABLE = "the object provided is unrecognized (must be of type ConfigMap): "
PARSE = "couldn't get version/kind; json parse error: "
OUR_FAULT = "the server rejected our request due to an error in our request"
LETTERS = (
    "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. "
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with apiserver.running(tmp_path_factory.mktemp("state")) as running:
        definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        running.create(definitions, apiserver.widget_definition())
        running.create(CONFIG_MAPS, config_map("there", a="1"))
        yield running


@pytest.mark.parametrize(("body", "media", "message"), [
    ("{", JSON, f"{UNREADABLE}{PARSE}unexpected end of JSON input ({{)"),
    ("", JSON, f"{UNREADABLE}{PARSE}unexpected end of JSON input (<empty>)"),
    ('{"a":}', JSON,
     f"{UNREADABLE}{PARSE}invalid character '}}' looking for beginning of value ({{\"a\":}})"),
    ('{"kind": 5, "apiVersion": "v1", "metadata": {}}', JSON,
     (f"{UNREADABLE}{PARSE}json: cannot unmarshal number into Go struct field .kind of type string "
     '({"kind": 5, "apiVersion": "v1" ...)')),
    ("a: [b", YAML, f"{UNREADABLE}yaml: line 1: did not find expected ',' or ']' (613a205b62)"),
    ("\tx: y", YAML,
     f"{UNREADABLE}yaml: found character that cannot start any token (09783a2079)"),
    ('{"metadata": 5}', JSON,
     ('ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number '
     "into Go struct field ConfigMap.metadata of type v1.ObjectMeta")),
    ('{"metadata": {"labels": {"a": 5}}}', JSON,
     ('ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number '
     "into Go struct field ObjectMeta.metadata.labels of type string")),
])  # fmt: skip
def test_a_body_that_cannot_be_read(server, body, media, message):
    answer = server.request("POST", CONFIG_MAPS, body.encode(), content_type=media)
    assert (answer.status, answer.json["message"]) == (400, message)


def test_metadata_of_a_users_kind_is_read_as_any(server):
    body = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": 5}}
    answer = server.request("POST", WIDGETS, body)
    assert answer.status == 400
    assert answer.json["message"].endswith(
        "json: cannot unmarshal number into Go struct field ObjectMeta.name of type string"
    )


@pytest.mark.parametrize(("media", "body", "code", "message"), [
    ("text/plain", "x", 415, "415: Unsupported Media Type"),
    (JSON, "{}", 415, "415: Unsupported Media Type"),
    (MERGE, "{", 400, "error decoding patch: unexpected end of JSON input"),
    (MERGE, "[]", 400, ("error decoding patch: json: cannot unmarshal array into Go value of type "
                       "map[string]interface {}")),
    (MERGE, "null", 400, "Invalid JSON Patch"),
    (STRATEGIC, "{", 400, "unexpected end of JSON input"),
    (JSON_PATCH, "{}", 400, ("error decoding patch: json: cannot unmarshal object into Go value of "
                            "type []handlers.jsonPatchOp")),
    (JSON_PATCH, '[{"op":"remove","path":"/nope"}]', 422, OUR_FAULT),
    (JSON_PATCH, '[{"op":"test","path":"/kind","value":"x"}]', 422, OUR_FAULT),
    (JSON_PATCH, '[{"op":"nope","path":"/a"}]', 422, OUR_FAULT),
    (JSON_PATCH, '[{"path":"/a"}]', 422, OUR_FAULT),
    (APPLY, "{", 400, ("error decoding YAML: error converting YAML to JSON: yaml: line 1: did not "
                      "find expected node content")),
])  # fmt: skip
def test_a_patch_that_makes_no_sense(server, media, body, code, message):
    path = f"{THERE}?fieldManager=m"
    answer = server.request("PATCH", path, body.encode(), content_type=media)
    assert (answer.status, answer.json["message"]) == (code, message)


@pytest.mark.parametrize("operation", [
    {"op": "replace", "path": "/data/new", "value": "x"},
    {"op": "copy", "from": "/nope", "path": "/data/new"},
])  # fmt: skip
def test_a_key_that_is_not_there_may_be_replaced_and_copied(server, operation):
    path = f"{THERE}?dryRun=All"
    answer = server.request("PATCH", path, [operation], content_type=JSON_PATCH)
    assert answer.status == 200
    assert answer.json["data"].get("new") == operation.get("value")


@pytest.mark.parametrize(("path", "accept", "message"), [
    (THERE, "text/plain", f"406: Not Acceptable\n\nAvailable representations: {FORMS}"),
    (WIDGETS, "text/plain", f"only the following media types are accepted: {FORMS}"),
    (CONFIG_MAPS, "application/json;as=Table;v=v9;g=meta.k8s.io",
     f"only the following media types are accepted: {FORMS}"),
])  # fmt: skip
def test_a_form_that_nobody_writes(server, path, accept, message):
    answer = server.request("GET", path, Accept=accept)
    assert (answer.status, answer.json["message"]) == (406, message)


@pytest.mark.parametrize("path", [
    "/nope", "/apis/nope.io", "/apis/nope.io/v1", "/apis/nope.io/v1/things",
    "/apis/example.com/v9", "/apis/example.com/v1/nope",
])  # fmt: skip
def test_where_nothing_is_nobody_speaks_of_objects(server, path):
    answer = server.request("GET", path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")


def test_objects_of_namespaces_are_made_in_one(server):
    assert server.request("POST", "/api/v1/configmaps", config_map("x")).status == 405


@pytest.mark.parametrize(("query", "message"), [
    ("limit=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
    ("timeoutSeconds=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
    ("resourceVersion=x", ('invalid resource version: resourceVersion: Invalid value: "x": '
                          'strconv.ParseUint: parsing "x": invalid syntax')),
    ("continue=x", ("invalid continue token: continue key is not valid: illegal base64 data at "
                   "input byte 0")),
    ("continue=e30", ("invalid continue token: continue key is not valid: server does not "
                     "recognize this encoded version ")),
    ("fieldSelector=x", "invalid selector: 'x'; can't understand 'x'"),
    ("fieldSelector=metadata.name!%3D%3Da",
     "invalid field selector: unescaped character in value: 61"),
    ("fieldSelector=metadata.name%3D%5Cz", "invalid field selector: invalid escape sequence: \\z"),
    ("labelSelector=a%3Eb", ('unable to parse requirement: values[0]: Invalid value: "b": for '
                            "'Gt', 'Lt' operators, the value must be an integer")),
    ("labelSelector=a%3D-",
     ('unable to parse requirement: values[0][a]: Invalid value: "-": a valid label must be an '
     f"empty string or {LETTERS}'MyValue',  or 'my_value',  or '12345', regex used for validation "
     "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')")),
    ("labelSelector=-a",
     (f'unable to parse requirement: key: Invalid value: "-a": name part must {LETTERS}\'MyName\', '
     " or 'my.name',  or '123-abc', regex used for validation is "
     "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')")),
])  # fmt: skip
def test_options_that_make_no_sense(server, query, message):
    answer = server.request("GET", f"{CONFIG_MAPS}?{query}")
    assert (answer.status, answer.json["message"]) == (400, message)


@pytest.mark.parametrize(("options", "code", "message"), [
    ({"gracePeriodSeconds": "x"}, 400, ("json: cannot unmarshal string into Go struct field "
                                       "DeleteOptions.gracePeriodSeconds of type int64")),
    ({"dryRun": ["Nope"]}, 422, ('DeleteOptions.meta.k8s.io "" is invalid: dryRun: Unsupported '
                                'value: ["Nope"]: supported values: "All"')),
])  # fmt: skip
def test_a_deletion_that_makes_no_sense(server, options, code, message):
    answer = server.request("DELETE", f"{THERE}?dryRun=All", options)
    assert (answer.status, answer.json["message"]) == (code, message)


@pytest.mark.parametrize(("text", "problem"), [
    ("", "unexpected end of JSON input"),
    ('{"a": "b', "unexpected end of JSON input"),
    ("[1 2]", "invalid character '2' after array element"),
    ('{"a": [1] "b"}', "invalid character '\"' after object key:value pair"),
    ('{"a" 1}', "invalid character '1' after object key"),
    ("{a: 1}", "invalid character 'a' looking for beginning of object key string"),
    ("{} {}", "invalid character '{' after top-level value"),
    ('"\n"', "invalid character '\\n' in string literal"),
    ('"\\x"', "invalid character 'x' in string escape code"),
    ("\xff", "invalid character '\xff' looking for beginning of value"),
])  # fmt: skip
def test_json_is_judged_in_known_words(text: str, problem: str) -> None:
    assert jsonerrors.problem_with(text.encode("latin-1")) == problem


def test_a_null_in_a_list_is_an_empty_item(server):
    pod: dict[str, Any] = {"metadata": {"name": "x"}, "spec": {"containers": [None]}}
    answer = server.request("POST", "/api/v1/namespaces/default/pods", pod)
    assert answer.json["message"] == (
        'Pod "x" is invalid: [spec.containers[0].name: Required value, '
        "spec.containers[0].image: Required value]"
    )
