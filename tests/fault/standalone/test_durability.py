"""What was acknowledged survives kill -9, a full disk and a torn log."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from cdi.standalone.store import errors
from cdi.standalone.store.log import Log
from cdi.standalone.store.record import Key
from cdi.standalone.store.store import Store
from support import apiserver
from support.apiserver import config_map

# Writes objects from many tasks at once and says so on stdout only after each is acknowledged.
WRITER = """
import asyncio, sys
from pathlib import Path
from cdi.standalone.store.lock import DirectoryLock
from cdi.standalone.store.record import Key
from cdi.standalone.store.store import Store

async def one(store, lane):
    key, n = Key("things", "", f"lane{lane}"), 0
    revision = getattr(store.get(key), "revision", 0)
    while True:
        entry = await store.write(key, {"metadata": {}, "n": n}, revision)
        revision = entry.revision
        print(lane, n, revision, flush=True)
        n += 1

async def main(directory):
    with DirectoryLock(directory):
        async with Store.open(directory / "state.db", window=50) as store:
            await asyncio.gather(*(one(store, lane) for lane in range(16)))

asyncio.run(main(Path(sys.argv[1])))
"""


def acknowledged_until_killed(directory: Path, count: int) -> dict[str, tuple[int, int]]:
    """Kill a writer after `count` acknowledgements; what it had acknowledged, by lane."""
    found: dict[str, tuple[int, int]] = {}
    command = [sys.executable, "-c", WRITER, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        for seen, line in enumerate(writer.stdout, 1):
            if not line.endswith("\n"):
                break  # torn by the kill: it was not said in full
            lane, n, revision = line.split()
            found[lane] = (int(n), int(revision))
            if seen == count:
                os.kill(writer.pid, signal.SIGKILL)
    assert writer.returncode == -signal.SIGKILL
    return found


@pytest.mark.parametrize("count", [1, 40, 700])
def test_acknowledged_writes_survive_kill(tmp_path, count):
    said = acknowledged_until_killed(tmp_path, count)

    async def check() -> None:
        async with Store.open(tmp_path / "state.db") as store:
            for lane, (n, revision) in said.items():
                entry = store.get(Key("things", "", f"lane{lane}"))
                assert entry is not None
                assert entry.document()["n"] >= n
                assert entry.revision >= revision
            newest = max(revision for _, revision in said.values())
            assert store.revision >= newest
            await store.write(Key("things", "", "after"), {"metadata": {}}, 0)

    asyncio.run(check())


def test_the_lock_of_a_killed_process_does_not_stay(tmp_path):
    acknowledged_until_killed(tmp_path, 1)
    acknowledged_until_killed(tmp_path, 1)


def tear(path: Path, into: Path) -> None:
    """Copy an open database as the disk holds it at this moment, with half a frame at its end."""
    into.mkdir()
    (into / path.name).write_bytes(path.read_bytes())
    log = Path(f"{path}-wal").read_bytes()
    (into / f"{path.name}-wal").write_bytes(log + b"\x37\x7f\x06\x82 half a frame")


def test_a_torn_tail_of_the_log_loses_nothing_before_it(tmp_path):
    """A power cut in the middle of a write leaves half a frame behind."""
    path = tmp_path / "state.db"

    async def write() -> None:
        store = Store(path)
        await store.start()
        for n in range(20):
            await store.write(Key("things", "", f"t{n}"), {"metadata": {}}, 0)
        tear(path, tmp_path / "copy")
        await store.stop()

    asyncio.run(write())
    log = Log(tmp_path / "copy" / "state.db")
    assert {key.name for key, _ in log.current()} == {f"t{n}" for n in range(20)}
    log.close()


def test_a_refused_batch_leaves_nothing_and_the_store_goes_on(tmp_path):
    key = Key("things", "", "one")

    async def main() -> None:
        async with Store.open(tmp_path / "state.db") as store:
            first = await store.write(key, {"metadata": {}, "n": 0}, 0)
            saboteur = sqlite3.connect(tmp_path / "state.db")
            saboteur.execute(
                "create trigger full before insert on log when new.name = 'big' "
                "begin select raise(abort, 'disk full'); end"
            )
            saboteur.commit()
            async with store.watch("things") as watch:
                results = await asyncio.gather(
                    store.write(Key("things", "", "big"), {"metadata": {}}, 0),
                    store.write(key, {"metadata": {}, "n": 1}, first.revision),
                    return_exceptions=True,
                )
                assert [type(result) for result in results] == [errors.WriteFailed] * 2
                assert store.get(key) == first
                assert store.revision == first.revision
                again = await store.write(key, {"metadata": {}, "n": 1}, first.revision)
                (change,) = await watch.batch()
                assert change.revision == again.revision
            saboteur.close()

    asyncio.run(main())


def test_a_restarted_server_knows_everything_again(tmp_path):
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    widgets = "/apis/example.com/v1/namespaces/default/widgets"
    with apiserver.running(tmp_path) as first:
        first.create(definitions, apiserver.widget_definition())
        made = first.create(widgets, {"metadata": {"name": "w"}, "spec": {"size": 2}})
        token, authority = first.token, (tmp_path / "pki" / "ca.crt").read_bytes()
    with apiserver.running(tmp_path) as second:
        assert second.get(widgets + "/w") == made
        assert (second.token, (tmp_path / "pki" / "ca.crt").read_bytes()) == (token, authority)
        since = made["metadata"]["resourceVersion"]
        second.request("DELETE", widgets + "/w")
        with second.watch(f"{widgets}?watch=1&resourceVersion={since}") as events:
            assert next(events)["type"] == "DELETED"


def test_a_deletion_interrupted_by_a_crash_goes_on(tmp_path):
    """The owner went, the server died before its dependents did."""
    maps = "/api/v1/namespaces/default/configmaps"
    with apiserver.running(tmp_path) as first:
        made = first.create(maps, config_map("child"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": "gone"}
    key = Key("configmaps", "default", "child")

    async def orphan() -> None:
        async with Store.open(tmp_path / "state.db") as store:
            entry = store.get(key)
            document = entry.document()
            document["metadata"]["ownerReferences"] = [reference]
            await store.write(key, document, entry.revision)

    asyncio.run(orphan())
    with apiserver.running(tmp_path) as second:
        assert made["metadata"]["name"] == "child"
        second.eventually_gone(maps + "/child", "configmaps")


SERVER = """
import asyncio, sys
from pathlib import Path
from cdi.standalone.apiserver.server import ApiServer, Listen

async def main():
    async with ApiServer(Path(sys.argv[1]), Listen(port=0)) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_what_a_killed_server_had_answered_is_there_after_a_restart(tmp_path):
    maps = "/api/v1/namespaces/default/configmaps"
    command = [sys.executable, "-c", SERVER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().strip()
        client = apiserver.Client(url, tmp_path)
        answered: dict[str, str] = {}

        def create(n: int) -> None:
            try:
                answer = client.request("POST", maps, config_map(f"c{n}", n=str(n)))
            except urllib3.exceptions.HTTPError:
                return  # killed before it could answer
            answered[f"c{n}"] = answer.json["metadata"]["uid"]
            if n == 150:
                server.kill()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(create, range(200)))
    assert len(answered) > 100
    with apiserver.running(tmp_path) as again:
        for name, uid in answered.items():
            assert again.get(f"{maps}/{name}")["metadata"]["uid"] == uid


def test_two_servers_cannot_share_a_directory(tmp_path):
    with (
        apiserver.running(tmp_path),
        pytest.raises(errors.Locked),
        apiserver.running(tmp_path),
    ):
        pass
