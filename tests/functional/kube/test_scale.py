"""Five thousand objects: what it takes to list, cache and index them. Numbers are printed."""

from __future__ import annotations

import asyncio
import gc
import time
from pathlib import Path

from cdi.kube import connection, objects
from cdi.kube.client import Client
from cdi.kube.informer import Informer
from cdi.kube.objects import Object
from cdi.kube.resource import Resource
from support.fakekube import FakeKube
from support.loop import in_loop

VOLUMES = Resource("example.com", "v1", "volumes", "Volume")
COUNT = 5000


def volume(number: int) -> Object:
    """About 3 kB, half of it managedFields, as a live cluster has them."""
    fields = {f"f:field-{field}": {} for field in range(30)}
    return {
        "apiVersion": "example.com/v1",
        "kind": "Volume",
        "metadata": {
            "name": f"volume-{number}",
            "namespace": f"ns-{number % 50}",
            "labels": {"owner": f"owner-{number % 100}"},
            "annotations": {f"example.com/note-{note}": "x" * 20 for note in range(8)},
            "managedFields": [{"manager": f"m{m}", "fieldsV1": fields} for m in range(3)],
        },
        "spec": {"source": {"http": {"url": f"https://example.com/{number}.qcow2"}}},
        "status": {"conditions": [{"type": kind, "status": "True"} for kind in "abc"]},
    }


def resident() -> float:
    """This process's memory, in MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


@in_loop
async def test_five_thousand_objects_are_listed_cached_and_indexed() -> None:
    async with FakeKube() as server:
        for number in range(COUNT):
            server.put("volumes", volume(number))
        async with Client.to(connection.direct(server.url)) as client:
            informer = Informer(
                client, VOLUMES, indexes={"owner": lambda seen: [objects.labels(seen)["owner"]]}
            )
            gc.collect()
            memory, began = resident(), time.perf_counter()
            stop = asyncio.Event()
            running = asyncio.create_task(informer.run(stop))
            await informer.ready()
            seconds, grown = time.perf_counter() - began, resident() - memory
            print(f"{COUNT} objects, server included: {seconds:.2f} s, {grown:.0f} MiB")
            stop.set()
            await running
        assert len(informer.cache) == COUNT
        assert len(informer.cache.by_index("owner", "owner-7")) == COUNT // 100
        assert len(informer.cache.list("ns-7")) == COUNT // 50
        assert server.count("list") == 10
        assert not any("managedFields" in objects.metadata(obj) for obj in informer.cache.list())
