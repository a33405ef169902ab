"""
`cdi status`: every volume, its phase, how far it is, how fast, and why not further.

On a terminal the table follows what happens until every volume has come to its end; elsewhere it
is printed once. `--watch` follows until interrupted: on a terminal the table, elsewhere a row
whenever one changes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cdi.api import labels
from cdi.cli import rows as datavolume_rows
from cdi.cli.rows import Row
from cdi.cli.terminal import format_bytes
from cdi.controllers import kinds
from cdi.kube import errors, objects, tasks
from cdi.kube.client import Client
from cdi.kube.informer import Informer
from cdi.kube.objects import Key, Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS, Resource

_WORKERS: Final = f"{labels.APP}={labels.APP_VALUE}"
_REFRESH: Final = 1.0  # seconds between two looks at the rates
_DEBOUNCE: Final = 0.1  # seconds in which changes are gathered
_HEADER: Final = ("NAMESPACE", "NAME", "PHASE", "PROGRESS", "RATE", "REASON")
_USUAL_WIDTHS: Final = (10, 20, 20, 8, 10, 0)  # characters for rows that come one by one, as a rule
_GAP: Final = "   "
_CURSOR_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for. No namespace means all that may be read."""

    namespace: str = ""
    all_namespaces: bool = False
    watch: bool = False
    json_output: bool = False


async def show(asked: Asked, client: Client, default_namespace: str) -> None:
    """Show volumes as `asked`; see above. Raises KubeError."""
    try:
        namespace, volumes = await _volumes(asked, client, default_namespace)
    except errors.NotFound as error:
        # A list is missing only where its kind is.
        raise errors.KubeError(
            "the server does not know DataVolumes; `cdi crds | kubectl apply -f -` adds them"
        ) from error
    terminal = sys.stdout.isatty() and not asked.json_output
    claims = await _listed(client, PERSISTENT_VOLUME_CLAIMS, namespace)
    pods = await _listed(client, PODS, namespace, _WORKERS)
    rows = _rows(volumes, _by_key(claims), _by_key(pods))
    if not asked.watch and not (terminal and not _all_final(rows)):
        _print(rows, json_output=asked.json_output)
        return
    # What troubles the watches is told below, once and in words.
    logging.getLogger("cdi.kube").addHandler(logging.NullHandler())
    allowed = {kinds.DATA_VOLUMES: volumes, PERSISTENT_VOLUME_CLAIMS: claims, PODS: pods}
    readable = [resource for resource, found in allowed.items() if found is not None]
    async with _View(client, namespace, readable) as view:
        if terminal:
            await _live(view, forever=asked.watch)
        else:
            await _follow(view, _json_line if asked.json_output else _Columns().line)


async def _volumes(
    asked: Asked, client: Client, default_namespace: str
) -> tuple[str | None, list[Object]]:
    """The DataVolumes that are asked for, and the namespace in which they are; None for all."""
    if asked.namespace:
        return asked.namespace, await client.list(kinds.DATA_VOLUMES, asked.namespace)
    try:
        return None, await client.list(kinds.DATA_VOLUMES)
    except errors.Forbidden as error:
        if asked.all_namespaces:
            raise
        found = await client.list(kinds.DATA_VOLUMES, default_namespace)
        _note(f"only namespace {default_namespace} is shown: {error}")
        return default_namespace, found


async def _listed(
    client: Client, resource: Resource, namespace: str | None, selector: str = ""
) -> list[Object] | None:
    """What rates follow from; None, said once, for whoever may not read it."""
    try:
        return await client.list(resource, namespace, labels=selector)
    except errors.Forbidden as error:
        _note(f"shown without what {resource.plural} say: {error}")
        return None


def _rows(
    volumes: Iterable[Object], claims: Mapping[Key, Object], pods: Mapping[Key, Object]
) -> list[Row]:
    now = datetime.now(UTC)
    found = []
    for volume in volumes:
        claim = claims.get(objects.key(volume))
        worker = Key(objects.namespace(volume), datavolume_rows.worker_of(volume, claim))
        found.append(datavolume_rows.row_for(volume, claim, pods.get(worker), now))
    return sorted(found, key=lambda row: (row.namespace, row.name))


def _by_key(found: Iterable[Object] | None) -> dict[Key, Object]:
    return {objects.key(each): each for each in found or ()}


def _print(rows: Sequence[Row], *, json_output: bool) -> None:
    if json_output:
        print(json.dumps([row.as_document() for row in rows], indent=2))
    elif rows:
        print("\n".join(table(rows)))
    else:
        print("No DataVolumes found.", file=sys.stderr)


def _note(text: str) -> None:
    print(f"cdi status: {text}", file=sys.stderr)


class _View:
    """DataVolumes with those of their claims and pods that may be read, kept up to date."""

    def __init__(self, client: Client, namespace: str | None, readable: Sequence[Resource]) -> None:
        self.changed = asyncio.Event()
        self._informers = {
            resource: Informer(
                client, resource, namespace, labels=_WORKERS if resource == PODS else ""
            )
            for resource in readable
        }
        self._stop = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> _View:
        running = [asyncio.ensure_future(each.run(self._stop)) for each in self._informers.values()]
        self._stack.push_async_callback(tasks.cancel, *running)
        for informer in self._informers.values():
            informer.on_change(lambda _: self.changed.set())
            await informer.ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._stack.aclose()

    def rows(self) -> list[Row]:
        return _rows(
            self._seen(kinds.DATA_VOLUMES),
            _by_key(self._seen(PERSISTENT_VOLUME_CLAIMS)),
            _by_key(self._seen(PODS)),
        )

    @property
    def trouble(self) -> str:
        """Why what is shown may be old; empty where it is not."""
        found = [each.trouble for each in self._informers.values() if each.trouble]
        return str(found[0]) if found else ""

    def _seen(self, resource: Resource) -> list[Object]:
        informer = self._informers.get(resource)
        return [] if informer is None else informer.cache.list()


async def _live(view: _View, *, forever: bool) -> None:
    """Redraw the table in place; at the end leave it on the screen as it was last."""
    rows = view.rows()
    sys.stdout.write(_ENTER)
    try:
        while forever or not _all_final(rows):
            rows = view.rows()
            lines = fitted([*table(rows), *_trouble_lines(view)], shutil.get_terminal_size())
            drawn = "".join(f"{line}{_CLEAR_LINE}\r\n" for line in lines)
            sys.stdout.write(f"{_CURSOR_HOME}{drawn}{_CLEAR_BELOW}")
            sys.stdout.flush()
            await _next(view)
    finally:
        sys.stdout.write(_LEAVE)
        print("\n".join(table(rows)), flush=True)


def fitted(lines: Sequence[str], size: os.terminal_size) -> list[str]:
    """Return what of `lines` a terminal has room for, and how many are left out."""
    room = max(1, size.lines - 1)
    if len(lines) > room:
        lines = [*lines[: room - 1], f"... and {len(lines) - room + 1} more lines"]
    return [line[: size.columns] for line in lines]


def _trouble_lines(view: _View) -> list[str]:
    return [f"Not up to date: {view.trouble}"] if view.trouble else []


async def _follow(view: _View, line_of: Callable[[Row], str]) -> None:
    before: dict[tuple[str, str], Row] = {}
    trouble = ""
    while True:
        rows = view.rows()
        for row in rows:
            if before.get((row.namespace, row.name)) != row:
                print(line_of(row), flush=True)
        before = {(row.namespace, row.name): row for row in rows}
        if view.trouble not in ("", trouble):
            trouble = view.trouble
            _note(f"not up to date: {trouble}")
        await _next(view)


async def _next(view: _View) -> None:
    """Wait for a change, or for long enough that rates look different."""
    view.changed.clear()
    try:
        await asyncio.wait_for(view.changed.wait(), _REFRESH)
        await asyncio.sleep(_DEBOUNCE)
    except TimeoutError:
        return


def table(rows: Iterable[Row]) -> list[str]:
    """Return the lines of the table."""
    cells = [_HEADER, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADER))]
    return [_aligned(line, widths) for line in cells]


class _Columns:
    """Rows that come one by one, beneath each other as far as that is possible."""

    def __init__(self) -> None:
        self._widths = list(_USUAL_WIDTHS)
        print(_aligned(_HEADER, self._widths), flush=True)

    def line(self, row: Row) -> str:
        cells = _cells(row)
        self._widths = [max(*pair) for pair in zip(self._widths, map(len, cells), strict=True)]
        return _aligned(cells, self._widths)


def _json_line(row: Row) -> str:
    return json.dumps(row.as_document())


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    pairs = zip(cells, widths, strict=True)
    return _GAP.join(cell.ljust(width) for cell, width in pairs).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    reason = ": ".join(part for part in (row.reason, row.message) if part)
    return (
        row.namespace,
        row.name,
        row.phase or "-",
        "-" if row.progress is None else f"{row.progress:.1f}%",
        "-" if row.rate is None else f"{format_bytes(row.rate)}/s",
        " ".join(reason.split()) or "-",
    )


def _all_final(rows: Iterable[Row]) -> bool:
    return all(row.final for row in rows)
