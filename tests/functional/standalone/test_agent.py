"""Pods on one machine: real worker processes, the real API server, real files."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from cdi.cli.nodes import unconfined
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import CONFIG_MAPS, LEASES, NODES, PODS, SECRETS
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS as CLAIMS
from cdi.standalone.agent import workeruser
from cdi.volumes import loops
from support import disks, httpd, loopdev, machine, worker
from support.cluster import Machine as MachineOfUsers
from support.loop import in_loop
from support.machine import Machine, claim, importer, phase, state_of

MIB = 1 << 20


@pytest.fixture
def server() -> Iterator[httpd.Server]:
    with httpd.Server() as server:
        yield server


def disk_of(one: Machine, bound: Object) -> Path:
    return one.pool.directory(bound["spec"]["volumeName"]) / "disk.img"


@in_loop
async def test_an_importer_fills_a_claim(tmp_path: Path, server: httpd.Server) -> None:
    disk = disks.raw_disk(tmp_path / "disk.raw")
    url = server.put("/disk", httpd.Blob(disks.convert(disk, "qcow2").read_bytes()))
    async with Machine(tmp_path / "data") as one:
        await one.create(claim("a"))
        await one.create(importer("a", worker.order(url)))
        pod = await one.until(PODS, "a", phase("Succeeded"))
        bound = await one.until(CLAIMS, "a", phase("Bound"))
        assert disk_of(one, bound).read_bytes() == disk.read_bytes().ljust(32 * MIB, b"\0")
        assert state_of(pod)["terminated"]["exitCode"] == 0
        assert "Import Complete" in state_of(pod)["terminated"]["message"]
        assert "fsync" in await one.log("a")


@in_loop
async def test_a_small_import_uses_few_writes(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.create(claim("a"))
        await one.create(importer("a", worker.order()))
        pod = await one.until(PODS, "a", phase("Succeeded"))
        assert objects.get(pod, "status", "containerStatuses", 0, "restartCount") == 0
        await one.eventually(lambda: not list((one.folder / "pods").iterdir()))
        assert await one.event("a", "Scheduled") == "Successfully assigned default/a to cdi-local"


@in_loop
async def test_a_failure_is_shown_and_started_again(tmp_path: Path, server: httpd.Server) -> None:
    disk = disks.raw_disk(tmp_path / "disk.raw", size=MIB, data=MIB // 4)
    blob = httpd.Blob(disk.read_bytes(), twist=httpd.first(1, httpd.status(404)))
    async with Machine(tmp_path / "data") as one:
        await one.create(claim("a"))
        await one.create(importer("a", worker.order(server.put("/disk", blob))))
        failed = await one.until(PODS, "a", lambda pod: "terminated" in state_of(pod))
        pod = await one.until(PODS, "a", phase("Succeeded"))
        assert phase("Running")(failed)
        assert state_of(failed)["terminated"]["exitCode"] == 1
        assert '"reason":"SourceNotFound"' in state_of(failed)["terminated"]["message"]
        status = pod["status"]["containerStatuses"][0]
        assert status["restartCount"] == 1
        assert status["lastState"]["terminated"]["exitCode"] == 1
        assert "SourceNotFound" in await one.log("a", previous=True)
        assert "SourceNotFound" not in await one.log("a")


@in_loop
async def test_a_foreign_pod_waits_and_says_why(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.create(claim("a"))
        pod = importer("a", worker.order())
        pod["spec"]["containers"][0]["image"] = "fedora:42"
        await one.create(pod)
        told = await one.event("a", "FailedScheduling")
        pod = await one.until(PODS, "a", lambda it: objects.get(it, "status", "conditions"))
        condition = pod["status"]["conditions"][0]
        assert condition["reason"] == "Unschedulable"
        assert condition["message"] == told
        assert 'CDI\'s own workers only, not image "fedora:42" of container "importer"' in told


@in_loop
async def test_secrets_and_config_maps_reach_the_worker_and_are_waited_for(
    tmp_path: Path, server: httpd.Server
) -> None:
    disk = disks.raw_disk(tmp_path / "disk.raw", size=MIB, data=MIB // 4)
    url = server.put("/disk", httpd.guarded("me", "s3cr3t", httpd.Blob(disk.read_bytes())))
    pod = importer("a", worker.order(url, cert_dir="/certs"))
    container = pod["spec"]["containers"][0]
    for variable, key in (("IMPORTER_ACCESS_KEY_ID", "user"), ("IMPORTER_SECRET_KEY", "password")):
        reference = {"secretKeyRef": {"name": "login", "key": key}}
        container["env"].append({"name": variable, "valueFrom": reference})
    pod["spec"]["volumes"] += [
        {"name": "token", "secret": {"secretName": "token"}},
        {"name": "certs", "configMap": {"name": "certs"}},
    ]
    container["volumeMounts"] += [
        {"name": "token", "mountPath": "/extraheaders/0"},
        {"name": "certs", "mountPath": "/certs"},
    ]
    async with Machine(tmp_path / "data") as one:
        await one.create(claim("a"))
        await one.create(pod)
        waits = await one.until(PODS, "a", lambda it: "waiting" in state_of(it))
        for name, data in (
            ("login", {"user": "me", "password": "s3cr3t"}),
            ("token", {"header": "X-Token: t\n"}),
        ):
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
            await one.client.create(SECRETS, secret | {"stringData": data}, machine.NAMESPACE)
        certs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "certs"}}
        await one.client.create(CONFIG_MAPS, certs | {"data": {"ca": "none"}}, machine.NAMESPACE)
        await one.until(PODS, "a", phase("Succeeded"))
        assert state_of(waits)["waiting"]["reason"] == "CreateContainerConfigError"
        assert 'secret "token" not found' in state_of(waits)["waiting"]["message"]
        assert server.requests_for("/disk")[-1].header("x-token") == "t"
        await one.eventually(lambda: not list((one.folder / "pods").iterdir()))


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
@in_loop
async def test_progress_is_found_at_the_pods_own_address(
    tmp_path: Path, server: httpd.Server
) -> None:
    body = disks.raw_disk(tmp_path / "disk.raw").read_bytes()
    blob = httpd.Blob(body, ranges=False, twist=httpd.changed(stall_after=6 * MIB))
    url = server.put("/disk", blob)
    async with Machine(tmp_path / "data") as one:
        for name in ("a", "b"):
            await one.create(claim(name))
            await one.create(importer(name, worker.order(url)))
        seen = set()
        for name in ("a", "b"):
            pod = await one.until(PODS, name, phase("Running"))
            address = pod["status"]["podIP"]
            seen.add(address)
            text = ""
            while "kubevirt_cdi_import_progress_total{" not in text:
                text = await asyncio.to_thread(scraped, address)
        assert len(seen) == 2
        for name in ("a", "b"):
            await one.client.delete(PODS, name, machine.NAMESPACE)
            await one.gone(PODS, name)


def scraped(address: str) -> str:
    try:
        with urllib3.PoolManager(cert_reqs="NONE", retries=False, timeout=5) as pool:
            return pool.request("GET", f"https://{address}:8443/metrics").data.decode()
    except urllib3.exceptions.HTTPError:
        return ""


@in_loop
async def test_a_deleted_pod_is_asked_to_leave_and_keeps_its_journal(
    tmp_path: Path, server: httpd.Server
) -> None:
    body = disks.raw_disk(tmp_path / "disk.raw").read_bytes()
    server.put("/disk", httpd.Blob(body, twist=httpd.changed(rate=MIB // 2)))
    order = worker.order(f"{server.origin}/disk")
    async with Machine(tmp_path / "data") as one:
        await one.create(claim("a"))
        await one.create(importer("a", order))
        bound = await one.until(CLAIMS, "a", phase("Bound"))
        await one.eventually(lambda: server.served >= 4 * MIB)
        await one.client.delete(PODS, "a", machine.NAMESPACE)
        await one.gone(PODS, "a")
        left = {path.name for path in disk_of(one, bound).parent.iterdir()}
        assert left == {"disk.img.cdi-partial", "disk.img.cdi-journal"}
        server.put("/disk", httpd.Blob(body))
        await one.create(importer("a", order))
        pod = await one.until(PODS, "a", phase("Succeeded"))
        message = json.loads(state_of(pod)["terminated"]["message"])
        assert message["bytesFetched"] < len(body)
        assert disk_of(one, bound).read_bytes() == body.ljust(32 * MIB, b"\0")


def looks(pods: list[Object]) -> list[tuple[str, bool, bool]]:
    """Each look at a pod that differs: phase, whether its container has ended, whether it goes."""
    found: list[tuple[str, bool, bool]] = []
    for pod in pods:
        look = (pod["status"]["phase"], "terminated" in state_of(pod), objects.is_deleting(pod))
        if "containerStatuses" in pod["status"] and look not in found[-1:]:
            found.append(look)
    return found


@in_loop
async def test_a_container_has_ended_before_its_pod_is_over(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        seen = one.history(PODS, "a")
        await one.create(claim("a"))
        await one.create(importer("a", worker.order()))
        await one.until(PODS, "a", phase("Succeeded"))
        assert looks(seen)[-2:] == [("Running", True, False), ("Succeeded", True, False)]


@in_loop
async def test_a_deleted_pod_shows_how_it_ended_and_then_goes(
    tmp_path: Path, server: httpd.Server
) -> None:
    body = disks.raw_disk(tmp_path / "disk.raw").read_bytes()
    server.put("/disk", httpd.Blob(body, twist=httpd.changed(stall_after=MIB // 16)))
    async with Machine(tmp_path / "data") as one:
        seen = one.history(PODS, "a")
        await one.create(claim("a"))
        await one.create(importer("a", worker.order(f"{server.origin}/disk")))
        await one.until(PODS, "a", lambda pod: "running" in state_of(pod))
        await one.eventually(lambda: server.served >= MIB // 16)
        await one.client.delete(PODS, "a", machine.NAMESPACE)
        await one.gone(PODS, "a")
        assert looks(seen)[-3:] == [
            ("Running", False, True),
            ("Running", True, True),
            ("Failed", True, True),
        ]
        assert '"reason":"Cancelled"' in state_of(seen[-1])["terminated"]["message"]


@in_loop
async def test_a_pod_that_is_removed_by_force_takes_its_processes_along(
    tmp_path: Path, server: httpd.Server
) -> None:
    body = disks.raw_disk(tmp_path / "disk.raw").read_bytes()
    url = server.put("/disk", httpd.Blob(body, twist=httpd.changed(stall_after=MIB)))
    async with Machine(tmp_path / "data") as one:
        await one.create(claim("a"))
        await one.create(importer("a", worker.order(url)))
        await one.until(PODS, "a", phase("Running"))
        (file,) = (one.folder / "pods").glob("*/importer/pid")
        pid = int(file.read_text().split()[0])
        await one.client.delete(PODS, "a", machine.NAMESPACE, grace_seconds=0)
        await one.gone(PODS, "a")
        await one.eventually(lambda: not Path(f"/proc/{pid}").exists())
        await one.eventually(lambda: not list((one.folder / "pods").iterdir()))


@in_loop
async def test_logs_are_followed_to_the_end(tmp_path: Path, server: httpd.Server) -> None:
    body = disks.raw_disk(tmp_path / "disk.raw").read_bytes()
    blob = httpd.Blob(body, ranges=False, twist=httpd.changed(rate=16 * MIB))
    async with Machine(tmp_path / "data") as one:
        await one.create(claim("a"))
        await one.create(importer("a", worker.order(server.put("/disk", blob))))
        await one.until(PODS, "a", phase("Running"))
        whole = await one.log("a", follow=True, timestamps=True)
        last = await one.log("a", tail_lines=1)
        none = await one.log("a", since_seconds=0)
        assert "Successfully completed fsync" in whole
        assert whole.splitlines()[-1].endswith(last.strip())
        assert whole.startswith("20")
        assert none == ""


@in_loop
async def test_a_log_that_is_followed_speaks_while_the_worker_works(
    tmp_path: Path, server: httpd.Server
) -> None:
    body = disks.raw_disk(tmp_path / "disk.raw").read_bytes()
    blob = httpd.Blob(body, ranges=False, twist=httpd.changed(stall_after=MIB))
    async with Machine(tmp_path / "data") as one:
        await one.create(claim("a"))
        await one.create(importer("a", worker.order(server.put("/disk", blob))))
        await one.until(PODS, "a", phase("Running"))
        text = ""
        async for piece in one.client.logs("a", machine.NAMESPACE, follow=True):
            text += piece.decode()
            if '"progress"' in text:
                break
        assert '"begins"' in text
        assert phase("Running")(await one.client.get(PODS, "a", machine.NAMESPACE))


@loopdev.needs_root
@pytest.mark.root
@in_loop
async def test_a_block_volume_is_a_loop_device_while_it_is_used(
    tmp_path: Path, server: httpd.Server
) -> None:
    disk = disks.raw_disk(tmp_path / "disk.raw")
    url = server.put("/disk", httpd.Blob(disk.read_bytes()))
    async with Machine(tmp_path / "data", devices=True) as one:
        await one.create(claim("a", volumeMode="Block"))
        await one.create(importer("a", worker.order(url), block=True))
        pod = await one.until(PODS, "a", phase("Succeeded"))
        bound = await one.until(CLAIMS, "a", phase("Bound"))
        file = disk_of(one, bound)
        assert file.read_bytes() == disk.read_bytes().ljust(32 * MIB, b"\0")
        assert "/device) syscall" in await one.log(objects.name(pod))
        await one.eventually(lambda: not loops.attached(file))


@in_loop
async def test_without_root_a_block_volume_is_a_plain_file(
    tmp_path: Path, server: httpd.Server
) -> None:
    disk = disks.raw_disk(tmp_path / "disk.raw")
    url = server.put("/disk", httpd.Blob(disk.read_bytes()))
    async with Machine(tmp_path / "data") as one:
        for name, order in (("a", worker.order(url)), ("b", worker.order())):
            await one.create(claim(name, volumeMode="Block"))
            await one.create(importer(name, order, block=True))
            await one.until(PODS, name, phase("Succeeded"))
            bound = await one.until(CLAIMS, name, phase("Bound"))
            content = disk.read_bytes() if name == "a" else b""
            assert disk_of(one, bound).read_bytes() == content.ljust(32 * MIB, b"\0")


def planted(folder: Path) -> Path:
    """A directory with a module that every Python looks for; return what it would leave behind."""
    folder.mkdir()
    trace = folder / "was-here"
    (folder / "sitecustomize.py").write_text(f"open({str(trace)!r}, 'w').close()\n")
    folder.chmod(0o777)
    return trace


@in_loop
async def test_a_pods_environment_runs_no_code(tmp_path: Path) -> None:
    async with Machine(tmp_path / "data", user=None) as one:
        trace = planted(tmp_path / "volume")
        pod = importer("a", worker.order())
        for name in ("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "LD_LIBRARY_PATH"):
            entry = {"name": name, "value": str(trace.parent)}
            pod["spec"]["containers"][0]["env"].append(entry)
        await one.create(claim("a"))
        await one.create(pod)
        await one.until(PODS, "a", phase("Succeeded"))
        assert not trace.exists()


@in_loop
async def test_what_the_agent_was_started_with_reaches_no_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = planted(tmp_path / "elsewhere")
    monkeypatch.setenv("PYTHONPATH", str(trace.parent))
    async with Machine(tmp_path / "data", user=None) as one:
        await one.create(claim("a"))
        await one.create(importer("a", worker.order()))
        await one.until(PODS, "a", phase("Succeeded"))
        assert not trace.exists()


needs_worker_user = pytest.mark.skipif(
    machine.worker_user() is None, reason="needs root with CAP_SYS_ADMIN"
)


@needs_worker_user
@pytest.mark.root
@pytest.mark.parametrize("mode", ["Filesystem", "Block"])
@in_loop
async def test_a_worker_is_a_user_of_its_own(
    tmp_path: Path, server: httpd.Server, mode: str
) -> None:
    body = disks.raw_disk(tmp_path / "disk.raw").read_bytes()
    url = server.put("/disk", httpd.Blob(body, ranges=False, twist=httpd.changed(rate=16 * MIB)))
    user = machine.worker_user()
    assert user is not None
    async with Machine(tmp_path / "data", devices=True) as one:
        await one.create(claim("a", volumeMode=mode))
        await one.create(importer("a", worker.order(url), block=mode == "Block"))
        await one.until(PODS, "a", phase("Running"))
        (file,) = (one.folder / "pods").glob("*/importer/pid")
        pid = int(file.read_text().split()[0])
        await one.eventually(lambda: ids_of(pid) == {(user.uid, user.gid)})
        await one.until(PODS, "a", phase("Succeeded"))
        bound = await one.until(CLAIMS, "a", phase("Bound"))
        assert disk_of(one, bound).read_bytes() == body.ljust(32 * MIB, b"\0")


def variables_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/environ").read_text().split("\0")


def ids_of(pid: int) -> set[tuple[int, int]]:
    """Real, effective, saved and file system's user and group of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {line.split()[0]: [int(each) for each in line.split()[1:]] for line in lines
             if line.startswith(("Uid:", "Gid:"))}  # fmt: skip
    return set(zip(found["Uid:"], found["Gid:"], strict=True))


@needs_worker_user
@pytest.mark.root
def test_a_worker_finds_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    ours, others = tmp_path / "data" / "pods" / "ours", tmp_path / "data" / "pods" / "others"
    user = machine.worker_user()
    assert user is not None
    for directory in (ours, others):
        directory.mkdir(parents=True)
        (directory / "secret").write_text("s3cr3t")
        user.read(directory)
    (tmp_path / "data" / "state.db").write_text("s3cr3t")
    (tmp_path / "data").chmod(0o700)

    def shown(path: Path) -> str:
        # A module of Python's own that prints a file, base64 encoded.
        command = workeruser.command(user, [ours], "base64", ["-e", str(path)])
        return subprocess.run(command, env={}, cwd="/", capture_output=True, text=True).stdout

    assert base64.b64decode(shown(ours / "secret")) == b"s3cr3t"
    assert shown(others / "secret") == ""
    assert shown(tmp_path / "data" / "state.db") == ""


@in_loop
async def test_an_orderly_stop_and_a_new_start_continue_the_import(
    tmp_path: Path, server: httpd.Server
) -> None:
    body = disks.raw_disk(tmp_path / "disk.raw").read_bytes()
    server.put("/disk", httpd.Blob(body, twist=httpd.changed(rate=MIB // 2)))
    async with Machine(tmp_path / "data") as one:
        await one.create(claim("a"))
        await one.create(importer("a", worker.order(f"{server.origin}/disk")))
        await one.eventually(lambda: server.served >= 4 * MIB)
    server.put("/disk", httpd.Blob(body))
    async with Machine(tmp_path / "data") as one:
        pod = await one.until(PODS, "a", phase("Succeeded"))
        message = json.loads(state_of(pod)["terminated"]["message"])
        bound = await one.until(CLAIMS, "a", phase("Bound"))
        assert message["bytesFetched"] < len(body)
        assert disk_of(one, bound).read_bytes() == body.ljust(32 * MIB, b"\0")
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 1


@in_loop
async def test_no_more_workers_run_at_once_than_allowed(
    tmp_path: Path, server: httpd.Server
) -> None:
    slow = httpd.changed(rate=MIB // 8)
    url = server.put("/disk", httpd.Blob(bytes(MIB // 16), twist=slow))
    folder = tmp_path / "data"
    processes = MachineOfUsers.over(folder)
    async with Machine(folder, most_running=2) as one:
        most = 0

        def look(_: object) -> None:
            nonlocal most
            most = max(most, len(processes.workers()))

        one.seen.pods.on_change(look)
        for number in range(6):
            await one.create(claim(f"c{number}"))
            await one.create(importer(f"c{number}", worker.order(url)))
        for number in range(6):
            await one.until(PODS, f"c{number}", phase("Succeeded"))
        assert most in (1, 2)


@in_loop
async def test_the_node_is_there_and_alive(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.create(claim("a"))
        await one.until(CLAIMS, "a", phase("Bound"))
        found = await one.client.get(NODES, "cdi-local")
        lease = await one.client.get(LEASES, "cdi-local", "kube-node-lease")
        assert {"type": "Ready", "status": "True"}.items() <= found["status"]["conditions"][
            0
        ].items()
        assert lease["spec"]["renewTime"]


@pytest.mark.parametrize(
    ("left", "fetched"),
    [
        pytest.param('{"message":"Import Complete"}', False, id="it-had-said-that-it-was-done"),
        pytest.param('{"message":"stopped","reason":"Cancelled"}', True, id="it-was-stopped"),
        pytest.param("", True, id="it-said-nothing"),
    ],
)
@in_loop
async def test_an_end_that_nobody_saw_is_believed_only_if_it_was_good(
    tmp_path: Path, server: httpd.Server, left: str, fetched: bool
) -> None:
    body = disks.raw_disk(tmp_path / "disk.raw", size=MIB, data=MIB // 4).read_bytes()
    url = server.put("/disk", httpd.Blob(body, twist=httpd.changed(stall_after=1000)))
    async with Machine(tmp_path / "data") as one:
        await one.create(claim("a"))
        await one.create(importer("a", worker.order(url)))
        await one.until(PODS, "a", phase("Running"))
        await one.eventually(lambda: server.served)
    (message,) = (tmp_path / "data" / "pods").glob("*/importer/termination-log")
    message.write_text(left)
    server.put("/disk", httpd.Blob(body))
    before = len(server.requests)
    async with Machine(tmp_path / "data") as one:
        await one.until(PODS, "a", phase("Succeeded"))
        assert (len(server.requests) > before) is fetched


@in_loop
async def test_a_cordoned_node_takes_no_pods_until_it_is_uncordoned(tmp_path: Path) -> None:
    async with Machine(tmp_path) as one:
        await one.until(NODES, "cdi-local", lambda _: True)
        await one.client.patch(NODES, "cdi-local", None, {"spec": {"unschedulable": True}})
        await one.until(NODES, "cdi-local", lambda it: it["spec"].get("unschedulable"))
        await one.create(claim("a"))
        await one.create(importer("a", worker.order()))
        told = await one.event("a", "FailedScheduling")
        assert told == "0/1 nodes are available: 1 node(s) were unschedulable."
        await one.client.patch(NODES, "cdi-local", None, {"spec": {"unschedulable": None}})
        await one.until(PODS, "a", phase("Succeeded"))


@pytest.mark.parametrize(
    ("missing", "said"),
    [("", []), ("no wall around network", ["node cdi-local: no wall around network"])],
)
@in_loop
async def test_the_node_says_which_walls_are_missing(
    tmp_path: Path, missing: str, said: list[str]
) -> None:
    async with Machine(tmp_path, missing_walls=missing) as one:
        await one.until(NODES, "cdi-local", lambda it: objects.get(it, "status", "conditions"))
        assert await unconfined(one.client) == said


@in_loop
async def test_a_pod_cannot_waive_walls_that_are_required(
    tmp_path: Path, server: httpd.Server
) -> None:
    blob = httpd.Blob(bytes(MIB), ranges=False, twist=httpd.changed(stall_after=MIB // 2))
    pod = importer("a", worker.order(server.put("/disk", blob)))
    pod["spec"]["containers"][0]["env"].append({"name": "CDI_REQUIRE_WALLS", "value": "false"})
    async with Machine(tmp_path, require_walls=True) as one:
        await one.create(claim("a"))
        await one.create(pod)
        await one.until(PODS, "a", phase("Running"))
        (file,) = (one.folder / "pods").glob("*/importer/pid")
        pid = int(file.read_text().split()[0])
        await one.eventually(lambda: "CDI_REQUIRE_WALLS=true" in variables_of(pid))
