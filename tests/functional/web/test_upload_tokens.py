"""Upload tokens on a cluster: for users whom the front proxy vouches for, and nobody else."""

import asyncio
import base64
import json

import aiohttp
import pytest

from cdi.web.tokens.keys import parse_secret
from cdi.web.tokens.payload import UploadPayload
from cdi.web.tokens.signing import Tokens
from support import apiserver, cdiapi, manifests, serving
from support.cdiapi import TOKENS, USER

WANTED = {
    "apiVersion": "upload.cdi.kubevirt.io/v1beta1",
    "kind": "UploadTokenRequest",
    "metadata": {"generateName": "token-for-virtctl-", "namespace": "vms"},
    "spec": {"pvcName": "disk"},
}
RULE = {
    "apiGroups": ["upload.cdi.kubevirt.io"],
    "resources": ["uploadtokenrequests"],
    "verbs": ["create"],
}


@pytest.fixture(scope="module")
def kubernetes(tmp_path_factory):
    with apiserver.running(tmp_path_factory.mktemp("state"), cdiapi.hooks()) as server:
        made = cdiapi.Kubernetes(server)
        made.prepare()
        made.allow("alice", RULE)
        server.create("/api/v1/namespaces", {"metadata": {"name": "vms"}})
        yield made


def _reader(kubernetes: cdiapi.Kubernetes) -> Tokens:
    entries = kubernetes.secret("cdi-api-signing-key")
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in entries.items()}
    return Tokens(parse_secret(encoded))


def _play(kubernetes, tmp_path, act) -> None:
    async def play() -> None:
        async with cdiapi.running(kubernetes, tmp_path) as api:
            await act(api)

    asyncio.run(play())


def test_a_token_is_for_the_claim_of_the_path_and_nothing_is_stored(kubernetes, tmp_path):
    async def act(api: cdiapi.Running) -> None:
        code, answer = await api.token_request(WANTED)
        assert code == 200
        token = answer["status"].pop("token")
        assert answer == {**WANTED, "status": {}}
        assert _reader(kubernetes).read_upload(token) == UploadPayload("vms", "disk")

    _play(kubernetes, tmp_path, act)


def test_a_token_is_bound_to_the_claim_that_there_is(kubernetes, tmp_path):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims = "/api/v1/namespaces/vms/persistentvolumeclaims"
    made = kubernetes.server.create(claims, {"metadata": {"name": "there"}, "spec": spec})

    async def act(api: cdiapi.Running) -> None:
        _, answer = await api.token_request({**WANTED, "spec": {"pvcName": "there"}})
        payload = _reader(kubernetes).read_upload(answer["status"]["token"])
        assert payload == UploadPayload("vms", "there", made["metadata"]["uid"])

    _play(kubernetes, tmp_path, act)


@pytest.mark.parametrize(
    ("shown", "headers", "code", "message"),
    [
        pytest.param(None, USER, 401, "no client certificate", id="no-certificate"),
        pytest.param("somebody", USER, 401, "'somebody' is not that", id="not-the-front-proxy"),
        pytest.param("front-proxy-client", {}, 401, "who the user is", id="no-user"),
        pytest.param(
            "front-proxy-client", {"X-Remote-User": "alice"}, 401, "which groups", id="no-group"
        ),
        pytest.param(
            "front-proxy-client",
            {**USER, "X-Remote-User": "mallory"},
            403,
            'User "mallory" cannot create resource "uploadtokenrequests"',
            id="not-allowed",
        ),
    ],
)
def test_who_may_not_ask_gets_no_token(kubernetes, tmp_path, shown, headers, code, message):
    async def act(api: cdiapi.Running) -> None:
        path = TOKENS.format("vms")
        found, answer = await api.asked("POST", path, shown=shown, json=WANTED, headers=headers)
        assert (found, answer["code"], answer["kind"]) == (code, code, "Status")
        assert message in answer["message"]

    _play(kubernetes, tmp_path, act)


def test_a_certificate_of_another_authority_does_not_even_connect(kubernetes, tmp_path):
    async def act(api: cdiapi.Running) -> None:
        other = serving.authority("other")
        async with api.client("front-proxy-client", by=other) as client:
            with pytest.raises((aiohttp.ClientError, OSError)):
                await client.post(api.url(TOKENS.format("vms")), json=WANTED, headers=USER)

    _play(kubernetes, tmp_path, act)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        pytest.param({"spec": {}}, 422, "spec.pvcName: Required value", id="no-claim"),
        pytest.param(
            {"spec": {}, "metadata": {"spec": {"pvcName": "disk"}}},
            422,
            "spec.pvcName: Required value",
            id="spec-in-metadata",
        ),
        pytest.param({"spec": {"pvcName": "A b"}}, 422, "not the name of a claim", id="no-name"),
        pytest.param({"spec": {"pvcName": 7}}, 422, "not the name of a claim", id="a-number"),
        pytest.param(
            {"metadata": {"namespace": "other"}},
            422,
            "does not match the namespace",
            id="other-namespace",
        ),
        pytest.param(
            {"apiVersion": "upload.cdi.kubevirt.io/v1alpha1"},
            400,
            "do not match the expected ones",
            id="unknown-version",
        ),
        pytest.param({"kind": "Pod"}, 400, "do not match the expected ones", id="other-kind"),
        pytest.param({"spec": []}, 422, "Required value", id="empty-list-for-spec"),
        pytest.param({"spec": ["x"]}, 400, "spec must be an object", id="list-for-spec"),
    ],
)
def test_what_makes_no_sense_is_refused(kubernetes, tmp_path, change, code, message):
    async def act(api: cdiapi.Running) -> None:
        found, answer = await api.token_request({**WANTED, **change})
        assert (found, answer["code"]) == (code, code)
        assert message in answer["message"]

    _play(kubernetes, tmp_path, act)


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        pytest.param(b"{", {}, 400, id="garbage"),
        pytest.param(b"[" * 100_000, {}, 400, id="deep-garbage"),
        pytest.param(b"\xff\xfe", {}, 400, id="no-text"),
        pytest.param(b"[]", {}, 400, id="a-list"),
        pytest.param(b"{}", {"Content-Type": "application/yaml"}, 415, id="yaml"),
        pytest.param(b"{}", {"Accept": "application/vnd.kubernetes.protobuf"}, 406, id="protobuf"),
        pytest.param(b"x" * (8 << 20) + b"x", {}, 413, id="too-large"),
    ],
)
def test_bodies_that_nobody_reads_are_answered_as_kubernetes_does(
    kubernetes, tmp_path, body, headers, code
):
    async def act(api: cdiapi.Running) -> None:
        sent = {"Content-Type": "application/json", **USER, **headers}
        found, answer = await api.asked(
            "POST", TOKENS.format("vms"), shown="front-proxy-client", data=body, headers=sent
        )
        assert (found, answer["code"], answer["status"]) == (code, code, "Failure")

    _play(kubernetes, tmp_path, act)


def test_who_does_not_say_what_a_body_is_means_json(kubernetes, tmp_path):
    async def act(api: cdiapi.Running) -> None:
        body = json.dumps(WANTED).encode()
        async with (
            api.client("front-proxy-client") as client,
            client.post(
                api.url(TOKENS.format("vms")),
                data=body,
                headers=USER,
                skip_auto_headers=["Content-Type"],
            ) as answer,
        ):
            assert "Content-Type" not in answer.request_info.headers
            assert answer.status == 200

    _play(kubernetes, tmp_path, act)


def test_other_verbs_and_addresses_are_answered_as_kubernetes_does(kubernetes, tmp_path):
    async def act(api: cdiapi.Running) -> None:
        async with api.client() as client:
            async with client.get(api.url(TOKENS.format("vms"))) as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "POST")
                assert (await answer.json())["reason"] == "MethodNotAllowed"
            async with client.get(api.url("/apis/upload.cdi.kubevirt.io/v1")) as answer:
                assert (answer.status, (await answer.json())["reason"]) == (404, "NotFound")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"

    _play(kubernetes, tmp_path, act)


def test_unknown_fields_are_refused_or_told_as_the_client_wishes(kubernetes, tmp_path):
    async def act(api: cdiapi.Running) -> None:
        wanted = {**WANTED, "spec": {"pvcName": "disk", "pvc": "x"}}
        path = TOKENS.format("vms")
        async with api.client("front-proxy-client") as client:
            strict = api.url(f"{path}?fieldValidation=Strict")
            async with client.post(strict, json=wanted, headers=USER) as answer:
                assert answer.status == 400
                assert 'unknown field "spec.pvc"' in (await answer.json())["message"]
            async with client.post(api.url(path), json=wanted, headers=USER) as answer:
                assert answer.status == 200
                assert answer.headers["Warning"] == '299 - "unknown field \\"spec.pvc\\""'

    _play(kubernetes, tmp_path, act)


def test_a_new_authority_of_the_front_proxy_is_followed(kubernetes, tmp_path):
    async def act(api: cdiapi.Running) -> None:
        new = serving.authority("front-proxy-ca-2")
        both = kubernetes.authority.certificate + new.certificate
        config = cdiapi.front_proxy_config(both, [])
        path = f"{cdiapi.AUTHENTICATION}/{config['metadata']['name']}"
        before = kubernetes.server.get(path)
        try:
            await asyncio.to_thread(kubernetes.server.request, "PUT", path, config)
            async with api.client("whoever", by=new) as client:
                while True:
                    try:
                        url = api.url(TOKENS.format("vms"))
                        async with client.post(url, json=WANTED, headers=USER) as answer:
                            assert answer.status == 200
                        break
                    except (aiohttp.ClientError, OSError):
                        continue  # until the watch has told
        finally:
            del before["metadata"]["resourceVersion"]
            await asyncio.to_thread(kubernetes.server.request, "PUT", path, before)

    _play(kubernetes, tmp_path, act)


def test_the_signing_key_is_made_once_and_comes_back_when_it_is_deleted(kubernetes, tmp_path):
    path = "/api/v1/namespaces/cdi/secrets/cdi-api-signing-key"

    async def act(api: cdiapi.Running) -> None:
        before = kubernetes.secret("cdi-api-signing-key")
        uid = kubernetes.server.get(path)["metadata"]["uid"]
        await asyncio.to_thread(kubernetes.server.request, "DELETE", path)
        while True:
            found = await asyncio.to_thread(kubernetes.server.request, "GET", path)
            if found.status == 200 and found.json["metadata"]["uid"] != uid:
                break
        assert kubernetes.secret("cdi-api-signing-key") == before
        labels = found.json["metadata"]["labels"]
        assert labels["cdi.kubevirt.io"] == "keystore"
        assert labels["app.kubernetes.io/managed-by"] == "cdi-apiserver"

    _play(kubernetes, tmp_path, act)


def test_documents_say_what_kubernetes_asks_for(kubernetes, tmp_path):
    async def act(api: cdiapi.Running) -> None:
        _, root = await api.asked("GET", "/")
        assert "/apis/upload.cdi.kubevirt.io/v1beta1" in root["paths"]
        _, resources = await api.asked("GET", "/apis/upload.cdi.kubevirt.io/v1beta1")
        assert resources["resources"][0]["verbs"] == ["create"]
        assert resources["resources"][0]["shortNames"] == ["utr", "utrs"]
        accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        _, aggregated = await api.asked("GET", "/apis", headers={"Accept": accept})
        assert aggregated["apiVersion"] == "apidiscovery.k8s.io/v2"
        _, groups = await api.asked("GET", "/apis")
        assert [group["name"] for group in groups["groups"]] == ["upload.cdi.kubevirt.io"]
        _, index = await api.asked("GET", "/openapi/v3")
        path = index["paths"]["apis/upload.cdi.kubevirt.io/v1beta1"]["serverRelativeURL"]
        _, openapi = await api.asked("GET", path)
        (schema,) = openapi["components"]["schemas"].values()
        assert schema["properties"]["spec"]["required"] == ["pvcName"]

    _play(kubernetes, tmp_path, act)


def test_a_data_volume_can_be_judged_while_tokens_are_asked_for(kubernetes, tmp_path):
    async def act(api: cdiapi.Running) -> None:
        wanted = manifests.data_volume("x", manifests.BLANK)
        review = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "u",
                "operation": "CREATE",
                "resource": {
                    "group": "cdi.kubevirt.io",
                    "version": "v1beta1",
                    "resource": "datavolumes",
                },
                "namespace": "vms",
                "name": "x",
                "object": wanted,
            },
        }
        answers = await asyncio.gather(
            *(api.asked("POST", "/datavolume-validate", json=review) for _ in range(5)),
            *(api.token_request(WANTED) for _ in range(5)),
        )
        assert {code for code, _ in answers} == {200}

    _play(kubernetes, tmp_path, act)
