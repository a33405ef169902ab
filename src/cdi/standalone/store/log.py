"""
The log on disk: one SQLite table whose row number is the revision.

Here: schema and migrations, appending a batch in one transaction, reading the state or the
changes of a resource at an earlier revision, compaction. Elsewhere: who may write (`store`).

Every row remembers the revision that superseded it (a deletion supersedes itself), so one table
answers all questions: the current state is the rows nobody superseded, the state at R the rows
superseded after R, and compaction to horizon H removes the rows superseded at or before H.

The commit point is the COMMIT of append(): in WAL mode with synchronous=FULL it returns after the
log file has reached the disk. A crash before it leaves nothing of the batch, a crash after it all.

Every call blocks and belongs to one thread at a time. Raises sqlite3.Error; when opened, Newer.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cdi.standalone.store import errors
from cdi.standalone.store.record import Change, Entry, Key, Verb

CACHE_KIB = 2048  # the index in memory answers the reads; SQLite's own cache only needs a little
BUSY_MS = 5000
CHECKPOINT_PAGES = 1000  # SQLite's default: about 4 MiB of WAL before it is folded back


# Released versions made these one by one, so that a first start may have left some of them.
_TABLES = (
    """
    create table if not exists log (
        revision   integer primary key,
        resource   text not null,
        namespace  text not null,
        name       text not null,
        verb       text not null,
        body       blob not null,
        superseded integer
    )
    """,
    "create index if not exists log_resource on log (resource, revision)",
    "create index if not exists log_superseded on log (superseded) where superseded is not null",
    """
    create table if not exists facts (name text primary key, value integer not null) without rowid
    """,
    "insert or ignore into facts values ('horizon', 0)",
)


def _create(connection: sqlite3.Connection) -> None:
    for statement in _TABLES:
        connection.execute(statement)


# Step n lifts a database from version n to n+1; a released step never changes.
MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_create,)


class Log:
    """An open log. `append` and `compact` write; everything else reads."""

    def __init__(self, path: Path) -> None:
        # Secrets are in there; SQLite gives its side files the mode of this one.
        self._path = path
        path.touch(mode=0o600)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute(f"pragma busy_timeout = {BUSY_MS}")
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.execute(f"pragma cache_size = -{CACHE_KIB}")
        self._db.execute(f"pragma wal_autocheckpoint = {CHECKPOINT_PAGES}")
        self._migrate()

    def close(self) -> None:
        """Close the database; what was appended stays."""
        self._db.close()

    def horizon(self) -> int:
        """The oldest revision whose state can still be read."""
        (value,) = self._db.execute("select value from facts where name = 'horizon'").fetchone()
        return int(value)

    def last(self) -> int:
        """The newest revision; 0 when nothing was ever written."""
        (value,) = self._db.execute("select max(revision) from log").fetchone()
        return int(value or 0)

    def current(self) -> Iterator[tuple[Key, Entry]]:
        """Every object that exists."""
        rows = self._db.execute(
            "select resource, namespace, name, revision, body from log where superseded is null"
        )
        for resource, namespace, name, revision, body in rows:
            yield Key(resource, namespace, name), Entry(revision, body)

    def append(self, changes: Iterable[tuple[Change, int]]) -> None:
        """Keep all changes or none; each comes with the revision it replaces (0 for none)."""
        with self._transaction():
            for change, replaced in changes:
                self._append(change, replaced)

    def compact(self, horizon: int) -> None:
        """Forget every state older than `horizon`."""
        with self._transaction():
            self._db.execute("delete from log where superseded <= ?", (horizon,))
            self._db.execute("update facts set value = ? where name = 'horizon'", (horizon,))

    def state_at(self, resource: str, revision: int) -> list[tuple[Key, Entry]]:
        """The objects of `resource` as they were at `revision`."""
        rows = self._db.execute(
            "select namespace, name, revision, body from log where resource = ? "
            "and revision <= ? and (superseded is null or superseded > ?) and verb != 'DELETED'",
            (resource, revision, revision),
        )
        return [
            (Key(resource, namespace, name), Entry(written, body))
            for namespace, name, written, body in rows
        ]

    def changes(self, resource: str, after: int, until: int) -> list[Change]:
        """What happened to `resource` in (after, until], in order, with the states before."""
        rows = self._db.execute(
            "select l.revision, l.verb, l.namespace, l.name, l.body, p.body from log l "
            "left join log p on p.superseded = l.revision and p.revision < l.revision "
            "where l.resource = ? and l.revision > ? and l.revision <= ? order by l.revision",
            (resource, after, until),
        )
        return [
            Change(revision, Verb(verb), Key(resource, namespace, name), body, previous)
            for revision, verb, namespace, name, body, previous in rows
        ]

    def _append(self, change: Change, replaced: int) -> None:
        if replaced:
            self._db.execute(
                "update log set superseded = ? where revision = ?", (change.revision, replaced)
            )
        superseded = change.revision if change.verb is Verb.DELETED else None
        self._db.execute(
            "insert into log values (?, ?, ?, ?, ?, ?, ?)",
            (change.revision, *change.key, change.verb.value, change.body, superseded),
        )

    def _migrate(self) -> None:
        (version,) = self._db.execute("pragma user_version").fetchone()
        if version > len(MIGRATIONS):
            self._db.close()
            raise errors.Newer(self._path, version, len(MIGRATIONS))
        for step in range(version, len(MIGRATIONS)):
            with self._transaction():
                MIGRATIONS[step](self._db)
                self._db.execute(f"pragma user_version = {step + 1}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All that the block writes, or nothing of it."""
        self._db.execute("begin immediate")
        try:
            yield
            self._db.execute("commit")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise
