"""An operator that runs against an API server without kubelet and garbage collector."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cdi.kube import connection
from cdi.kube.client import Client
from cdi.kube.manager import Manager
from cdi.kube.resource import Resource
from cdi.operator.inventory import deployments
from cdi.operator.settings import Images, Settings
from cdi.operator.setup import operator as operator_of
from support.fakekube import FakeKube

VERSION = "v1.2.3"
NAMESPACE = "cdi"


@dataclass
class World:
    """A cluster without kubelet and garbage collector; the tests play both."""

    server: FakeKube
    readiness: list[int] = field(default_factory=list)

    def cdi(self, name="cdi"):
        return self.server.objects("cdis").get(("", name))

    def said(self, name="cdi"):
        status = (self.cdi(name) or {}).get("status", {})
        return {each["type"]: each for each in status.get("conditions", [])}

    def phase(self, name="cdi"):
        return ((self.cdi(name) or {}).get("status") or {}).get("phase")

    def holds(self, condition, name="cdi"):
        found = self.said(name).get(condition)
        return found is not None and found["status"] == "True"

    def create(self, name="cdi", **spec):
        obj = {
            "apiVersion": "cdi.kubevirt.io/v1beta1",
            "kind": "CDI",
            "metadata": {"name": name},
            "spec": spec,
        }
        return self.server.put("cdis", obj)

    def change(self, plural, name, namespace="", **fields):
        found = self.server.objects(plural)[namespace, name]
        return self.server.put(plural, {**found, **fields})

    def start_pods(self, ready=1):
        """What Kubernetes does to Deployments."""
        for name in deployments.NAMES:
            found = self.server.objects("deployments").get((NAMESPACE, name))
            if found is None:
                continue
            count = found["spec"]["replicas"]
            status = {"replicas": count, "updatedReplicas": count, "readyReplicas": ready * count}
            self.change("deployments", name, NAMESPACE, status=status)

    def collect(self):
        """What the garbage collector does: everything whose owner is gone goes."""
        alive = {each["metadata"]["uid"] for each in self.server.objects("cdis").values()}
        for collection in list(self.server._collections.values()):
            for key, each in list(collection.objects.items()):
                refs = each["metadata"].get("ownerReferences") or []
                if refs and not any(ref["uid"] in alive for ref in refs):
                    self.server.drop(collection.plural, key[1], key[0])

    async def until(self, condition):
        async with asyncio.timeout(30):
            await self.server.until(condition)

    async def installed(self, name="cdi"):
        """Play kubelet until the CDI object is Available."""
        await self.until(
            lambda: (NAMESPACE, deployments.UPLOAD_PROXY) in self.server.objects("deployments")
        )
        self.start_pods()
        await self.server.notify()
        await self.until(lambda: self.holds("Available", name))


def serve(server: FakeKube, *kinds: Resource) -> None:
    """Let the server have these APIs, of which clusters have some."""
    for version in {each.api_version for each in kinds}:
        listed = [{"name": each.plural} for each in kinds if each.api_version == version]
        server.raw[f"/apis/{version}"] = json.dumps({"resources": listed}).encode()


@asynccontextmanager
async def world(version=VERSION, server=None, **others) -> AsyncIterator[World]:
    """An operator that runs."""
    images = Images.all("cdi:1")
    settings = Settings(namespace=NAMESPACE, version=version, images=images, **others)
    if server is None:
        async with FakeKube() as server, world(version, server, **others) as found:
            yield found
        return
    found = World(server)
    async with Client.to(connection.direct(server.url)) as client:
        operator = operator_of(client, settings, readiness=found.readiness.append)
        manager = Manager()
        operator.add_to(manager)
        stop = asyncio.Event()
        running = asyncio.ensure_future(manager.run(stop))
        try:
            yield found
        finally:
            stop.set()
            await running
