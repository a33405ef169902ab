"""Certificates and keys of an installation, kept in a real API."""

import asyncio
import datetime

import pytest

from cdi import pki
from cdi.kube.client import Client
from cdi.kube.transport import Settings
from cdi.operator.certificates import chains, contents
from cdi.operator.certificates.sync import Certificates
from cdi.storage.lifetimes import DEFAULT
from support import apiserver, cdiapi

SECRETS = "/api/v1/namespaces/cdi/secrets"
CONFIG_MAPS = "/api/v1/namespaces/cdi/configmaps"


class Clock:
    """A time of day that a test moves."""

    def __init__(self) -> None:
        self.moment = datetime.datetime.now(datetime.UTC).replace(microsecond=0)

    def now(self) -> float:
        return self.moment.timestamp()

    def wall(self) -> datetime.datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody has to wait")


@pytest.fixture
def kubernetes(tmp_path):
    with apiserver.running(tmp_path / "state", cdiapi.hooks()) as server:
        made = cdiapi.Kubernetes(server)
        made.prepare()
        yield made


def _synced(kubernetes: cdiapi.Kubernetes, clock: Clock) -> float:
    async def play() -> float:
        async with Client.to(kubernetes.credentials(), Settings(rate=1000, burst=1000)) as client:
            identity = {"labels": {"cdi.kubevirt.io": ""}}
            return await Certificates(client, "cdi", identity, clock).sync(DEFAULT)

    return asyncio.run(play())


def _certificate(kubernetes: cdiapi.Kubernetes) -> int:
    text = kubernetes.secret("cdi-apiserver-server-cert")["tls.crt"]
    return pki.parse_certificates(text)[0].serial_number


def test_all_chains_are_made_and_nothing_is_written_again(kubernetes):
    clock = Clock()
    again = _synced(kubernetes, clock)
    assert again == 15 * 60  # the key of tokens is not there yet
    secrets = {each["metadata"]["name"]: each for each in kubernetes.server.get(SECRETS)["items"]}
    wanted = {chain.signer for chain in chains.ALL}
    wanted |= {chain.target.secret for chain in chains.ALL if chain.target}
    assert wanted <= secrets.keys()
    assert {secrets[name]["type"] for name in wanted} == {contents.TYPE}
    assert secrets["cdi-apiserver-signer"]["metadata"]["labels"] == {"cdi.kubevirt.io": ""}
    bundle = kubernetes.server.get(f"{CONFIG_MAPS}/cdi-apiserver-signer-bundle")
    assert len(pki.parse_certificates(bundle["data"]["ca-bundle.crt"])) == 1
    revision = kubernetes.server.get(SECRETS)["metadata"]["resourceVersion"]
    _synced(kubernetes, clock)
    assert kubernetes.server.get(SECRETS)["metadata"]["resourceVersion"] == revision


def test_empty_objects_of_an_installer_are_filled_and_keep_their_labels(kubernetes):
    empty = {"tls.crt": "", "tls.key": ""}
    secret = {
        "metadata": {"name": "cdi-apiserver-server-cert", "labels": {"app": "cdi"}},
        "type": contents.TYPE,
        "data": empty,
    }
    kubernetes.server.create(SECRETS, secret)
    _synced(kubernetes, Clock())
    assert _certificate(kubernetes)
    found = kubernetes.server.get(f"{SECRETS}/cdi-apiserver-server-cert")
    assert found["metadata"]["labels"] == {"app": "cdi"}


def test_certificates_and_keys_change_under_a_server_that_goes_on(kubernetes, tmp_path):
    async def act() -> None:
        async with cdiapi.running(kubernetes, tmp_path) as api:
            clock = Clock()
            await asyncio.to_thread(_synced, kubernetes, clock)
            before, keys = _certificate(kubernetes), kubernetes.secret("cdi-api-signing-key")
            clock.moment += datetime.timedelta(days=31)
            await asyncio.to_thread(_synced, kubernetes, clock)
            assert _certificate(kubernetes) != before
            clock.moment += datetime.timedelta(minutes=16)
            await asyncio.to_thread(_synced, kubernetes, clock)
            after = kubernetes.secret("cdi-api-signing-key")
            assert after["previous_id_rsa.pub"] == keys["id_rsa.pub"]
            assert "next_id_rsa" not in after
            while pki.public_text(api.signing_key().public_key()) != after["id_rsa.pub"]:
                await api.asked("GET", "/healthz")

    asyncio.run(act())
