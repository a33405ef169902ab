"""The whole machine is killed in the middle of an import, and started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cdi.kube import connection, objects
from cdi.kube.client import Client
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS as CLAIMS
from cdi.kube.resource import PODS
from support import disks, httpd, machine, worker
from support.loop import in_loop
from support.machine import NAMESPACE, claim, importer, phase

MIB = 1 << 20
TESTS = Path(machine.__file__).parent.parent


@contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A machine in a process of its own, which answers."""
    path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "support.machine", str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def workers(folder: Path) -> list[int]:
    """Descriptors of the worker processes that were started beneath `folder` and still run."""
    found = []
    for file in folder.glob("pods/*/*/pid"):
        pid = int(file.read_text().split()[0])
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            if b"cdi.workers" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(descriptor)
            else:
                os.close(descriptor)
    return found


def all_ended(descriptors: list[int], seconds: float = 60.0) -> bool:
    """Wait for the end of processes; their descriptors become readable then."""
    waiting = select.poll()
    for descriptor in descriptors:
        waiting.register(descriptor, select.POLLIN)
    deadline = time.monotonic() + seconds
    while descriptors and (left := deadline - time.monotonic()) > 0:
        for descriptor, _ in waiting.poll(left * 1000):
            waiting.unregister(descriptor)
            descriptors.remove(descriptor)
            os.close(descriptor)
    return not descriptors


async def until(client: Client, resource: Any, name: str, wanted: str) -> Object:
    found = await client.get(resource, name, NAMESPACE)
    if phase(wanted)(found):
        return found
    since = objects.resource_version(found)
    changes = client.watch(
        resource, NAMESPACE, resource_version=since, fields=f"metadata.name={name}"
    )
    async with contextlib.aclosing(changes):
        async for change in changes:
            if phase(wanted)(change.object):
                return change.object
    raise AssertionError(f"the watch of {name} ended early")


@pytest.mark.parametrize("after", [MIB // 2, 6 * MIB])
@in_loop
async def test_an_import_survives_the_death_of_everything(tmp_path: Path, after: int) -> None:
    body = disks.raw_disk(tmp_path / "disk.raw").read_bytes()
    folder = tmp_path / "data"
    with httpd.Server() as server:
        server.put("/disk", httpd.Blob(body, twist=httpd.changed(rate=MIB // 2)))
        with running(folder):
            async with Client.to(connection.choose(str(folder / "kubeconfig"))) as client:
                await client.create(CLAIMS, claim("a"))
                await client.create(PODS, importer("a", worker.order(f"{server.origin}/disk")))
                await asyncio.to_thread(server.wait_served, after)
            left = workers(folder)
        assert left
        assert all_ended(left), "the kernel tells workers of the agent's death"
        server.put("/disk", httpd.Blob(body))
        before = server.served
        with running(folder):
            async with Client.to(connection.choose(str(folder / "kubeconfig"))) as client:
                pod = await until(client, PODS, "a", "Succeeded")
                bound = await until(client, CLAIMS, "a", "Bound")
    directory = folder / "volumes" / bound["spec"]["volumeName"]
    assert server.served - before < len(body)
    assert objects.get(pod, "status", "containerStatuses", 0, "restartCount") == 1
    assert (directory / "disk.img").read_bytes() == body.ljust(32 * MIB, b"\0")
    assert [path.name for path in directory.iterdir()] == ["disk.img"]
    assert not workers(folder)
