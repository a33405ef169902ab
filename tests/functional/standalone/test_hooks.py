"""What other parts of CDI plug into the API server: rules for writes, and subresources."""

from collections.abc import Iterator

import pytest
import yaml
from aiohttp import web

from cdi.standalone.apiserver.admission import AdmissionRequest, Denied
from cdi.standalone.apiserver.server import Hooks
from cdi.standalone.apiserver.subresources import Call, Subresource
from support import apiserver
from support.apiserver import Running

WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
RESOURCE = "widgets.example.com"


class Rules:
    """Rules that remember what they were asked."""

    def __init__(self) -> None:
        self.asked: list[AdmissionRequest] = []

    async def paint(self, request: AdmissionRequest) -> dict:
        made = request.object
        return {**made, "spec": {**made.get("spec", {}), "color": "blue"}}

    async def limit(self, request: AdmissionRequest) -> None:
        self.asked.append(request)
        if request.operation == "DELETE" and request.old["spec"]["size"] == 9:
            raise Denied("nine is kept")
        if request.object and request.object["spec"]["size"] > 9:
            message = 'admission webhook "widgets" denied the request: too big'
            cause = {"reason": "FieldValueInvalid", "message": "too big", "field": "spec.size"}
            raise Denied(message, code=422, reason="Invalid", causes=[cause])


async def log(call: Call) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(call.request)
    for n in range(3):
        await response.write(f"{call.document['metadata']['name']} says {n}\n".encode())
    await response.write_eof()
    return response


@pytest.fixture(scope="module")
def rules() -> Rules:
    return Rules()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, rules: Rules) -> Iterator[Running]:
    hooks = Hooks()
    hooks.admission.mutate_with(RESOURCE, rules.paint)
    hooks.admission.validate_with(RESOURCE, rules.limit)
    hooks.subresources.register("pods", "log", Subresource(log, ("GET",), "Pod"))
    with apiserver.running(tmp_path_factory.mktemp("state"), hooks) as running:
        running.create(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            apiserver.widget_definition(),
        )
        yield running


def widget(name: str, size: int) -> dict:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": size},
    }


def test_a_mutating_rule_changes_what_is_stored(server):
    made = server.create(WIDGETS, widget("painted", 1))
    assert made["spec"]["color"] == "blue"
    assert server.get(WIDGETS + "/painted")["spec"]["color"] == "blue"


def test_a_refusal_reaches_the_user_of_kubectl(server):
    done = server.kubectl("apply", "-f-", stdin=yaml.safe_dump(widget("big", 10)))
    assert done.returncode == 1
    assert done.stderr == "The request is invalid: spec.size: too big\n"
    answer = server.request("POST", WIDGETS, widget("big", 10))
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert answer.json["details"]["causes"][0]["field"] == "spec.size"
    assert server.request("GET", WIDGETS + "/big").status == 404


def test_rules_see_both_states_and_who_asks(server, rules):
    made = server.create(WIDGETS, widget("seen", 1))
    made["spec"]["size"] = 2
    rules.asked.clear()
    server.request("PUT", WIDGETS + "/seen", made)
    (request,) = rules.asked
    assert (request.operation, request.namespace, request.name) == ("UPDATE", "default", "seen")
    assert (request.old["spec"]["size"], request.object["spec"]["size"]) == (1, 2)
    assert request.user.name == "cdi-admin"
    assert not request.dry_run


def test_a_rule_can_refuse_a_deletion(server):
    server.create(WIDGETS, widget("nine", 9))
    answer = server.request("DELETE", WIDGETS + "/nine")
    assert (answer.status, answer.json["message"]) == (403, "nine is kept")
    assert server.request("GET", WIDGETS + "/nine").status == 200


def test_logs_come_from_whoever_registered_for_them(server):
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    server.create("/api/v1/namespaces/default/pods", pod)
    done = server.kubectl("logs", "-f", "p")
    assert (done.returncode, done.stdout) == (0, "p says 0\np says 1\np says 2\n")


def test_definitions_of_the_program_are_there_from_the_start_and_follow_it(tmp_path):
    old, new = apiserver.widget_definition(), apiserver.widget_definition()
    (version,) = new["spec"]["versions"]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["shape"] = {"type": "string", "default": "round"}
    with apiserver.running(tmp_path, Hooks(definitions=[old])) as first:
        assert "shape" not in first.create(WIDGETS, widget("one", 1))["spec"]
    with apiserver.running(tmp_path, Hooks(definitions=[new])) as second:
        assert second.create(WIDGETS, widget("two", 1))["spec"]["shape"] == "round"
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com"
        revision = second.get(path)["metadata"]["resourceVersion"]
    with apiserver.running(tmp_path, Hooks(definitions=[new])) as third:
        assert third.get(path)["metadata"]["resourceVersion"] == revision
