"""
All certificates of an installation rotated under load, and no admission request that fails.

CDI_TEST_KUBECONFIG names a cluster on which an operator keeps CDI. CDI_TEST_ROTATION_SECONDS says
how long; something is rotated every thirty seconds meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from cdi.kube import connection, errors, objects
from cdi.kube.client import Client
from cdi.kube.resource import NAMESPACES, PERSISTENT_VOLUME_CLAIMS, PODS, SECRETS, Resource
from cdi.kube.transport import Settings

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not os.environ.get("CDI_TEST_KUBECONFIG"),
        reason="needs a cluster with CDI on it: CDI_TEST_KUBECONFIG",
    ),
    pytest.mark.xdist_group("operator"),
]

SECONDS = float(os.environ.get("CDI_TEST_ROTATION_SECONDS", "60"))
EVERY = 30  # seconds between two rotations
AT_ONCE = 4  # clients of each kind
PAUSE = 0.1  # seconds between two requests of one client
# Good for less than a kubelet may take to show a pod what its Secrets hold now.
LIFE = 90  # seconds
SHORT = {"duration": f"{LIFE}s", "renewBefore": f"{LIFE - EVERY}s"}
CLIENT_CERTIFICATE = "cdi-uploadserver-client-cert"  # what the upload proxy shows to the servers
ROTATED = (
    "cdi-apiserver-signer",
    "cdi-apiserver-server-cert",
    "cdi-uploadproxy-signer",
    "cdi-uploadproxy-server-cert",
    "cdi-uploadserver-signer",
    "cdi-uploadserver-client-signer",
    CLIENT_CERTIFICATE,
)

CDIS = Resource("cdi.kubevirt.io", "v1beta1", "cdis", "CDI", namespaced=False)
VOLUMES = Resource("cdi.kubevirt.io", "v1beta1", "datavolumes", "DataVolume")
TOKENS = Resource("upload.cdi.kubevirt.io", "v1beta1", "uploadtokenrequests", "UploadTokenRequest")


@dataclass
class Told:
    """How requests ended, and which certificates there were."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    certificates: dict[str, set[str]] = field(
        default_factory=lambda: {name: set() for name in ROTATED}
    )


def volume(name: str, url: str) -> dict[str, Any]:
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": name},
        "spec": {
            "source": {"http": {"url": url}},
            "storage": {"resources": {"requests": {"storage": "64Mi"}}},
        },
    }


Ask = Callable[[Client, str], Awaitable[str]]


async def allowed(client: Client, namespace: str) -> str:
    """The mutating webhook and the validating one, both of which say yes."""
    made = await client.create(VOLUMES, volume("good", "http://x/y"), namespace, dry_run=True)
    marked = "cdi.kubevirt.io/storage.clone.token" in objects.annotations(made)
    return "allowed" if not marked else "marked"


async def denied(client: Client, namespace: str) -> str:
    """A refusal in our own words, not in Kubernetes' words about us."""
    try:
        await client.create(VOLUMES, volume("bad", "ftp://x/y"), namespace, dry_run=True)
    except errors.ApiError as error:
        if "Invalid source URL" in str(error):
            return "denied"
        raise
    raise AssertionError("an invalid DataVolume was let in")


async def tokened(client: Client, namespace: str) -> str:
    """The aggregated API."""
    asked = {"metadata": {"name": "token"}, "spec": {"pvcName": "target"}}
    made = await client.create(TOKENS, asked, namespace)
    assert objects.get(made, "status", "token")
    return "token"


async def keep_asking(client: Client, namespace: str, ask: Ask, told: Told) -> None:
    while True:
        try:
            told.answers[await ask(client, namespace)] += 1
        except (errors.KubeError, AssertionError) as error:
            told.failures.append(f"{ask.__name__}: {error}")
        await asyncio.sleep(PAUSE)


async def look(client: Client, namespace: str, told: Told) -> None:
    for name in ROTATED:
        found = await client.get(SECRETS, name, namespace)
        told.certificates[name].add(str(objects.get(found, "data", "tls.crt")))


async def keep_looking(client: Client, namespace: str, told: Told) -> None:
    while True:
        await look(client, namespace, told)
        await asyncio.sleep(EVERY / 6)


@asynccontextmanager
async def short_lived(client: Client, name: str, lives: str) -> AsyncIterator[None]:
    """The CDI object asks for certificates that live short, while the block runs."""
    found = await client.get(CDIS, name)
    before = objects.get(found, "spec", "certConfig")
    wanted = dict.fromkeys(("ca", "server", "client"), SHORT)
    await client.patch(CDIS, name, None, {"spec": {"certConfig": wanted}})
    try:
        yield
    finally:
        last = await client.get(SECRETS, CLIENT_CERTIFICATE, lives)
        await client.patch(CDIS, name, None, {"spec": {"certConfig": before}})
        await renewed(client, last, lives)
        # A kubelet shows the old ones for a minute to a pod that runs; some are over by then.
        await client.delete_all(PODS, lives, labels="cdi.kubevirt.io=cdi-uploadproxy")


async def renewed(client: Client, secret: dict[str, Any], lives: str) -> None:
    async with asyncio.timeout(60):
        while True:
            found = await client.get(SECRETS, CLIENT_CERTIFICATE, lives)
            if found["data"] != secret["data"]:
                return
            await asyncio.sleep(PAUSE)


@asynccontextmanager
async def space(client: Client) -> AsyncIterator[str]:
    """A namespace with a claim that wants an upload."""
    made = await client.create(NAMESPACES, {"metadata": {"generateName": "rotation-"}})
    name = objects.name(made)
    claim = {
        "metadata": {
            "name": "target",
            "annotations": {"cdi.kubevirt.io/storage.upload.target": ""},
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "none-such",
            "resources": {"requests": {"storage": "64Mi"}},
        },
    }
    await client.create(PERSISTENT_VOLUME_CLAIMS, claim, name)
    try:
        yield name
    finally:
        await client.delete(NAMESPACES, name)


async def rotated_under_load(kubeconfig: str, seconds: float) -> Told:
    told = Told()
    async with Client.to(connection.choose(kubeconfig), Settings(rate=500, burst=500)) as client:
        cdis = await client.list(CDIS)
        if not cdis:
            pytest.skip("this cluster has no CDI that an operator keeps")
        lives = await installed_in(client)
        async with space(client) as namespace, short_lived(client, objects.name(cdis[0]), lives):
            work = [
                asyncio.ensure_future(keep_asking(client, namespace, ask, told))
                for ask in (allowed, denied, tokened)
                for _ in range(AT_ONCE)
            ]
            work.append(asyncio.ensure_future(keep_looking(client, lives, told)))
            await asyncio.wait(work, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
            ended = [each.exception() for each in work if each.done()]
            for each in work:
                each.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            assert not ended, ended
    return told


async def installed_in(client: Client) -> str:
    found = await client.list(SECRETS, labels="cdi.kubevirt.io")
    places = {objects.namespace(each) for each in found if objects.name(each) in ROTATED}
    assert len(places) == 1, places
    return places.pop()


def test_no_admission_request_fails_while_all_certificates_are_rotated() -> None:
    told = asyncio.run(rotated_under_load(os.environ["CDI_TEST_KUBECONFIG"], SECONDS))
    seen = {name: len(each) for name, each in told.certificates.items()}
    print(json.dumps({"answers": told.answers, "certificates": seen}))
    assert told.failures == []
    assert set(told.answers) == {"allowed", "denied", "token"}
    # The first one is that from before; the last rotation may not have been seen.
    assert min(seen.values()) >= SECONDS / EVERY - 1, seen
