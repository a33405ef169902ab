"""Kubernetes' API server stumbles: requests that need it say so, and the next one is answered."""

import asyncio
import base64
from typing import Any

import pytest

from cdi import pki
from cdi.kube import connection
from cdi.kube.client import Client
from cdi.kube.transport import Settings
from cdi.web.admission import resources
from cdi.web.admission.inquiry import Get, LookupFailed
from cdi.web.apiserver.lookups import Lookups
from support import cdiapi, manifests, serving
from support.fakekube import FakeKube, Fault

CLAIMS = "/namespaces/vms/persistentvolumeclaims"
REVIEWS = "/subjectaccessreviews"
WANTED = {"spec": {"pvcName": "disk"}}


class Kubernetes:
    """An API server that breaks when told to; it knows one front proxy and allows nothing."""

    def __init__(self, server: FakeKube) -> None:
        self.server = server
        self.authority = serving.authority("front-proxy-ca")
        config = cdiapi.front_proxy_config(self.authority.certificate, ["front-proxy-client"])
        config["metadata"]["namespace"] = "kube-system"
        server.put("configmaps", config)
        denied = b'{"status": {"allowed": false}}'
        server.raw["/apis/authorization.k8s.io/v1/subjectaccessreviews"] = denied
        self.put_key()

    def put_key(self, private: str = "") -> str:
        """Exchange the key of tokens; returns the public one."""
        made, public = pki.make_rsa_pair()
        data = {"id_rsa": private or made, "id_rsa.pub": public}
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "cdi-api-signing-key", "namespace": "cdi"},
            "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()},
        }
        self.server.put("secrets", secret)
        return public

    def credentials(self) -> connection.Credentials:
        return connection.direct(self.server.url)


def _review(name: str) -> dict[str, Any]:
    return {
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
            "name": name,
            "object": manifests.data_volume(name, manifests.BLANK),
        },
    }


def _play(tmp_path, act) -> None:
    async def play() -> None:
        async with FakeKube() as server:
            kubernetes = Kubernetes(server)
            async with cdiapi.running(kubernetes, tmp_path) as api:
                await act(api, server)

    asyncio.run(play())


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault("get", CLAIMS, code=500), id="error"),
        pytest.param(Fault("get", CLAIMS, code=403), id="not-permitted"),
        pytest.param(Fault("get", CLAIMS, cut=True, times=2), id="connection-lost"),
    ],
)
def test_a_write_that_cannot_be_judged_is_refused_with_the_cause(tmp_path, fault):
    async def act(api: cdiapi.Running, server: FakeKube) -> None:
        server.faults.append(fault)
        _, answer = await api.asked("POST", "/datavolume-validate", json=_review("x"))
        assert answer["response"]["allowed"] is False
        assert answer["response"]["status"]["code"] == 400
        assert answer["response"]["status"]["message"]
        _, answer = await api.asked("POST", "/datavolume-validate", json=_review("x"))
        assert answer["response"]["allowed"] is True

    _play(tmp_path, act)


def test_a_permission_that_cannot_be_asked_for_gives_no_token(tmp_path):
    async def act(api: cdiapi.Running, server: FakeKube) -> None:
        server.faults.append(Fault("create", REVIEWS, code=500))
        code, answer = await api.token_request(WANTED)
        assert (code, answer["reason"]) == (500, "InternalError")
        code, answer = await api.token_request(WANTED)  # asked, and not allowed
        assert (code, answer["reason"]) == (403, "Forbidden")

    _play(tmp_path, act)


def test_no_answer_within_a_webhooks_time_is_a_cause_too():
    async def play() -> None:
        async with FakeKube() as server:
            server.faults.append(Fault("get", CLAIMS, stall=True))
            async with Client.to(connection.direct(server.url), Settings(attempts=1)) as client:
                lookups = Lookups(client, patience=0.05)
                claim = Get(resources.CLAIMS, "x", "vms")
                with pytest.raises(LookupFailed, match="did not answer in time"):
                    await lookups(claim)
                assert await lookups(claim) is None

    asyncio.run(play())


def test_a_cache_that_is_never_filled_holds_up_no_write_for_ever():
    async def play() -> None:
        async with FakeKube() as server, Client.to(connection.direct(server.url)) as client:
            lookups = Lookups(client, patience=0.05)  # whose informers do not run
            with pytest.raises(LookupFailed, match="did not answer in time"):
                await lookups(resources.CLASSES)
            assert not lookups.are_synced

    asyncio.run(play())


def test_keys_are_followed_over_broken_watches_and_bad_ones_are_not(tmp_path):
    async def act(api: cdiapi.Running, server: FakeKube) -> None:
        kubernetes = api.kubernetes
        before = pki.public_text(api.signing_key().public_key())
        server.compact()
        await server.cut_watches()
        kubernetes.put_key("rubbish")
        await server.cut_watches()
        private, public = pki.make_rsa_pair()
        kubernetes.put_key(private)
        while (now := pki.public_text(api.signing_key().public_key())) == before:
            assert (await api.asked("GET", "/readyz"))[0] == 200
        assert now == public

    _play(tmp_path, act)
