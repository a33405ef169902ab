"""
One worker process: started in a session of its own, watched, stopped, found again.

A file with process id and start time identifies it for the next agent, which makes an end of it
if it still runs: pid numbers are reused, pairs with a start time are not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from cdi.standalone.agent import workeruser
from cdi.standalone.agent.roles import Role
from cdi.standalone.agent.workeruser import WorkerUser

PID_FILE: Final = "pid"
_POLL: Final = 0.05  # seconds between two looks at a process that is not our child


class Process:
    """A worker that runs. `exit_code` waits for its end."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    @classmethod
    async def start(
        cls,
        role: Role,
        env: Mapping[str, str],
        directory: Path,
        log: Path,
        *,
        user: WorkerUser | None = None,
        reach: Collection[Path] = (),
    ) -> Process:
        """Start a worker in `directory`; everything it says goes to `log`.

        As `user`, if one is given, it can come to the directories `reach`, but not necessarily to
        others of ours.
        """
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("ab") as output:
            child = await asyncio.create_subprocess_exec(
                *workeruser.command(user, reach, role.module, role.arguments),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(env),
                cwd=directory,
                start_new_session=True,
            )
        _note(directory / PID_FILE, child.pid)
        return cls(child)

    @property
    def pid(self) -> int:
        return self._child.pid

    async def exit_code(self) -> int:
        """Return the exit code, 128 and the signal's number for one that was killed."""
        code = await self._child.wait()
        return code if code >= 0 else 128 - code

    def signal(self, number: int) -> None:
        """Send a signal to the worker and whatever it has started."""
        _send(self._child.pid, number)


async def end_left(directory: Path, patience: float) -> bool:
    """Make an end of the process that an earlier agent started; return whether there was one.

    SIGTERM first, which it got anyway when that agent died; SIGKILL after `patience` seconds.
    """
    pid = _found(directory / PID_FILE)
    if pid is None:
        return False
    _send(pid, signal.SIGTERM)
    until = time.monotonic() + patience
    while _found(directory / PID_FILE) == pid:
        if time.monotonic() > until:
            _send(pid, signal.SIGKILL)
        await asyncio.sleep(_POLL)
    return True


def _send(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _note(file: Path, pid: int) -> None:
    partial = file.with_name(f"{file.name}.new")
    partial.write_text(f"{pid} {_start_time(pid)}\n", encoding="ascii")
    partial.replace(file)


def _found(file: Path) -> int | None:
    """Return the process that the file speaks of, if it still runs."""
    try:
        pid, start_time = file.read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    return int(pid) if start_time != "0" and _start_time(int(pid)) == int(start_time) else None


def _start_time(pid: int) -> int:
    """Return when a process started, in ticks since boot; 0 if it has ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return 0
    # The second field is the command in parentheses, and may hold anything.
    fields = text.rpartition(")")[2].split()
    return 0 if fields[0] in "ZX" else int(fields[19])
