"""What a pod names and has to exist, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support import apiserver
from support.apiserver import Running

PODS = "/api/v1/namespaces/default/pods"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with apiserver.running(tmp_path_factory.mktemp("state")) as running:
        yield running


def pod(name: str, **spec: object) -> dict:
    container = {"name": "c", "image": "i"}
    return {"metadata": {"name": name}, "spec": {"containers": [container], **spec}}


def test_a_pod_of_an_unknown_account_is_refused(server):
    answer = server.request("POST", PODS, pod("a", serviceAccountName="nobody"))
    assert (answer.status, answer.json["reason"]) == (403, "Forbidden")
    assert answer.json["message"] == (
        'pods "a" is forbidden: error looking up service account default/nobody: '
        'serviceaccount "nobody" not found'
    )
    assert server.request("GET", PODS + "/a").status == 404


def test_a_pod_without_an_account_gets_the_default_one(server):
    made = server.create(PODS, pod("without"))
    assert made["spec"]["serviceAccountName"] == made["spec"]["serviceAccount"] == "default"


def test_a_pod_of_an_account_that_exists_is_made(server):
    accounts = "/api/v1/namespaces/default/serviceaccounts"
    server.create(accounts, {"metadata": {"name": "somebody"}})
    made = server.create(PODS, pod("with", serviceAccountName="somebody"))
    assert made["spec"]["serviceAccountName"] == "somebody"


def test_a_pod_of_an_unknown_priority_is_refused(server):
    answer = server.request("POST", PODS, pod("b", priorityClassName="none"))
    assert answer.status == 403
    assert answer.json["message"] == (
        'pods "b" is forbidden: no PriorityClass with name none was found'
    )


@pytest.mark.parametrize(
    ("name", "priority"), [("mine", 1234), ("system-cluster-critical", 2_000_000_000), (None, 0)]
)
def test_a_pod_gets_the_priority_of_its_class(server, name, priority):
    if name == "mine":
        server.create(CLASSES, {"metadata": {"name": name}, "value": priority})
    given = {"priorityClassName": name} if name else {}
    made = server.create(PODS, pod(f"pod-{priority}", **given))
    assert made["spec"]["priority"] == priority


def test_a_class_for_all_is_that_of_pods_that_name_none(server):
    server.create(CLASSES, {"metadata": {"name": "for-all"}, "value": 7, "globalDefault": True})
    made = server.create(PODS, pod("plain"))
    assert (made["spec"]["priorityClassName"], made["spec"]["priority"]) == ("for-all", 7)
    server.request("DELETE", CLASSES + "/for-all")
