"""`cdi status` against an API server: whose volumes, and what is said where not all may be read."""

import asyncio
import json
import signal
from pathlib import Path

from support import commands
from support.fakekube import FakeKube, Fault
from support.loop import in_loop


def volume(name: str, namespace: str, phase: str = "Succeeded") -> dict[str, object]:
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": name, "namespace": namespace},
        "status": {"phase": phase, "progress": "100.0%"},
    }


def furnished(server: FakeKube) -> None:
    server.collection("cdi.kubevirt.io/v1beta1", "datavolumes", "DataVolume")
    server.collection("v1", "persistentvolumeclaims", "PersistentVolumeClaim")
    server.collection("v1", "pods", "Pod")
    server.put("datavolumes", volume("one", "default"))
    server.put("datavolumes", volume("two", "team"))


def forbid(server: FakeKube, path: str) -> None:
    server.faults.append(Fault("list", path, times=100, code=403))


async def status(server: FakeKube, home: Path, *words: str, **context: str) -> commands.Outcome:
    config = commands.kubeconfig(home / "config", server.url, **context)
    return await commands.run("status", "--kubeconfig", config, *words, home=home)


def names(outcome: commands.Outcome) -> list[str]:
    return [row["name"] for row in json.loads(outcome.output)]


@in_loop
async def test_volumes_of_all_namespaces_are_shown_unless_one_is_named(tmp_path: Path) -> None:
    async with FakeKube() as server:
        furnished(server)
        everywhere = await status(server, tmp_path, "-o", "json")
        asked = await status(server, tmp_path, "-o", "json", "-A", namespace="team")
        one = await status(server, tmp_path, "-o", "json", "-n", "team")
    assert names(everywhere) == names(asked) == ["one", "two"]
    assert names(one) == ["two"]


@in_loop
async def test_who_may_read_one_namespace_only_sees_that_one_and_is_told(tmp_path: Path) -> None:
    async with FakeKube() as server:
        furnished(server)
        forbid(server, "v1beta1/datavolumes")
        found = await status(server, tmp_path, "-o", "json", namespace="team")
        asked = await status(server, tmp_path, "-A")
    assert (found.status, names(found)) == (0, ["two"])
    assert "only namespace team is shown" in found.errors
    assert (asked.status, asked.output) == (1, "")
    assert "403" in asked.errors


@in_loop
async def test_who_may_not_list_claims_or_pods_sees_volumes_and_is_told(tmp_path: Path) -> None:
    async with FakeKube() as server:
        furnished(server)
        forbid(server, "persistentvolumeclaims")
        forbid(server, "pods")
        found = await status(server, tmp_path)
    assert found.status == 0
    assert "one" in found.output
    assert "without what persistentvolumeclaims say" in found.errors
    assert "without what pods say" in found.errors


@in_loop
async def test_a_followed_status_says_when_it_is_not_up_to_date(tmp_path: Path) -> None:
    async with FakeKube() as server:
        furnished(server)
        config = commands.kubeconfig(tmp_path / "config", server.url)
        command = ("status", "--watch", "-o", "json", "--kubeconfig", config)
        process = await commands.start(*command, home=tmp_path)
        assert process.stdout is not None
        assert process.stderr is not None
        assert b'"one"' in await process.stdout.readline()
        assert b'"two"' in await process.stdout.readline()
        server.faults += [Fault("list", times=100, code=403), Fault("watch", times=100, code=403)]
        await server.cut_watches()
        assert (await process.stderr.readline()).startswith(b"cdi status: not up to date")
        # The watches fail again and again, so that their log would have something to say.
        async with asyncio.timeout(60):
            await server.until(lambda: sum(100 - fault.times for fault in server.faults) > 12)
        process.send_signal(signal.SIGTERM)
        said = (await process.stderr.read()).splitlines()
        assert await process.wait() == 128 + signal.SIGTERM
        assert [line for line in said if not line.startswith(b"cdi status: ")] == []


@in_loop
async def test_who_has_read_enough_ends_it_without_a_word(tmp_path: Path) -> None:
    async with FakeKube() as server:
        furnished(server)
        config = commands.kubeconfig(tmp_path / "config", server.url)
        process = await commands.start("status", "-w", "--kubeconfig", config, home=tmp_path)
        assert process.stdout is not None
        assert process.stderr is not None
        assert await process.stdout.readline()
        process.stdout._transport.close()  # what `| head -1` does
        server.put("datavolumes", volume("three", "team"))
        await server.notify()
        assert await process.stderr.read() == b""
        assert await process.wait() == 1
