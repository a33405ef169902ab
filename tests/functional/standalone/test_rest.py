"""The resource API over HTTPS: what any Kubernetes client may rely on."""

import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from support import apiserver
from support.apiserver import Running, config_map

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = "application/merge-patch+json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with apiserver.running(tmp_path_factory.mktemp("state")) as running:
        running.create(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
            apiserver.widget_definition(),
        )
        yield running


@pytest.fixture
def space(server: Running, request: pytest.FixtureRequest) -> str:
    """A fresh namespace's path."""
    made = server.create("/api/v1/namespaces", {"metadata": {"generateName": "test-"}})
    return f"/api/v1/namespaces/{made['metadata']['name']}"


def widgets(space: str) -> str:
    return space.replace("/api/v1/", "/apis/example.com/v1/") + "/widgets"


def widget(name: str, **spec: object) -> dict[str, object]:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 1, **spec},
    }


def test_a_new_object_gets_its_identity(server, space):
    made = server.create(space + "/configmaps", config_map("one", a="1"))
    metadata = made["metadata"]
    assert metadata["uid"]
    assert metadata["creationTimestamp"].endswith("Z")
    assert metadata["namespace"] == space.rpartition("/")[2]
    assert "generation" not in metadata
    assert server.get(space + "/configmaps/one") == made


def test_generate_name_makes_distinct_names(server, space):
    prefixed = {"metadata": {"generateName": "many-"}}
    names = {server.create(space + "/configmaps", prefixed)["metadata"]["name"] for _ in range(20)}
    assert len(names) == 20
    assert all(name.startswith("many-") and len(name) == 10 for name in names)


@pytest.mark.parametrize(
    ("method", "path", "body", "code", "reason", "message"),
    [
        pytest.param(
            "GET",
            "/configmaps/none",
            None,
            404,
            "NotFound",
            'configmaps "none" not found',
            id="no-such-object",
        ),
        pytest.param(
            "GET",
            "/nonsense",
            None,
            404,
            "NotFound",
            "the server could not find the requested resource",
            id="no-such-resource",
        ),
        pytest.param(
            "POST",
            "/configmaps",
            config_map("there"),
            409,
            "AlreadyExists",
            'configmaps "there" already exists',
            id="exists",
        ),
        pytest.param(
            "POST",
            "/configmaps",
            b"{",
            400,
            "BadRequest",
            "json parse error: unexpected end of JSON input ({)",
            id="no-json",
        ),
        pytest.param(
            "POST",
            "/configmaps",
            {"kind": "Pod", "apiVersion": "v1"},
            400,
            "BadRequest",
            "cannot be handled as a ConfigMap",
            id="another-kind",
        ),
        pytest.param(
            "POST",
            "/configmaps",
            config_map("Bad_Name"),
            422,
            "Invalid",
            'ConfigMap "Bad_Name" is invalid: metadata.name',
            id="bad-name",
        ),
        pytest.param(
            "POST",
            "/configmaps",
            {"metadata": {"name": "x", "namespace": "other"}},
            400,
            "BadRequest",
            "does not match the namespace sent",
            id="another-namespace",
        ),
        pytest.param(
            "PUT",
            "/configmaps/there",
            {"metadata": {"name": "there", "resourceVersion": "1"}},
            409,
            "Conflict",
            "the object has been modified",
            id="stale-update",
        ),
        pytest.param(
            "PUT",
            "/configmaps/there",
            {"metadata": {"name": "there", "uid": "no"}},
            409,
            "Conflict",
            "Precondition failed: UID in precondition: no",
            id="another-uid",
        ),
        pytest.param(
            "DELETE",
            "/configmaps/there",
            {"preconditions": {"uid": "no"}},
            409,
            "Conflict",
            "does not match the UID in record",
            id="delete-another-uid",
        ),
        pytest.param(
            "GET",
            "/configmaps?labelSelector=a%3D%3D%3Db%20c",
            None,
            400,
            "BadRequest",
            "unable to parse requirement",
            id="bad-label-selector",
        ),
        pytest.param(
            "GET",
            "/configmaps?fieldSelector=data.x%3D1",
            None,
            400,
            "BadRequest",
            '"data.x" is not a known field selector',
            id="unsupported-field",
        ),
        pytest.param(
            "GET",
            "/configmaps?continue=rubbish",
            None,
            400,
            "BadRequest",
            "continue key is not valid",
            id="bad-continue",
        ),
        pytest.param(
            "GET",
            "/configmaps?resourceVersion=99999999&resourceVersionMatch=Exact",
            None,
            504,
            "Timeout",
            "Too large resource version",
            id="future-revision",
        ),
        pytest.param(
            "PATCH",
            "/configmaps/there",
            {"data": {}},
            415,
            "UnsupportedMediaType",
            "415: Unsupported Media Type",
            id="unknown-patch",
        ),
        pytest.param(
            "DELETE",
            "/serviceaccounts/default/status",
            None,
            404,
            "NotFound",
            "could not find the requested resource",
            id="no-such-subresource",
        ),
        pytest.param(
            "DELETE",
            "/persistentvolumeclaims/any/status",
            None,
            405,
            "MethodNotAllowed",
            "does not allow this method",
            id="delete-a-status",
        ),
        pytest.param(
            "POST",
            "/configmaps/there",
            {},
            405,
            "MethodNotAllowed",
            "does not allow this method",
            id="create-on-an-object",
        ),
    ],
)
def test_errors_have_the_shape_that_clients_know(
    server, space, method, path, body, code, reason, message
):
    server.create(space + "/configmaps", config_map("there"))
    answer = server.request(method, space + path, body)
    assert answer.status == code
    assert answer.json["kind"] == "Status"
    assert answer.json["status"] == "Failure"
    assert (answer.json["code"], answer.json["reason"]) == (code, reason)
    assert message in answer.json["message"]


def test_an_invalid_object_is_answered_with_causes(server, space):
    answer = server.request("POST", widgets(space), widget("bad", size=0))
    assert answer.status == 422
    (cause,) = answer.json["details"]["causes"]
    assert cause["field"] == "spec.size"
    assert cause["reason"] == "FieldValueInvalid"
    assert answer.json["details"]["kind"] == "Widget"
    assert answer.json["message"].startswith('Widget.example.com "bad" is invalid: spec.size: ')


def test_namespaces_must_exist_for_their_content(server):
    answer = server.request("POST", "/api/v1/namespaces/nowhere/configmaps", config_map("x"))
    assert answer.status == 404
    assert answer.json["message"] == 'namespaces "nowhere" not found'


class TestUpdate:
    def test_the_generation_follows_the_spec_alone(self, server, space):
        made = server.create(widgets(space), widget("w"))
        assert made["metadata"]["generation"] == 1
        made["metadata"]["labels"] = {"a": "b"}
        labelled = server.request("PUT", widgets(space) + "/w", made).json
        assert labelled["metadata"]["generation"] == 1
        labelled["spec"]["size"] = 2
        grown = server.request("PUT", widgets(space) + "/w", labelled).json
        assert grown["metadata"]["generation"] == 2

    def test_status_and_spec_are_written_apart(self, server, space):
        made = server.create(widgets(space), {**widget("w"), "status": {"phase": "Mine"}})
        assert "status" not in made
        made["status"] = {"phase": "Good"}
        made["spec"]["size"] = 7
        by_status = server.request("PUT", widgets(space) + "/w/status", made).json
        assert (by_status["status"], by_status["spec"]["size"]) == ({"phase": "Good"}, 1)
        by_status["status"] = {"phase": "Other"}
        by_status["spec"]["size"] = 7
        by_main = server.request("PUT", widgets(space) + "/w", by_status).json
        assert (by_main["status"], by_main["spec"]["size"]) == ({"phase": "Good"}, 7)

    def test_a_custom_resource_must_name_its_revision(self, server, space):
        server.create(widgets(space), widget("w"))
        answer = server.request("PUT", widgets(space) + "/w", widget("w"))
        assert answer.status == 422
        assert "metadata.resourceVersion: Invalid value" in answer.json["message"]

    def test_a_status_can_be_applied(self, server, space):
        server.create(widgets(space), widget("w"))
        body = {**widget("w"), "status": {"phase": "Good"}}
        path = f"{widgets(space)}/w/status?fieldManager=a"
        answer = server.request("PATCH", path, body, content_type="application/apply-patch+yaml")
        assert (answer.status, answer.json["status"]) == (200, {"phase": "Good"})
        managed = answer.json["metadata"]["managedFields"]
        (entry,) = [one for one in managed if one["manager"] == "a"]
        assert (entry["operation"], entry["subresource"]) == ("Apply", "status")

    def test_what_the_server_owns_cannot_be_changed(self, server, space):
        made = server.create(space + "/configmaps", config_map("c"))
        changed = {**made, "metadata": {**made["metadata"], "creationTimestamp": None}}
        answer = server.request("PUT", space + "/configmaps/c", changed).json
        assert answer["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]

    def test_writing_the_same_again_changes_nothing(self, server, space):
        made = server.create(space + "/configmaps", config_map("c", a="1"))
        again = server.request("PUT", space + "/configmaps/c", made).json
        assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]

    def test_of_concurrent_updates_of_one_revision_one_wins(self, server, space):
        made = server.create(space + "/configmaps", config_map("c"))

        def write(n):
            return server.request(
                "PUT", space + "/configmaps/c", {**made, "data": {"n": str(n)}}
            ).status

        with ThreadPoolExecutor(20) as pool:
            codes = list(pool.map(write, range(100)))
        assert sorted(set(codes)) == [200, 409]
        assert codes.count(200) == 1

    def test_concurrent_patches_all_arrive(self, server, space):
        server.create(space + "/configmaps", config_map("c"))

        def patch(n):
            body = {"data": {f"key{n}": "x"}}
            return server.request("PATCH", space + "/configmaps/c", body, content_type=MERGE).status

        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(patch, range(100))) == {200}
        assert len(server.get(space + "/configmaps/c")["data"]) == 100

    def test_concurrent_creates_all_arrive(self, server, space):
        def create(n):
            return server.request("POST", space + "/configmaps", config_map(f"c{n}")).status

        with ThreadPoolExecutor(20) as pool:
            assert set(pool.map(create, range(100))) == {201}
        items = server.get(space + "/configmaps?labelSelector=")["items"]
        assert len([i for i in items if i["metadata"]["name"].startswith("c")]) == 100


@pytest.mark.parametrize(
    ("media", "patch", "data"),
    [
        pytest.param(MERGE, {"data": {"a": None, "b": "2"}}, {"b": "2", "k": "v"}, id="merge"),
        pytest.param(
            "application/json-patch+json",
            [
                {"op": "test", "path": "/data/a", "value": "1"},
                {"op": "remove", "path": "/data/a"},
                {"op": "add", "path": "/data/c", "value": "3"},
            ],
            {"c": "3", "k": "v"},
            id="json",
        ),
        pytest.param(
            "application/strategic-merge-patch+json",
            {"data": {"$patch": "replace", "d": "4"}},
            {"d": "4"},
            id="strategic",
        ),
    ],
)
def test_patches(server, space, media, patch, data):
    server.create(space + "/configmaps", config_map("c", a="1", k="v"))
    answer = server.request("PATCH", space + "/configmaps/c", patch, content_type=media)
    assert answer.status == 200, answer.body
    assert answer.json["data"] == data


def test_a_failed_test_in_a_json_patch_changes_nothing(server, space):
    made = server.create(space + "/configmaps", config_map("c", a="1"))
    patch = [{"op": "test", "path": "/data/a", "value": "2"}]
    answer = server.request(
        "PATCH", space + "/configmaps/c", patch, content_type="application/json-patch+json"
    )
    assert answer.status == 422
    assert server.get(space + "/configmaps/c") == made


class TestServerSideApply:
    TYPE = "application/apply-patch+yaml"

    def apply(self, server, space, manager, data, force=False):
        body = {**config_map("c"), "data": data}
        path = f"{space}/configmaps/c?fieldManager={manager}&force={str(force).lower()}"
        return server.request("PATCH", path, body, content_type=self.TYPE)

    def test_creates_then_merges_and_removes(self, server, space):
        assert self.apply(server, space, "a", {"x": "1", "y": "1"}).status == 201
        answer = self.apply(server, space, "a", {"x": "2"})
        assert (answer.status, answer.json["data"]) == (200, {"x": "2"})

    def test_conflicts_name_the_other_manager_and_yield_to_force(self, server, space):
        self.apply(server, space, "a", {"x": "1"})
        refused = self.apply(server, space, "b", {"x": "2"})
        assert (refused.status, refused.json["reason"]) == (409, "Conflict")
        (cause,) = refused.json["details"]["causes"]
        assert (cause["reason"], cause["field"]) == ("FieldManagerConflict", ".data.x")
        assert '"a"' in cause["message"]
        forced = self.apply(server, space, "b", {"x": "2"}, force=True)
        assert (forced.status, forced.json["data"]) == (200, {"x": "2"})

    def test_applying_the_same_again_changes_nothing(self, server, space):
        first = self.apply(server, space, "a", {"x": "1"}).json
        assert self.apply(server, space, "a", {"x": "1"}).json == first

    def test_a_manager_must_be_named(self, server, space):
        answer = server.request(
            "PATCH", space + "/configmaps/c", config_map("c"), content_type=self.TYPE
        )
        assert answer.status == 422
        assert "fieldManager" in answer.json["message"]


class TestFieldValidation:
    @pytest.mark.parametrize(
        ("mode", "code"),
        [
            pytest.param("Strict", 400, id="strict"),
            pytest.param("Warn", 201, id="warn"),
            pytest.param("Ignore", 201, id="ignore"),
        ],
    )
    def test_unknown_fields(self, server, space, mode, code):
        body = widget("w", nonsense=1)
        answer = server.request("POST", f"{widgets(space)}?fieldValidation={mode}", body)
        assert answer.status == code
        if mode == "Strict":
            expected = 'strict decoding error: unknown field "spec.nonsense"'
            assert expected in answer.json["message"]
        else:
            assert "nonsense" not in answer.json["spec"]
        warned = 'unknown field \\"spec.nonsense\\"' in answer.headers.get("Warning", "")
        assert warned == (mode == "Warn")


class TestDryRun:
    def test_nothing_is_kept(self, server, space):
        answer = server.request("POST", space + "/configmaps?dryRun=All", config_map("c"))
        assert (answer.status, answer.json["metadata"]["name"]) == (201, "c")
        assert server.request("GET", space + "/configmaps/c").status == 404

    def test_a_deletion_only_looks(self, server, space):
        server.create(space + "/configmaps", config_map("c"))
        assert server.request("DELETE", space + "/configmaps/c?dryRun=All").status == 200
        assert server.request("GET", space + "/configmaps/c").status == 200


class TestLists:
    def test_pages_show_one_moment(self, server, space):
        for n in range(5):
            server.create(widgets(space), widget(f"w{n}"))
        first = server.get(widgets(space) + "?limit=2")
        assert first["metadata"]["remainingItemCount"] == 3
        server.create(widgets(space), widget("w9"))
        server.request("DELETE", widgets(space) + "/w3")
        names = [item["metadata"]["name"] for item in first["items"]]
        token = first["metadata"]["continue"]
        while token:
            page = server.get(f"{widgets(space)}?limit=2&continue={token}")
            assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
            names += [item["metadata"]["name"] for item in page["items"]]
            token = page["metadata"].get("continue")
        assert names == ["w0", "w1", "w2", "w3", "w4"]

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            pytest.param("labelSelector=app%3Da", ["one", "two"], id="equal"),
            pytest.param("labelSelector=app!%3Da", ["three"], id="unequal"),
            pytest.param("labelSelector=tier%20in%20(x,y)", ["one", "two"], id="in"),
            pytest.param("labelSelector=app%3Da,tier%20notin%20(x)", ["two"], id="notin"),
            pytest.param("labelSelector=!tier", ["three"], id="absent"),
            pytest.param("labelSelector=tier", ["one", "two"], id="exists"),
            pytest.param("fieldSelector=metadata.name%3Dtwo", ["two"], id="name"),
            pytest.param("fieldSelector=metadata.name!%3Dtwo", ["one", "three"], id="not-name"),
        ],
    )
    def test_selectors(self, server, space, query, names):
        for name, labels in (
            ("one", {"app": "a", "tier": "x"}),
            ("two", {"app": "a", "tier": "y"}),
            ("three", {"app": "b"}),
        ):
            body = widget(name)
            body["metadata"]["labels"] = labels
            server.create(widgets(space), body)
        items = server.get(f"{widgets(space)}?{query}")["items"]
        assert sorted(item["metadata"]["name"] for item in items) == sorted(names)

    @pytest.mark.parametrize("selector", [",", "a,,b", "app%3D%3D%3D", "app,"])
    def test_a_malformed_selector_selects_nothing(self, server, space, selector):
        server.create(space + "/configmaps", config_map("c"))
        path = f"{space}/configmaps?labelSelector={selector}"
        assert server.request("GET", path).status == 400
        assert server.request("DELETE", path).status == 400
        assert server.request("GET", space + "/configmaps/c").status == 200

    def test_tables_and_partial_metadata_on_request(self, server, space):
        server.create(widgets(space), widget("w", size=3))
        table = server.get(widgets(space), Accept="application/json;as=Table;g=meta.k8s.io;v=v1")
        assert table["kind"] == "Table"
        assert [c["name"] for c in table["columnDefinitions"]][:2] == ["Name", "Size"]
        assert table["rows"][0]["cells"][:2] == ["w", 3]
        partial = server.get(
            widgets(space),
            Accept="application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
        )
        assert partial["kind"] == "PartialObjectMetadataList"
        assert set(partial["items"][0]) == {"kind", "apiVersion", "metadata"}

    def test_yaml_in_and_out(self, server, space):
        body = "metadata: {name: y}\ndata: {day: '2020-01-01'}\n"
        answer = server.request(
            "POST", space + "/configmaps", body, content_type="application/yaml"
        )
        assert answer.status == 201
        shown = server.request("GET", space + "/configmaps/y", Accept="application/yaml")
        assert b"day: '2020-01-01'" in shown.body


class TestDeletion:
    def test_the_answer_names_what_went(self, server, space):
        made = server.create(space + "/configmaps", config_map("c"))
        answer = server.request("DELETE", space + "/configmaps/c").json
        assert answer["status"] == "Success"
        assert answer["details"]["uid"] == made["metadata"]["uid"]

    def test_finalizers_hold_an_object_until_the_last_is_gone(self, server, space):
        body = widget("w")
        body["metadata"]["finalizers"] = ["example.com/hold"]
        server.create(widgets(space), body)
        marked = server.request("DELETE", widgets(space) + "/w").json
        assert marked["metadata"]["deletionTimestamp"]
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
        patch = {"metadata": {"finalizers": None}}
        answer = server.request("PATCH", widgets(space) + "/w", patch, content_type=MERGE)
        assert answer.status == 200
        assert server.request("GET", widgets(space) + "/w").status == 404

    def test_a_running_pod_waits_for_its_node(self, server, space):
        pod = {
            "metadata": {"name": "p"},
            "spec": {"nodeName": "here", "containers": [{"name": "c", "image": "i"}]},
        }
        server.create(space + "/pods", pod)
        marked = server.request("DELETE", space + "/pods/p").json
        assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
        gone = server.request("DELETE", space + "/pods/p?gracePeriodSeconds=0").json
        assert gone["status"] == "Success"

    def test_a_collection_goes_by_selector(self, server, space):
        for name, app in (("a", "x"), ("b", "x"), ("c", "y")):
            body = widget(name)
            body["metadata"]["labels"] = {"app": app}
            server.create(widgets(space), body)
        answer = server.request("DELETE", widgets(space) + "?labelSelector=app%3Dx")
        assert answer.status == 200
        left = [item["metadata"]["name"] for item in server.get(widgets(space))["items"]]
        assert left == ["c"]

    def owned(self, server, space, policy, block=True):
        owner = server.create(space + "/configmaps", config_map("owner"))
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "owner",
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": block,
        }
        for name in ("d1", "d2"):
            body = config_map(name)
            body["metadata"]["ownerReferences"] = [reference]
            server.create(space + "/configmaps", body)
        server.request("DELETE", f"{space}/configmaps/owner?propagationPolicy={policy}")
        server.eventually_gone(space + "/configmaps/owner", "configmaps")

    @pytest.mark.parametrize("policy", ["Background", "Foreground"])
    def test_dependents_follow_their_owner(self, server, space, policy):
        self.owned(server, space, policy)
        for name in ("d1", "d2"):
            server.eventually_gone(f"{space}/configmaps/{name}", "configmaps")

    def test_orphans_stay_without_their_owner(self, server, space):
        self.owned(server, space, "Orphan")
        for name in ("d1", "d2"):
            assert "ownerReferences" not in server.get(f"{space}/configmaps/{name}")["metadata"]

    def test_an_object_whose_owner_never_was_goes(self, server, space):
        body = config_map("d")
        body["metadata"]["ownerReferences"] = [
            {"apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "no-such-uid"}
        ]
        server.create(space + "/configmaps", body)
        server.eventually_gone(space + "/configmaps/d", "configmaps")

    def test_a_namespace_takes_its_content_along(self, server, space):
        held = widget("held")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        server.create(widgets(space), held)
        server.create(space + "/configmaps", config_map("c"))
        marked = server.request("DELETE", space).json
        assert marked["status"]["phase"] == "Terminating"
        refused = server.request("POST", space + "/configmaps", config_map("late"))
        assert (refused.status, refused.json["reason"]) == (403, "Forbidden")
        assert refused.json["details"]["causes"][0]["reason"] == "NamespaceTerminating"
        server.eventually_gone(space + "/configmaps/c", "configmaps")
        patch = {"metadata": {"finalizers": None}}
        server.request("PATCH", widgets(space) + "/held", patch, content_type=MERGE)
        server.eventually_gone(space, "namespaces")


class TestCustomResources:
    CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

    def test_endpoints_come_and_go_with_the_definition(self, server, space):
        definition = apiserver.widget_definition("come.example.com")
        made = server.create(self.CRDS, definition)
        path = widgets(space).replace("example.com", "come.example.com")
        server.create(path, {**widget("w"), "apiVersion": "come.example.com/v1"})
        name = made["metadata"]["name"]
        status = server.get(f"{self.CRDS}/{name}")["status"]
        assert {c["type"] for c in status["conditions"] if c["status"] == "True"} == {
            "Established",
            "NamesAccepted",
        }
        assert status["storedVersions"] == ["v1"]
        server.request("DELETE", f"{self.CRDS}/{name}")
        server.eventually_gone(f"{self.CRDS}/{name}", "customresourcedefinitions")
        assert server.request("GET", path).status == 404

    def test_all_served_versions_show_the_same_objects(self, server, space):
        definition = apiserver.widget_definition("both.example.com")
        (version,) = definition["spec"]["versions"]
        older = {**version, "name": "v1beta1", "storage": False}
        definition["spec"]["versions"] = [version, older]
        server.create(self.CRDS, definition)
        path = widgets(space).replace("example.com", "both.example.com")
        old_path = path.replace("/v1/", "/v1beta1/")
        server.create(old_path, {**widget("w"), "apiVersion": "both.example.com/v1beta1"})
        assert server.get(path + "/w")["apiVersion"] == "both.example.com/v1"
        (item,) = server.get(old_path)["items"]
        assert item["apiVersion"] == "both.example.com/v1beta1"

    def test_a_definition_that_is_not_structural_is_refused(self, server):
        definition = apiserver.widget_definition(
            "bad.example.com", schema={"openAPIV3Schema": {"properties": {"spec": {}}}}
        )
        answer = server.request("POST", self.CRDS, definition)
        assert answer.status == 422
        assert answer.json["details"]["causes"]


class TestEvents:
    def test_both_faces_show_the_same_event(self, server, space):
        namespace = space.rpartition("/")[2]
        events = space.replace("/api/v1/", "/apis/events.k8s.io/v1/") + "/events"
        made = server.request(
            "POST",
            events,
            {
                "metadata": {"name": "e", "namespace": namespace},
                "eventTime": "2026-01-01T00:00:00.000000Z",
                "regarding": {"kind": "Pod", "name": "p", "namespace": namespace},
                "note": "hello",
                "reason": "Because",
                "type": "Normal",
                "action": "Acting",
                "reportingController": "example.com/me",
                "reportingInstance": "me-1",
            },
        )
        assert made.status == 201, made.body
        core = server.get(space + "/events?fieldSelector=involvedObject.name%3Dp")["items"]
        assert [item["message"] for item in core] == ["hello"]
        assert server.get(events + "/e")["note"] == "hello"


def test_events_go_an_hour_after_they_were_last_seen(tmp_path):
    events = "/api/v1/namespaces/default/events"
    with apiserver.running(tmp_path) as first:
        for name in ("old", "young"):
            seen = datetime.now(UTC) + timedelta(hours=1.5 if name == "young" else 0)
            body = {
                "metadata": {"name": name, "namespace": "default"},
                "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
                "lastTimestamp": seen.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "type": "Normal",
            }
            first.create(events, body)
    later = {"clock": lambda: datetime.now(UTC) + timedelta(hours=2)}
    with apiserver.running(tmp_path, **later) as second:
        second.eventually_gone(events + "/old", "events")
        assert second.get(events + "/young")["metadata"]["name"] == "young"


class TestAccess:
    def test_nobody_enters_without_a_token(self, server):
        assert server.request("GET", CONFIG_MAPS, token="").status == 403
        assert server.request("GET", CONFIG_MAPS, token="guess").status == 401
        assert server.request("GET", "/readyz", token="").body == b"ok"

    def test_the_kubeconfig_is_private(self, server):
        assert stat.S_IMODE(server.kubeconfig.stat().st_mode) == 0o600

    def test_a_service_account_may_do_what_its_roles_say(self, server, space):
        namespace = space.rpartition("/")[2]
        server.create(space + "/serviceaccounts", {"metadata": {"name": "robot"}})
        request = server.create(space + "/serviceaccounts/robot/token", {"spec": {}})
        token = request["status"]["token"]
        assert server.request("GET", space + "/configmaps", token=token).status == 403
        rbac = space.replace("/api/v1/", "/apis/rbac.authorization.k8s.io/v1/")
        rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
        server.create(rbac + "/roles", {"metadata": {"name": "reader"}, "rules": rules})
        server.create(
            rbac + "/rolebindings",
            {
                "metadata": {"name": "robot-reads"},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "Role",
                    "name": "reader",
                },
                "subjects": [{"kind": "ServiceAccount", "name": "robot", "namespace": namespace}],
            },
        )
        assert server.request("GET", space + "/configmaps", token=token).status == 200
        refused = server.request("POST", space + "/configmaps", config_map("x"), token=token)
        assert refused.status == 403
        assert "cannot create resource" in refused.json["message"]
        review = server.create(
            "/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}}
        )
        expected = f"system:serviceaccount:{namespace}:robot"
        assert review["status"]["user"]["username"] == expected
        access = server.create(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            {
                "spec": {
                    "user": expected,
                    "resourceAttributes": {
                        "namespace": namespace,
                        "verb": "get",
                        "resource": "configmaps",
                    },
                }
            },
        )
        assert access["status"]["allowed"] is True

    def test_a_token_ends_with_its_account(self, server, space):
        server.create(space + "/serviceaccounts", {"metadata": {"name": "robot"}})
        path = space + "/serviceaccounts/robot"
        token = server.create(path + "/token", {"spec": {}})["status"]["token"]
        server.request("DELETE", path)
        assert server.request("GET", "/apis", token=token).status == 401


class TestDiscovery:
    def test_legacy_documents(self, server):
        assert server.get("/api")["versions"] == ["v1"]
        groups = {group["name"] for group in server.get("/apis")["groups"]}
        assert {"apps", "storage.k8s.io", "example.com"} <= groups
        names = {resource["name"] for resource in server.get("/api/v1")["resources"]}
        assert {"pods", "pods/log", "pods/status", "serviceaccounts/token"} <= names

    @pytest.mark.parametrize("version", ["v2", "v2beta1"])
    def test_aggregated_documents(self, server, version):
        accept = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        answer = server.request("GET", "/apis", Accept=f"{accept},application/json")
        assert answer.headers["Content-Type"] == accept
        group = next(i for i in answer.json["items"] if i["metadata"]["name"] == "example.com")
        (resource,) = group["versions"][0]["resources"]
        assert (resource["resource"], resource["scope"]) == ("widgets", "Namespaced")
        assert resource["subresources"][0]["subresource"] == "status"

    def test_openapi_documents_can_be_kept(self, server):
        paths = server.get("/openapi/v3")["paths"]
        url = paths["apis/example.com/v1"]["serverRelativeURL"]
        answer = server.request("GET", url)
        assert "Widget" in str(answer.json["components"]["schemas"])
        again = server.request("GET", url, If_None_Match=answer.headers["ETag"])
        assert again.status == 304
