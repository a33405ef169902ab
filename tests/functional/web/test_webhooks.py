"""Webhooks: reviews as Kubernetes sends them, answered over TLS from a real API."""

import asyncio
import base64
import json
from typing import Any

import pytest

from cdi.web.admission import registry
from support import apiserver, cdiapi, manifests

TOKEN = "cdi.kubevirt.io/storage.clone.token"
CLAIMS = "/api/v1/namespaces/{}/persistentvolumeclaims"
CLASS = {
    "metadata": {
        "name": "fast",
        "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
    },
    "provisioner": "example.com/fast",
}


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory):
    with apiserver.running(tmp_path_factory.mktemp("state"), cdiapi.hooks()) as server:
        made = cdiapi.Kubernetes(server)
        made.prepare()
        for name in ("gold", "vms"):
            server.create("/api/v1/namespaces", {"metadata": {"name": name}})
        rule = {
            "apiGroups": ["cdi.kubevirt.io"],
            "resources": ["datavolumes/source"],
            "verbs": ["create"],
        }
        made.allow("cloner", rule)
        server.create("/apis/storage.k8s.io/v1/storageclasses", CLASS)
        config = {
            "apiVersion": "cdi.kubevirt.io/v1beta1",
            "kind": "CDIConfig",
            "metadata": {"name": "config"},
            "spec": {},
        }
        server.create("/apis/cdi.kubevirt.io/v1beta1/cdiconfigs", config)
        profile = {
            "apiVersion": "cdi.kubevirt.io/v1beta1",
            "kind": "StorageProfile",
            "metadata": {"name": "fast"},
            "spec": {},
        }
        profiles = "/apis/cdi.kubevirt.io/v1beta1/storageprofiles"
        stored = server.create(profiles, profile)
        modes = [{"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}]
        stored["status"] = {"claimPropertySets": modes, "storageClass": "fast"}
        assert server.request("PUT", f"{profiles}/fast/status", stored).status == 200
        yield made


def _play(kubernetes, tmp_path, act) -> Any:
    async def play() -> Any:
        async with cdiapi.running(kubernetes, tmp_path) as api:
            return await act(api)

    return asyncio.run(play())


def _review(
    plural: str, obj: Any, *, user: str = "somebody", operation: str = "CREATE", old: Any = None
) -> dict[str, Any]:
    resource, _, group = plural.partition(".")
    meta = (obj or old)["metadata"]
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5",
            "operation": operation,
            "resource": {
                "group": group,
                "version": "v1beta1" if group else "v1",
                "resource": resource,
            },
            "kind": {"group": group, "version": "v1beta1", "kind": "DataVolume"},
            "namespace": "vms",
            "name": meta.get("name", ""),
            "object": obj,
            "oldObject": old,
            "userInfo": {"username": user, "groups": ["system:authenticated"]},
        },
    }


def _asked(kubernetes, tmp_path, path: str, review: Any) -> dict[str, Any]:
    async def act(api: cdiapi.Running) -> dict[str, Any]:
        code, answer = await api.asked("POST", path, json=review)
        assert code == 200, answer
        assert (answer["kind"], answer["apiVersion"]) == ("AdmissionReview", "admission.k8s.io/v1")
        assert answer["response"]["uid"] == "705ab4f5"
        return answer["response"]

    return _play(kubernetes, tmp_path, act)


def _patch(response: dict[str, Any]) -> list[dict[str, Any]]:
    return json.loads(base64.b64decode(response["patch"]))


def test_every_rule_is_served_at_its_path(kubernetes, tmp_path):
    paths = [each.path for each in registry.registrations(str, lambda _: None, str)]
    assert sorted(paths) == [
        "/cdi-validate",
        "/dataimportcron-validate",
        "/datavolume-mutate",
        "/datavolume-validate",
        "/hyperconverged-mutate",
        "/hyperconverged-validate",
        "/objecttransfer-validate",
        "/populator-validate",
        "/pvc-mutate",
        "/ssp-validate",
    ]

    async def act(api: cdiapi.Running) -> None:
        for path in paths:
            code, answer = await api.asked("POST", path, json={})
            assert (code, answer["reason"]) == (400, "BadRequest")
            assert "want an AdmissionReview of admission.k8s.io/v1" in answer["message"]

    _play(kubernetes, tmp_path, act)


def test_a_refusal_says_which_field_is_wrong(kubernetes, tmp_path):
    wanted = manifests.data_volume("x", manifests.BLANK, size="0")
    response = _asked(
        kubernetes,
        tmp_path,
        "/datavolume-validate",
        _review("datavolumes.cdi.kubevirt.io", wanted),
    )
    assert response["allowed"] is False
    assert response["status"]["code"] == 422
    cause = response["status"]["details"]["causes"][0]
    assert cause["field"] == "spec.Storage.resources.requests.size"


def test_who_may_clone_gets_a_token_and_nobody_else(kubernetes, tmp_path):
    wanted = manifests.data_volume("copy", {"pvc": {"namespace": "gold", "name": "disk"}})
    asked = _review("datavolumes.cdi.kubevirt.io", wanted, user="cloner")
    response = _asked(kubernetes, tmp_path, "/datavolume-mutate", asked)
    (operation,) = _patch(response)
    assert operation["path"] == f"/metadata/annotations/{TOKEN.replace('/', '~1')}"
    asked = _review("datavolumes.cdi.kubevirt.io", wanted)
    response = _asked(kubernetes, tmp_path, "/datavolume-mutate", asked)
    assert "insufficient permissions in clone source namespace" in response["status"]["message"]


def test_an_existing_claim_is_seen(kubernetes, tmp_path):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    kubernetes.server.create(CLAIMS.format("vms"), {"metadata": {"name": "taken"}, "spec": spec})
    wanted = manifests.data_volume("taken", manifests.BLANK)
    response = _asked(
        kubernetes,
        tmp_path,
        "/datavolume-validate",
        _review("datavolumes.cdi.kubevirt.io", wanted),
    )
    assert "already exists" in response["status"]["message"]


def test_a_labelled_claim_is_completed_from_caches(kubernetes, tmp_path):
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c", "labels": {"cdi.kubevirt.io/applyStorageProfile": "true"}},
        "spec": {"resources": {"requests": {"storage": "1Gi"}}},
    }
    asked = _review("persistentvolumeclaims", claim)
    response = _asked(kubernetes, tmp_path, "/pvc-mutate", asked)
    patch = {operation["path"]: operation["value"] for operation in _patch(response)}
    assert patch["/spec/accessModes"] == ["ReadWriteMany"]
    assert patch["/spec/volumeMode"] == "Block"
    assert patch["/spec/storageClassName"] == "fast"


def test_a_reference_without_a_name_is_left_to_who_validates(kubernetes, tmp_path):
    wanted = manifests.data_volume("x", manifests.BLANK)
    del wanted["spec"]["source"]
    wanted["spec"]["sourceRef"] = {"kind": "DataSource", "name": ""}
    asked = _review("datavolumes.cdi.kubevirt.io", wanted)
    response = _asked(kubernetes, tmp_path, "/datavolume-mutate", asked)
    assert response["status"]["message"] == 'datasources.cdi.kubevirt.io "" not found'


def test_a_cdi_with_volumes_is_not_deleted(kubernetes, tmp_path):
    volumes = "/apis/cdi.kubevirt.io/v1beta1/namespaces/vms/datavolumes"
    for name in ("one", "two", "three"):
        kubernetes.server.create(volumes, manifests.data_volume(name, manifests.BLANK))
    cdi = {
        "metadata": {"name": "cdi"},
        "spec": {"uninstallStrategy": "BlockUninstallIfWorkloadsExist"},
        "status": {"phase": "Deployed"},
    }
    asked = _review("cdis.cdi.kubevirt.io", None, operation="DELETE", old=cdi)
    response = _asked(kubernetes, tmp_path, "/cdi-validate", asked)
    assert "there are still 2 DataVolumes present" in response["status"]["message"]


def _changed(**request: Any) -> dict[str, Any]:
    review = _review("datavolumes.cdi.kubevirt.io", manifests.data_volume("x", manifests.BLANK))
    return {**review, "request": {**review["request"], **request}}


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        pytest.param("{", {}, 400, id="garbage"),
        pytest.param("[" * 100_000, {}, 400, id="deep-garbage"),
        pytest.param("null", {}, 400, id="null"),
        pytest.param(
            {**_changed(), "apiVersion": "admission.k8s.io/v1beta1"}, {}, 400, id="v1beta1"
        ),
        pytest.param({**_changed(), "request": None}, {}, 400, id="no-request"),
        pytest.param(_changed(uid=None), {}, 400, id="no-uid"),
        pytest.param(_changed(userInfo={"extra": ["x"]}), {}, 400, id="extra-is-a-list"),
        pytest.param(_changed(userInfo={"groups": 7}), {}, 400, id="groups-are-a-number"),
        pytest.param("{}", {"Content-Type": "text/plain"}, 415, id="plain-text"),
        pytest.param("x" * (8 << 20) + "x", {}, 413, id="too-large"),
    ],
)
def test_what_is_no_review_is_answered_with_a_status(kubernetes, tmp_path, body, headers, code):
    async def act(api: cdiapi.Running) -> None:
        data = body if isinstance(body, str) else json.dumps(body)
        sent = {"Content-Type": "application/json", **headers}
        found, answer = await api.asked("POST", "/datavolume-validate", data=data, headers=sent)
        assert (found, answer["kind"], answer["code"]) == (code, "Status", code)

    _play(kubernetes, tmp_path, act)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"object": None}, id="no-object"),
        pytest.param({"object": {"metadata": "x", "spec": []}}, id="odd-object"),
        pytest.param({"resource": None}, id="no-resource"),
        pytest.param({"operation": "CONNECT"}, id="other-operation"),
        pytest.param({"userInfo": None}, id="nobody"),
    ],
)
def test_odd_reviews_break_no_rule(kubernetes, tmp_path, change):
    async def act(api: cdiapi.Running) -> None:
        for each in registry.registrations(str, lambda _: None, str):
            code, answer = await api.asked("POST", each.path, json=_changed(**change))
            assert (code, answer["kind"]) == (200, "AdmissionReview"), (each.path, answer)

    _play(kubernetes, tmp_path, act)


def test_reviews_are_counted(kubernetes, tmp_path):
    async def act(api: cdiapi.Running) -> None:
        await api.asked("POST", "/datavolume-validate", json=_changed())
        token = {"Authorization": f"Bearer {kubernetes.server.token}"}
        async with (
            api.client() as client,
            client.get(api.url("/metrics"), headers=token) as answer,
        ):
            text = await answer.text()
        name = 'webhook="datavolume-validate.cdi.kubevirt.io"'
        assert f'cdi_admission_reviews_total{{allowed="true",{name}}} 1.0' in text

    _play(kubernetes, tmp_path, act)
