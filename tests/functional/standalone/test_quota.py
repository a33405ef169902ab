"""Quotas and limits, with the messages of kube-apiserver, which was asked the same."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from support import apiserver
from support.apiserver import Running, config_map

MERGE = "application/merge-patch+json"
LAB = "lab.storageclass.storage.k8s.io"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with apiserver.running(tmp_path_factory.mktemp("state")) as running:
        running.create(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            apiserver.widget_definition(),
        )
        yield running


@pytest.fixture
def space(server: Running) -> str:
    """A fresh namespace's path."""
    made = server.create("/api/v1/namespaces", {"metadata": {"generateName": "quota-"}})
    path = f"/api/v1/namespaces/{made['metadata']['name']}"
    # What every namespace is born with is there before anything is counted.
    with server.watch(f"{path}/configmaps?watch=1") as events:
        next(events)
    return path


def quota(server: Running, space: str, name: str, hard: dict[str, str], **spec: Any) -> None:
    server.create(
        f"{space}/resourcequotas", {"metadata": {"name": name}, "spec": {"hard": hard, **spec}}
    )


def claim(name: str, size: str, storage_class: str = "other") -> dict[str, Any]:
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
        "storageClassName": storage_class,
    }
    return {"metadata": {"name": name}, "spec": spec}


def pod(name: str, resources: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [
        {"name": "c", "image": "x", "resources": resources or {}},
        {"name": "d", "image": "x"},
    ]
    return {"metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def refusal(server: Running, path: str, body: dict[str, Any]) -> str:
    """Why a creation is forbidden."""
    answer = server.request("POST", path, body)
    assert (answer.status, answer.json["reason"]) == (403, "Forbidden"), answer.body
    return answer.json["message"].partition(" is forbidden: ")[2]


def used(server: Running, space: str, name: str, **wanted: str) -> None:
    """Wait until a quota shows these amounts."""
    path = f"{space}/resourcequotas?watch=1&fieldSelector=metadata.name={name}"
    with server.watch(path) as events:
        for event in events:
            shown = (event["object"].get("status") or {}).get("used") or {}
            if all(shown.get(key.replace("__", "/")) == value for key, value in wanted.items()):
                return
    raise AssertionError("the watch has ended")


def test_claims_are_counted_by_number_size_and_class(server, space):
    hard = {
        "persistentvolumeclaims": "2",
        "requests.storage": "10Gi",
        f"{LAB}/requests.storage": "4Gi",
    }
    quota(server, space, "claims", hard)
    claims = f"{space}/persistentvolumeclaims"
    server.create(claims, claim("a", "3Gi"))
    assert refusal(server, claims, claim("b", "5Gi", "lab")) == (
        f"exceeded quota: claims, requested: {LAB}/requests.storage=5Gi, "
        f"used: {LAB}/requests.storage=0, limited: {LAB}/requests.storage=4Gi"
    )
    assert refusal(server, claims, claim("b", "8Gi")) == (
        "exceeded quota: claims, requested: requests.storage=8Gi, used: requests.storage=3Gi, "
        "limited: requests.storage=10Gi"
    )
    assert refusal(server, claims + "?dryRun=All", claim("b", "8Gi", "lab")) == (
        f"exceeded quota: claims, requested: {LAB}/requests.storage=8Gi,requests.storage=8Gi, "
        f"used: {LAB}/requests.storage=0,requests.storage=3Gi, "
        f"limited: {LAB}/requests.storage=4Gi,requests.storage=10Gi"
    )
    server.create(claims, claim("b", "1500Mi"))
    assert refusal(server, claims, claim("c", "1")) == (
        "exceeded quota: claims, requested: persistentvolumeclaims=1, "
        "used: persistentvolumeclaims=2, limited: persistentvolumeclaims=2"
    )
    used(server, space, "claims", **{"requests.storage": "4572Mi", "persistentvolumeclaims": "2"})
    server.request("DELETE", f"{claims}/b")
    used(server, space, "claims", **{"requests.storage": "3Gi", "persistentvolumeclaims": "1"})
    server.create(claims, claim("c", "7Gi"))


def test_a_claim_does_not_grow_past_its_quota(server, space):
    classes = "/apis/storage.k8s.io/v1/storageclasses"
    growing = {"metadata": {"name": "growing"}, "provisioner": "x", "allowVolumeExpansion": True}
    server.create(classes, growing)
    quota(server, space, "claims", {"requests.storage": "4Gi"})
    claims = f"{space}/persistentvolumeclaims"
    made = server.create(claims, claim("a", "3Gi", "growing"))
    made["spec"]["volumeName"] = "pv"
    made = server.request("PUT", f"{claims}/a", made).json
    bound = {"status": {"phase": "Bound", "capacity": {"storage": "3Gi"}}}
    server.request("PATCH", f"{claims}/a/status", bound, content_type=MERGE)
    grown = {"spec": {"resources": {"requests": {"storage": "5Gi"}}}}
    answer = server.request("PATCH", f"{claims}/a", grown, content_type=MERGE)
    assert answer.status == 403
    assert answer.json["message"].endswith(
        "exceeded quota: claims, requested: requests.storage=2Gi, used: requests.storage=3Gi, "
        "limited: requests.storage=4Gi"
    )
    grown["spec"]["resources"]["requests"]["storage"] = "4Gi"
    assert server.request("PATCH", f"{claims}/a", grown, content_type=MERGE).status == 200


@pytest.mark.parametrize(
    ("path", "name", "body"),
    [
        pytest.param("configmaps", "configmaps", config_map("x"), id="config-maps"),
        pytest.param("secrets", "count/secrets", {"metadata": {"name": "x"}}, id="secrets"),
        pytest.param(
            "services",
            "services",
            {"metadata": {"name": "x"}, "spec": {"ports": [{"port": 80}]}},
            id="services",
        ),
        pytest.param("pods", "pods", pod("x"), id="pods"),
        pytest.param(
            "widgets",
            "count/widgets.example.com",
            {"metadata": {"name": "x"}, "spec": {"size": 1}},
            id="users-kinds",
        ),
        pytest.param(
            "resourcequotas",
            "resourcequotas",
            {"metadata": {"name": "x"}, "spec": {"hard": {}}},
            id="quotas",
        ),
    ],
)
def test_objects_are_counted(server, space, path, name, body):
    there = {"configmaps": "1", "resourcequotas": "1"}.get(name, "0")
    quota(server, space, "objects", {name: there})
    collection = f"{space}/{path}"
    if path == "widgets":
        collection = collection.replace("/api/v1/", "/apis/example.com/v1/")
    assert refusal(server, collection, body) == (
        f"exceeded quota: objects, requested: {name}=1, used: {name}={there}, "
        f"limited: {name}={there}"
    )


def test_a_service_does_not_open_ports_past_its_quota(server, space):
    quota(server, space, "ports", {"services.nodeports": "0", "services.loadbalancers": "0"})
    path = f"{space}/services"
    server.create(path, {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}})
    opened = {"spec": {"type": "NodePort"}}
    answer = server.request("PATCH", f"{path}/s", opened, content_type=MERGE)
    assert answer.status == 403
    assert answer.json["message"].endswith(
        "requested: services.nodeports=1, used: services.nodeports=0, limited: services.nodeports=0"
    )


def test_pods_say_what_a_quota_counts(server, space):
    quota(server, space, "pods", {"pods": "2", "requests.cpu": "1", "limits.memory": "1Gi"})
    pods = f"{space}/pods"
    assert refusal(server, pods, pod("p")) == (
        "failed quota: pods: must specify limits.memory for: c,d; requests.cpu for: c,d"
    )
    half = {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}
    assert refusal(server, pods, pod("p", half)) == (
        "failed quota: pods: must specify limits.memory for: d; requests.cpu for: d"
    )


def test_pods_that_are_over_do_not_count(server, space):
    quota(server, space, "pods", {"pods": "1"})
    pods = f"{space}/pods"
    server.create(pods, pod("p"))
    assert refusal(server, pods, pod("q")) == (
        "exceeded quota: pods, requested: pods=1, used: pods=1, limited: pods=1"
    )
    over = {"status": {"phase": "Succeeded"}}
    server.request("PATCH", f"{pods}/p/status", over, content_type=MERGE)
    server.create(pods, pod("q"))
    used(server, space, "pods", pods="1")


def test_a_quota_may_be_about_some_pods_only(server, space):
    quota(server, space, "be", {"pods": "0"}, scopes=["BestEffort"])
    pods = f"{space}/pods"
    assert refusal(server, pods, pod("p")) == (
        "exceeded quota: be, requested: pods=1, used: pods=0, limited: pods=0"
    )
    server.create(pods, pod("p", {"requests": {"cpu": "1"}}))


def test_writes_at_once_do_not_share_what_is_left_for_one(server, space):
    quota(server, space, "few", {"count/secrets": "7"})

    def create(number: int) -> int:
        body = {"metadata": {"name": f"s{number}"}}
        return server.request("POST", f"{space}/secrets", body).status

    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(create, range(40)))
    assert (answers.count(201), answers.count(403)) == (7, 33)
    used(server, space, "few", **{"count/secrets": "7"})


def test_what_is_used_is_shown_from_the_start(server, space):
    server.create(f"{space}/persistentvolumeclaims", claim("a", "3Gi"))
    quota(server, space, "later", {"requests.storage": "1Gi", "count/widgets.example.com": "1"})
    wanted = {"requests.storage": "3Gi", "count/widgets.example.com": "0"}
    used(server, space, "later", **wanted)
    done = server.kubectl("describe", "quota", "-n", space.rpartition("/")[2])
    assert "requests.storage           3Gi   1Gi" in done.stdout


LIMITS = {
    "limits": [
        {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "10Gi"}},
        {
            "type": "Container",
            "min": {"cpu": "100m"},
            "max": {"cpu": "2", "memory": "1Gi"},
            "default": {"cpu": "500m"},
            "maxLimitRequestRatio": {"cpu": "4"},
        },
        {"type": "Pod", "max": {"cpu": "2"}, "min": {"memory": "10Mi"}},
    ]
}


class TestLimits:
    @pytest.fixture
    def limited(self, server: Running, space: str) -> str:
        server.create(f"{space}/limitranges", {"metadata": {"name": "l"}, "spec": LIMITS})
        return space

    @pytest.mark.parametrize(
        ("size", "why"),
        [
            ("1Mi", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi"),
            (
                "11Gi",
                "maximum storage usage per PersistentVolumeClaim is 10Gi, but request is 11Gi",
            ),
        ],
    )
    def test_a_claim_is_neither_too_small_nor_too_large(self, server, limited, size, why):
        assert refusal(server, f"{limited}/persistentvolumeclaims", claim("c", size)) == why

    def test_a_pod_gets_what_it_does_not_ask_for(self, server, limited):
        made = server.create(f"{limited}/pods", pod("p", {"requests": {"cpu": "200m"}}))
        first, second = (container["resources"] for container in made["spec"]["containers"])
        assert first["limits"] == {"cpu": "500m", "memory": "1Gi"}
        assert first["requests"] == {"cpu": "200m", "memory": "1Gi"}
        assert second["requests"] == {"cpu": "500m", "memory": "1Gi"}
        assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
            "LimitRanger plugin set: memory request for container c; "
            "cpu, memory limit for container c; cpu, memory request for container d; "
            "cpu, memory limit for container d"
        )

    def test_all_that_is_wrong_with_a_pod_is_said(self, server, limited):
        asked = {
            "requests": {"memory": "20Mi", "cpu": "50m"},
            "limits": {"memory": "2Gi", "cpu": "3"},
        }
        assert refusal(server, f"{limited}/pods", pod("p", asked)) == (
            "[minimum cpu usage per Container is 100m, but request is 50m, "
            "maximum cpu usage per Container is 2, but limit is 3, "
            "maximum memory usage per Container is 1Gi, but limit is 2Gi, "
            "cpu max limit to request ratio per Container is 4, but provided ratio is 60.000000, "
            "maximum cpu usage per Pod is 2, but limit is 3500m]"
        )


@pytest.mark.parametrize(
    ("spec", "causes"),
    [
        pytest.param(
            {"hard": {"foo": "1"}},
            [
                (
                    "spec.hard[foo]",
                    'Invalid value: "foo": must be a standard resource type or fully qualified',
                ),
                ("spec.hard[foo]", 'Invalid value: "foo": must be a standard resource for quota'),
            ],
            id="unknown",
        ),
        pytest.param(
            {"hard": {"pods": "-1"}},
            [("spec.hard[pods]", 'Invalid value: "-1": must be greater than or equal to 0')],
            id="negative",
        ),
        pytest.param(
            {"hard": {"pods": "1.5"}},
            [("spec.hard[pods]", 'Invalid value: "1500m": must be an integer')],
            id="fraction",
        ),
        pytest.param(
            {"hard": {"persistentvolumeclaims": "1"}, "scopes": ["BestEffort"]},
            [
                (
                    "spec.scopes",
                    'Invalid value: ["BestEffort"]: unsupported scope applied to resource',
                )
            ],
            id="scope-of-something-else",
        ),
        pytest.param(
            {"hard": {"pods": "1"}, "scopes": ["Foo"]},
            [("spec.scopes", 'Invalid value: ["Foo"]: unsupported scope')],
            id="unknown-scope",
        ),
    ],
)
def test_a_quota_that_makes_no_sense_is_refused(server, space, spec, causes):
    body = {"metadata": {"name": "bad"}, "spec": spec}
    answer = server.request("POST", f"{space}/resourcequotas", body)
    assert answer.status == 422
    found = [(each["field"], each["message"]) for each in answer.json["details"]["causes"]]
    assert found == causes


@pytest.mark.parametrize(
    ("items", "causes"),
    [
        pytest.param(
            [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}],
            [
                ("min[cpu]", 'Invalid value: "2": min value 2 is greater than max value 1'),
                (
                    "defaultRequest[cpu]",
                    'Invalid value: "1": min value 2 is greater than default request value 1',
                ),
                ("default[cpu]", 'Invalid value: "2": min value 2 is greater than default value 1'),
            ],
            id="bounds",
        ),
        pytest.param(
            [{"type": "Container", "default": {"cpu": "2"}, "max": {"cpu": "1"}}],
            [
                (
                    "defaultRequest[cpu]",
                    'Invalid value: "2": default request value 2 is greater than max value 1',
                ),
                ("default[cpu]", 'Invalid value: "1": default value 2 is greater than max value 1'),
            ],
            id="default",
        ),
        pytest.param(
            [{"type": "Pod", "default": {"cpu": "2"}}],
            [("default", "Forbidden: may not be specified when `type` is 'Pod'")],
            id="default-of-pods",
        ),
        pytest.param(
            [{"type": "Foo", "max": {"cpu": "2"}}],
            [("type", 'Invalid value: "Foo": must be a standard limit type or fully qualified')],
            id="unknown-type",
        ),
        pytest.param(
            [{"type": "PersistentVolumeClaim"}],
            [
                (
                    "limits",
                    (
                        "Required value: either minimum or maximum storage value is required, but "
                        "neither was provided"
                    ),
                )
            ],
            id="claim-without-size",
        ),
        pytest.param(
            [{"type": "Container", "maxLimitRequestRatio": {"cpu": "500m"}}],
            [("maxLimitRequestRatio[cpu]", 'Invalid value: "500m": ratio 500m is less than 1')],
            id="ratio",
        ),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(server, space, items, causes):
    body = {"metadata": {"name": "bad"}, "spec": {"limits": items}}
    answer = server.request("POST", f"{space}/limitranges", body)
    assert answer.status == 422
    found = [(each["field"], each["message"]) for each in answer.json["details"]["causes"]]
    assert found == [(f"spec.limits[0].{field}", message) for field, message in causes]
