"""
Run a tool on untrusted bytes: little memory, little time, no network, few files.

Here: the limits as values, the command line, one run with its output, cancelling and progress.
What happens inside of the child before the tool starts is in `confine`; what a tool's words mean
is the caller's business (`qemu`).

A run blocks; use a worker thread, and keep that thread alive: the child dies with the thread
that started it. Sizes are in bytes, times in seconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cdi.images import errors
from cdi.images.confined import walls

_CONFINE = Path(__file__).with_name("confine.py")
# Libraries, modules and locale data of any distribution; nothing with secrets.
_SYSTEM = (
    "/usr", "/lib", "/lib64", "/bin", "/nix/store",
    "/etc/ld.so.cache", "/etc/ld.so.preload", "/dev/urandom",
)  # fmt: skip
_SINK = "/dev/null"  # qemu-img tries out file locks on it
_LONGEST_OUTPUT = 64 << 10  # kept of each stream: the rest is read and dropped
_LATENCY = 0.1  # how long a cancelled run may go on


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may use; None is no limit."""

    address_space: int | None = 1 << 30  # qemu-img needs 100 MiB; the rest is for large tables
    cpu_seconds: int | None = 30
    file_size: int | None = None
    open_files: int = 64

    def as_rlimits(self) -> dict[str, tuple[int, int]]:
        """Soft and hard limits by the names of module `resource`."""
        limits = {
            "RLIMIT_AS": self.address_space,
            "RLIMIT_CPU": self.cpu_seconds,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_CORE": 0,
            "RLIMIT_FSIZE": self.file_size,
        }
        return {
            name: _within_hard_limit(name, value)
            for name, value in limits.items()
            if value is not None
        }


@dataclass(frozen=True, slots=True)
class Finished:
    """How a run ended. `status` is negative for a signal, as in `subprocess`."""

    status: int
    output: str
    complaint: str


@dataclass(slots=True)
class Run:
    """One run of `program`: an absolute path, with its arguments.

    `read` and `write` are the only paths besides the system's libraries that it may open; below
    `own` it may make files too. It has no network unless `network`. `descriptors` are open files
    of ours by the number that they have in the child. `on_output` sees its standard output as it
    comes.
    """

    program: Sequence[str]
    limits: Limits = field(default_factory=Limits)
    read: Sequence[Path] = ()
    write: Sequence[Path] = ()
    on_output: Callable[[bytes], None] | None = None
    own: Sequence[Path] = ()
    network: bool = False
    descriptors: Mapping[int, int] = field(default_factory=dict)
    _guarded: bool = field(default=False, init=False)

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start a program that works until it is told to stop; its standard error is a pipe.

        What is returned is a guard: SIGTERM, or the end of the thread that called this, kills it
        with all of its process group; SIGINT to the group reaches the program alone.
        """
        self._guarded = True
        child, missing = self._begin(subprocess.DEVNULL, _environment() | environment)
        try:
            walls.tell(missing)
        except errors.Unconfined:
            kill_group(child)
            raise
        return child

    def finish(
        self, cancel: threading.Event | None = None, timeout: float | None = None
    ) -> Finished:
        """Start the program and wait for its end.

        Raises Cancelled soon after `cancel` is set, TimeoutError after `timeout`. The child is gone
        when this returns or raises, and when it raises so are the child's own children.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        child, missing = self._begin(subprocess.PIPE, _environment())
        with child:
            try:
                walls.tell(missing)
                return self._follow(child, cancel, deadline)
            except BaseException:
                kill_group(child)
                raise

    def check(self) -> list[str]:
        """Run the program, and return the walls that this system lacks around it."""
        child, missing = self._begin(subprocess.DEVNULL, _environment())
        with child:
            child.communicate()
        return missing

    def _begin(
        self, output: int, environment: Mapping[str, str]
    ) -> tuple[subprocess.Popen[bytes], list[str]]:
        """Start the child; return it once its walls stand, with those that this system lacks."""
        reading, writing = os.pipe()
        with os.fdopen(reading, "rb") as report:
            try:
                child = subprocess.Popen(
                    self._command(writing),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.PIPE,
                    env=environment,
                    cwd="/",
                    process_group=0,
                    pass_fds=(*self.descriptors.values(), writing),
                )
            finally:
                os.close(writing)
            # Nothing comes from a child that ended before; its status and words say why.
            return child, json.loads(report.read() or b"[]")

    def _command(self, report: int) -> list[str]:
        tool = Path(self.program[0])
        read = [
            *_SYSTEM,
            str(tool),
            str(tool.resolve().parent.parent / "lib"),
            *map(str, self.read),
        ]
        order = {
            "limits": self.limits.as_rlimits(),
            "parent": os.getpid(),
            "read": read,
            "write": [_SINK, *map(str, self.write)],
            "own": [*map(str, self.own)],
            "network": self.network,
            "guarded": self._guarded,
            "report": report,
            "strict": walls.are_required(),
            "descriptors": {str(number): given for number, given in self.descriptors.items()},
        }
        return [sys.executable, "-I", "-S", str(_CONFINE), json.dumps(order), *self.program]

    def _follow(
        self,
        child: subprocess.Popen[bytes],
        cancel: threading.Event | None,
        deadline: float | None,
    ) -> Finished:
        output, complaint = _Kept(self.on_output), _Kept(None)
        with selectors.DefaultSelector() as ready:
            for stream, kept in ((child.stdout, output), (child.stderr, complaint)):
                if stream is not None:
                    ready.register(stream, selectors.EVENT_READ, kept)
            while ready.get_map():
                for key, _ in ready.select(_LATENCY):
                    piece = os.read(key.fd, _LONGEST_OUTPUT)
                    key.data.take(piece)
                    if not piece:
                        ready.unregister(key.fileobj)
                _stop_if_asked(cancel, deadline)
        while (status := _wait(child)) is None:
            _stop_if_asked(cancel, deadline)
        return Finished(status, output.text(), complaint.text())


def missing_walls() -> list[str]:
    """Return what walls this system lacks, as a program without network would find it."""
    return Run([shutil.which("true") or "/bin/true"]).check()


class _Kept:
    """The first part of an output stream, passed on to a listener as it comes."""

    def __init__(self, listener: Callable[[bytes], None] | None) -> None:
        self._listener = listener
        self._bytes = bytearray()

    def take(self, piece: bytes) -> None:
        self._bytes += piece[: max(0, _LONGEST_OUTPUT - len(self._bytes))]
        if piece and self._listener is not None:
            self._listener(piece)

    def text(self) -> str:
        return self._bytes.decode("utf-8", "replace").strip()


def _wait(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return child.wait(_LATENCY)
    except subprocess.TimeoutExpired:
        return None


def _stop_if_asked(cancel: threading.Event | None, deadline: float | None) -> None:
    if cancel is not None and cancel.is_set():
        raise errors.Cancelled("the transfer was asked to stop")
    if deadline is not None and time.monotonic() > deadline:
        raise TimeoutError("the tool did not finish in time")


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill the child with all of its own children, and reap it: it was not waited for yet."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _environment() -> dict[str, str]:
    # One memory arena: each further one would take 64 MiB of the child's address space.
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "MALLOC_ARENA_MAX": "1"}


def _within_hard_limit(name: str, value: int) -> tuple[int, int]:
    """A soft and a hard limit.

    The soft limit of CPU time ends in a signal of its own, the hard one a second later in a
    plain kill, which could have come from anybody.
    """
    _, allowed = resource.getrlimit(getattr(resource, name))
    hard = value + 1 if name == "RLIMIT_CPU" else value
    if allowed != resource.RLIM_INFINITY:
        hard = min(hard, allowed)
    return min(value, hard), hard
