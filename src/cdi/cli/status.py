"""
`cdi status`: every volume, its phase, how far it is, how fast, and why not further.

On a terminal the table follows what happens until every volume has come to its end; elsewhere it
is printed once. `--watch` follows until interrupted: on a terminal the table, elsewhere a row
whenever one changes.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cdi.cli import rows as datavolume_rows
from cdi.cli.progress import format_bytes
from cdi.cli.rows import Row
from cdi.controllers import kinds
from cdi.kube import objects, tasks
from cdi.kube.client import Client
from cdi.kube.informer import Informer
from cdi.kube.objects import Key
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS

_REFRESH: Final = 1.0  # seconds between two looks at the rates
_DEBOUNCE: Final = 0.1  # seconds in which changes are gathered
_HEADER: Final = ("NAMESPACE", "NAME", "PHASE", "PROGRESS", "RATE", "REASON")
_USUAL_WIDTHS: Final = (10, 20, 20, 8, 10, 0)  # characters for rows that come one by one, as a rule
_GAP: Final = "   "
_CURSOR_HOME, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"
_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for. An empty namespace stands for that of the kubeconfig."""

    namespace: str = ""
    all_namespaces: bool = False
    watch: bool = False
    json_output: bool = False


async def show(asked: Asked, client: Client, default_namespace: str) -> None:
    """Show volumes as `asked`; see above. Raises KubeError."""
    namespace = None if asked.all_namespaces else asked.namespace or default_namespace
    async with _View(client, namespace) as view:
        await _show(view, json_lines=asked.json_output, watch=asked.watch)


class _View:
    """DataVolumes with their claims and pods, kept up to date."""

    def __init__(self, client: Client, namespace: str | None) -> None:
        self.changed = asyncio.Event()
        self._informers = [
            Informer(client, resource, namespace)
            for resource in (kinds.DATA_VOLUMES, PERSISTENT_VOLUME_CLAIMS, PODS)
        ]
        self._client, self._namespace = client, namespace
        self._stop = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> _View:
        # An informer is patient; whoever runs a command wants to hear at once what is wrong.
        pages = self._client.pages(kinds.DATA_VOLUMES, self._namespace, limit=1)
        await anext(pages)
        await pages.aclose()
        running = [asyncio.ensure_future(each.run(self._stop)) for each in self._informers]
        self._stack.push_async_callback(tasks.cancel, *running)
        for informer in self._informers:
            informer.on_change(lambda _: self.changed.set())
            await informer.ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._stack.aclose()

    def rows(self) -> list[Row]:
        of_volumes, of_claims, of_pods = (informer.cache for informer in self._informers)
        now = datetime.now(UTC)
        found = []
        for volume in of_volumes.list():
            claim = of_claims.get(objects.key(volume))
            worker = Key(objects.namespace(volume), datavolume_rows.worker_of(volume, claim))
            found.append(datavolume_rows.row_for(volume, claim, of_pods.get(worker), now))
        return sorted(found, key=lambda row: (row.namespace, row.name))


async def _show(view: _View, *, json_lines: bool, watch: bool) -> None:
    terminal = sys.stdout.isatty() and not json_lines
    rows = view.rows()
    if json_lines and not watch:
        print(json.dumps([row.as_document() for row in rows], indent=2))
    elif not rows and not watch:
        print("No DataVolumes found.", file=sys.stderr)
    elif terminal and (watch or not _all_final(rows)):
        await _live(view, forever=watch)
    elif watch:
        await _follow(view, _json_line if json_lines else _Columns().line)
    else:
        print("\n".join(table(rows)))


async def _live(view: _View, *, forever: bool) -> None:
    """Redraw the table in place; at the end leave it on the screen as it was last."""
    rows = view.rows()
    sys.stdout.write(_ENTER)
    try:
        while forever or not _all_final(rows):
            rows = view.rows()
            size = shutil.get_terminal_size()
            lines = [line[: size.columns] for line in table(rows)][: size.lines - 1]
            drawn = "".join(f"{line}{_CLEAR_LINE}\r\n" for line in lines)
            sys.stdout.write(f"{_CURSOR_HOME}{drawn}{_CLEAR_BELOW}")
            sys.stdout.flush()
            await _next(view)
    finally:
        sys.stdout.write(_LEAVE)
        print("\n".join(table(rows)), flush=True)


async def _follow(view: _View, line_of: Callable[[Row], str]) -> None:
    before: dict[tuple[str, str], Row] = {}
    while True:
        for row in view.rows():
            if before.get((row.namespace, row.name)) != row:
                print(line_of(row), flush=True)
        before = {(row.namespace, row.name): row for row in view.rows()}
        view.changed.clear()
        await view.changed.wait()
        await asyncio.sleep(_DEBOUNCE)


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
