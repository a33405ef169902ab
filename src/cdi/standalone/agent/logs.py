"""
What containers wrote, and how `kubectl logs` reads it.

    <logs>/<namespace>_<pod>_<uid>/<container>/<n>.log

Files hold what the process wrote, byte by byte; `n` counts its starts. When a line was written
is taken from the line itself, as our workers log JSON with a `time`; a line without one belongs
to the line before it. Logs outlive their pods, but not for ever (`prune`).
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from aiohttp import web

from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.standalone.agent import containers
from cdi.standalone.agent.containers import Waiting
from cdi.standalone.apiserver import status
from cdi.standalone.apiserver.subresources import Call, Subresource, Subresources

STARTS: Final = 10  # of one container; the API shows the last two
# Of pods that are gone: what helps to find out what went wrong, and does not fill a disk.
MOST: Final = 500
KEPT_FOR: Final = timedelta(days=7)
_POLL: Final = 0.1  # seconds between two looks at a log that grows
_TAIL: Final = 2048  # bytes of a log that a termination message may hold
_TAIL_LINES: Final = 80


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What part of which log."""

    container: str = ""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None  # lines
    since: datetime | None = None
    limit: int | None = None  # bytes


def parse(query: Mapping[str, str], now: datetime) -> LogOptions:
    """Read the parameters of a request. Raises ApiError."""
    seconds = _number(query, "sinceSeconds")
    since = now - timedelta(seconds=seconds) if seconds is not None else None
    if text := query.get("sinceTime"):
        since = containers.read(text)
    return LogOptions(
        container=query.get("container", ""),
        follow=_flag(query, "follow"),
        previous=_flag(query, "previous"),
        timestamps=_flag(query, "timestamps"),
        tail=_number(query, "tailLines"),
        since=since,
        limit=_number(query, "limitBytes"),
    )


def _flag(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("1", "t", "true")


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise status.bad_request(f'{name}: Invalid value: "{text}": must be a number')
    return int(text)


class Logs:
    """The logs beneath one directory, and which of them are being written."""

    def __init__(self, root: Path, *, most: int = MOST) -> None:
        """`most` is of how many pods that are gone logs are kept."""
        self._root, self._most = root, most
        self._growing: set[Path] = set()

    def began(self, file: Path) -> None:
        """A process writes `file` from now on; of its former starts, the latest few are kept."""
        self._growing.add(file)
        file.with_name(f"{int(file.stem) - STARTS}.log").unlink(missing_ok=True)

    def prune(self, pods: Collection[str], now: datetime) -> None:
        """Remove old logs of pods that are not among those with these UIDs."""
        growing = {file.parent.parent for file in tuple(self._growing)}
        old = [
            (_written_last(directory), directory)
            for directory in self._root.glob("*_*_*/")
            if directory.name.rpartition("_")[2] not in pods and directory not in growing
        ]
        oldest = (now - KEPT_FOR).timestamp()
        for number, (moment, directory) in enumerate(sorted(old, reverse=True)):
            if number >= self._most or moment < oldest:
                shutil.rmtree(directory, ignore_errors=True)

    def ended(self, file: Path) -> None:
        """Nobody writes `file` any longer."""
        self._growing.discard(file)

    def file(self, pod: Object, container: str, attempt: int) -> Path:
        """Where one start of a container writes."""
        namespace, name = objects.key(pod)
        return self._root / f"{namespace}_{name}_{objects.uid(pod)}" / container / f"{attempt}.log"

    def register(self, table: Subresources) -> None:
        """Have the API server answer `pods/log` from here."""
        table.register("pods", "log", Subresource(self.serve, ("GET",), "Pod"))

    async def serve(self, call: Call) -> web.StreamResponse:
        """Answer one request."""
        options = parse(call.request.query, datetime.now(UTC))
        file = self._chosen(call.document, options)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(call.request)
        async for piece in self.read(file, options):
            await response.write(piece)
        await response.write_eof()
        return response

    def _chosen(self, pod: Object, options: LogOptions) -> Path:
        name = options.container or _only_container(pod)
        statuses = objects.get(pod, "status", "containerStatuses", default=[])
        container = containers.from_status(name, statuses)
        attempt = container.attempt - options.previous
        if options.previous and container.last is None:
            raise status.bad_request(
                f'previous terminated container "{name}" in pod "{objects.name(pod)}" not found'
            )
        file = self.file(pod, name, max(0, attempt))
        if not file.exists():
            why = container.state.reason if isinstance(container.state, Waiting) else "not started"
            raise status.bad_request(
                f'container "{name}" in pod "{objects.name(pod)}" is waiting to start: {why}'
            )
        return file

    async def read(self, file: Path, options: LogOptions) -> AsyncIterator[bytes]:
        """Yield what is wanted of a log; with `follow` until its process has ended."""
        content, offset = await asyncio.to_thread(_content, file)
        left = options.limit
        stamp = _Stamp()
        for line in _selected(content, options, stamp):
            piece = line if left is None else line[:left]
            if piece:
                yield piece
            if left is not None and (left := left - len(piece)) <= 0:
                return
        while options.follow:
            grows = file in self._growing
            piece, offset = await asyncio.to_thread(_content, file, offset, whole_lines=grows)
            for line in piece.splitlines(keepends=True):
                stamp.look(line)
                yield stamp.on(line) if options.timestamps else line
            if not grows:
                return
            if not piece:
                await asyncio.sleep(_POLL)


class _Stamp:
    """The moment of the latest line that told it."""

    def __init__(self) -> None:
        self.text = ""

    def look(self, line: bytes) -> None:
        if line.startswith(b"{"):
            try:
                found = json.loads(line).get("time")
            except (ValueError, AttributeError):
                return
            self.text = found if isinstance(found, str) else self.text

    def on(self, line: bytes) -> bytes:
        return f"{self.text or '-'} ".encode() + line

    def is_before(self, moment: datetime) -> bool:
        return bool(self.text) and containers.read(self.text) < moment


def _written_last(directory: Path) -> float:
    try:
        return max((path.stat().st_mtime for path in directory.rglob("*.log")), default=0.0)
    except FileNotFoundError:  # somebody else removes it
        return 0.0


def _content(file: Path, offset: int = 0, *, whole_lines: bool = False) -> tuple[bytes, int]:
    """Return what a log holds from `offset` on, and where that ends."""
    with file.open("rb") as log:
        log.seek(offset)
        content = log.read()
    if whole_lines:
        content = content[: content.rfind(b"\n") + 1]
    return content, offset + len(content)


def _selected(content: bytes, options: LogOptions, stamp: _Stamp) -> Iterator[bytes]:
    lines = content.splitlines(keepends=True)
    first = 0 if options.tail is None else max(0, len(lines) - options.tail)
    for number, line in enumerate(lines):
        stamp.look(line)
        if number < first or (options.since is not None and stamp.is_before(options.since)):
            continue
        yield stamp.on(line) if options.timestamps else line


def _only_container(pod: Object) -> str:
    names = [str(one["name"]) for one in objects.get(pod, "spec", "containers", default=[])]
    if len(names) > 1:
        raise status.bad_request(
            f"a container name must be specified for pod {objects.name(pod)}, "
            f"choose one of: [{' '.join(names)}]"
        )
    return names[0] if names else ""


def tail(file: Path) -> str:
    """Return the end of a log, for a container that left no termination message."""
    try:
        with file.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(0, size - _TAIL))
            lines = log.read().decode("utf-8", "replace").splitlines(keepends=True)
    except OSError:
        return ""
    return "".join(lines[-_TAIL_LINES:])
