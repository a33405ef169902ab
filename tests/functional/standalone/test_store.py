"""The store: revisions, conflicts, lists and watches of the past, restarts."""

import asyncio
import itertools
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cdi.standalone.store import errors
from cdi.standalone.store.lock import DirectoryLock
from cdi.standalone.store.log import Log
from cdi.standalone.store.record import Change, Key, Verb
from cdi.standalone.store.store import COMPACT_EVERY, Store
from cdi.standalone.store.watch import LIMIT

ONE = Key("things", "here", "one")
TWO = Key("things", "there", "two")


def thing(**content: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Thing", "metadata": {}, **content}


def run(path: Path, body: Callable[[Store], Awaitable[None]], window: int = 10_000) -> None:
    async def main() -> None:
        async with Store.open(path / "state.db", window) as store:
            await body(store)

    asyncio.run(main())


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    async with Store.open(path / "state.db") as store:
        yield store


def test_what_is_written_can_be_read_with_its_revision(tmp_path):
    async def body(store):
        entry = await store.write(ONE, thing(size=1), 0)
        assert store.get(ONE) == entry
        assert entry.document()["metadata"]["resourceVersion"] == str(entry.revision)
        assert entry.document()["size"] == 1
        assert store.revision == entry.revision

    run(tmp_path, body)


def test_a_body_begins_with_its_version_and_kind(tmp_path):
    async def body(store):
        entry = await store.write(ONE, {"metadata": {}, "kind": "Thing", "apiVersion": "v1"}, 0)
        assert entry.body.startswith(b'{"apiVersion":"v1","kind":"Thing",')

    run(tmp_path, body)


@pytest.mark.parametrize(
    ("expect", "error"),
    [
        pytest.param(0, errors.Exists, id="create-what-exists"),
        pytest.param(99, errors.Changed, id="replace-another-revision"),
    ],
)
def test_a_write_with_the_wrong_expectation_is_refused(tmp_path, expect, error):
    async def body(store):
        first = await store.write(ONE, thing(), 0)
        with pytest.raises(error):
            await store.write(ONE, thing(changed=True), expect)
        assert store.get(ONE) == first

    run(tmp_path, body)


def test_of_a_hundred_writers_at_one_revision_exactly_one_wins(tmp_path):
    async def body(store):
        first = await store.write(ONE, thing(), 0)
        writes = [store.write(ONE, thing(by=n), first.revision) for n in range(100)]
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert sum(not isinstance(result, Exception) for result in results) == 1
        assert sum(isinstance(result, errors.Changed) for result in results) == 99

    run(tmp_path, body)


def test_concurrent_writes_share_transactions_and_get_ascending_revisions(tmp_path):
    async def body(store):
        writes = [store.write(Key("things", "", f"t{n}"), thing(), 0) for n in range(300)]
        entries = await asyncio.gather(*writes)
        assert [entry.revision for entry in entries] == list(range(1, 301))

    run(tmp_path, body)


def test_everything_is_there_after_a_restart(tmp_path):
    async def main():
        async with opened(tmp_path) as store:
            kept = await store.write(ONE, thing(size=2), 0)
            gone = await store.write(TWO, thing(), 0)
            await store.delete(TWO, thing(), gone.revision)
            revision = store.revision
        async with opened(tmp_path) as store:
            assert store.get(ONE) == kept
            assert store.get(TWO) is None
            assert store.revision == revision
            again = await store.write(TWO, thing(), 0)
            assert again.revision == revision + 1

    asyncio.run(main())


def test_a_list_at_an_earlier_revision_shows_that_state(tmp_path):
    async def body(store):
        first = await store.write(ONE, thing(size=1), 0)
        second = await store.write(TWO, thing(size=1), 0)
        await store.write(ONE, thing(size=2), first.revision)
        await store.delete(TWO, thing(), second.revision)
        then = await store.entries_at("things", "", second.revision)
        assert [(key, entry.document()["size"]) for key, entry in then] == [(ONE, 1), (TWO, 1)]
        assert [key for key, _ in store.entries("things")] == [ONE]
        assert await store.entries_at("things", "there", store.revision) == []

    run(tmp_path, body)


def test_a_watch_from_the_past_replays_and_goes_on(tmp_path):
    async def body(store):
        first = await store.write(ONE, thing(size=1), 0)
        second = await store.write(ONE, thing(size=2), first.revision)
        async with store.watch("things", first.revision) as watch:
            (change,) = await watch.batch()
            assert (change.verb, change.revision) == (Verb.MODIFIED, second.revision)
            assert change.previous == first.body
            third = await store.delete(ONE, thing(size=2), second.revision)
            (change,) = await watch.batch()
            assert (change.verb, change.revision) == (Verb.DELETED, third.revision)
            assert watch.revision == third.revision

    run(tmp_path, body)


def test_no_change_is_lost_or_doubled_between_replay_and_live(tmp_path):
    async def body(store):
        entry = await store.write(ONE, thing(n=0), 0)
        start = entry.revision

        async def writer():
            nonlocal entry
            for n in range(1, 200):
                entry = await store.write(ONE, thing(n=n), entry.revision)

        async def reader():
            seen = []
            async with store.watch("things", start) as watch:
                while len(seen) < 199:
                    seen += [change.revision for change in await watch.batch()]
            return seen

        await asyncio.sleep(0)
        results = await asyncio.gather(writer(), *[reader() for _ in range(5)])
        expected = list(range(start + 1, start + 200))
        assert results[1:] == [expected] * 5

    run(tmp_path, body)


def test_other_resources_do_not_wake_a_watch_but_move_its_revision(tmp_path):
    async def body(store):
        async with store.watch("things") as watch:
            other = await store.write(Key("others", "", "x"), thing(), 0)
            assert watch.revision == other.revision
            mine = await store.write(ONE, thing(), 0)
            (change,) = await watch.batch()
            assert change.revision == mine.revision

    run(tmp_path, body)


def test_a_reader_that_never_reads_loses_its_watch_and_nothing_else(tmp_path):
    async def body(store):
        async with store.watch("things") as slow, store.watch("things") as quick:
            for start in range(0, LIMIT + 500, 500):
                keys = [Key("things", "", f"t{n}") for n in range(start, start + 500)]
                await asyncio.gather(*(store.write(key, thing(), 0) for key in keys))
                assert len(await quick.batch()) == 500
            with pytest.raises(errors.Overrun):
                await slow.batch()

    run(tmp_path, body)


def test_compaction_forgets_the_past_and_keeps_the_present(tmp_path):
    keys = [Key("things", "", f"t{n}") for n in range(100)]

    async def body(store):
        steady = await store.write(TWO, thing(), 0)
        revisions = dict.fromkeys(keys, 0)
        while store.revision < COMPACT_EVERY + 100:
            writes = [store.write(key, thing(), revisions[key]) for key in keys]
            entries = await asyncio.gather(*writes)
            revisions = {key: e.revision for key, e in zip(keys, entries, strict=True)}
        assert store.horizon > 2
        with pytest.raises(errors.Compacted):
            await store.entries_at("things", "", 2)
        with pytest.raises(errors.Compacted):
            async with store.watch("things", 2):
                pass
        at = await store.entries_at("things", "", store.horizon)
        assert {key for key, _ in at} == {TWO, *keys}
        assert store.get(TWO) == steady

    run(tmp_path, body, window=10)
    log = sqlite3.connect(tmp_path / "state.db")
    (rows,) = log.execute("select count(*) from log").fetchone()
    assert rows < COMPACT_EVERY


def test_a_revision_from_the_future_is_refused(tmp_path):
    async def body(store):
        with pytest.raises(errors.FutureRevision):
            await store.entries_at("things", "", 7)

    run(tmp_path, body)


def test_closing_ends_watches_and_finishes_writes(tmp_path):
    async def main():
        store = Store(tmp_path / "state.db")
        await store.start()
        async with store.watch("things") as watch:
            write = asyncio.ensure_future(store.write(TWO, thing(), 0))
            await asyncio.sleep(0)
            await store.stop()
            assert (await write).revision == 1
            while await watch.batch():
                pass
        with pytest.raises(errors.WriteFailed):
            await store.write(ONE, thing(), 0)

    asyncio.run(main())


def test_a_directory_serves_one_process_at_a_time(tmp_path):
    with DirectoryLock(tmp_path), pytest.raises(errors.Locked, match="in use by process"):
        DirectoryLock(tmp_path)
    DirectoryLock(tmp_path).close()


def test_state_of_a_newer_version_is_left_alone(tmp_path):
    database = sqlite3.connect(tmp_path / "state.db")
    database.execute("pragma user_version = 99")
    database.close()
    with pytest.raises(errors.Newer, match="newer version"):
        run(tmp_path, lambda store: asyncio.sleep(0))


def _die_at_call(path: Path, count: int) -> bool:
    """Open the log in a child that ends at its `count`-th call into C; whether it came so far."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = count

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal left
        if event == "c_call":
            left -= 1
            if not left:
                os._exit(9)

    sys.setprofile(profile)
    Log(path)
    os._exit(0)


def test_a_first_start_that_is_killed_at_any_moment_leaves_what_the_next_one_can_use(tmp_path):
    for count in itertools.count(1):
        path = tmp_path / f"{count}.db"
        died = _die_at_call(path, count)
        log = Log(path)
        assert (log.last(), log.horizon()) == (0, 0)
        log.append([(Change(1, Verb.ADDED, ONE, b"{}", None), 0)])
        log.close()
        if not died:
            break
    assert count > 10


@pytest.mark.parametrize("done", range(1, 6))
def test_what_a_killed_first_start_of_a_released_version_left_is_completed(tmp_path, done):
    path = tmp_path / "state.db"
    table = """
        create table log (
            revision integer primary key, resource text not null, namespace text not null,
            name text not null, verb text not null, body blob not null, superseded integer
        )
    """
    steps = (
        table,
        "create index log_resource on log (resource, revision)",
        "create index log_superseded on log (superseded) where superseded is not null",
        "create table facts (name text primary key, value integer not null) without rowid",
        "insert into facts values ('horizon', 0)",
    )
    with sqlite3.connect(path, isolation_level=None) as connection:
        for step in steps[:done]:
            connection.execute(step)
    connection.close()

    async def body(store):
        assert (await store.write(ONE, thing(), 0)).revision == 1

    run(tmp_path, body)
