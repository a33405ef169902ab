"""`cdi controller` as a process against a real API server."""

import asyncio
import signal
import sys
from pathlib import Path

from cdi.controllers import kinds
from cdi.kube import connection, objects
from cdi.kube.client import Client
from cdi.kube.resource import LEASES, PERSISTENT_VOLUME_CLAIMS
from cdi.standalone.apiserver.server import ApiServer, Listen
from support import played, world
from support.loop import in_loop

PROGRAM = (sys.executable, "-m", "cdi", "controller")


@in_loop
async def test_the_command_works_leads_and_stops_when_told(tmp_path: Path) -> None:
    server = ApiServer(tmp_path, Listen(port=0))
    await server.start()
    try:
        kubeconfig = str(server.kubeconfig)
        async with Client.to(connection.KubeConfig(kubeconfig)) as client:
            await played.furnish(client)
            command = (
                *PROGRAM, "--kubeconfig", kubeconfig, "--namespace", "ns",
                "--worker-image", "registry.example/cdi:1", "--leader-elect",
            )  # fmt: skip
            process = await asyncio.create_subprocess_exec(*command)
            await client.create(kinds.DATA_VOLUMES, world.data_volume())
            watch = client.watch(PERSISTENT_VOLUME_CLAIMS, "ns", resource_version="0")
            made = (await anext(watch)).object
            await watch.aclose()
            assert objects.name(made) == "dv"
            leases = await client.list(LEASES, "ns")
            assert leases[0]["spec"]["holderIdentity"]
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        await server.stop()


@in_loop
async def test_without_an_api_server_it_says_so(tmp_path: Path) -> None:
    command = (
        *PROGRAM, "--kubeconfig", str(tmp_path / "missing"),
        "--worker-image", "x",
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"cdi controller:" in said
