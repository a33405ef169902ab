"""
Run nbdkit beside us: one disk on a private socket, served until the `with` block ends.

Here: the confined process, its socket, its log. Elsewhere: the plugin's arguments and what its
words mean (`sources.vddk`), the client (`sources.nbd`), the walls (`sandbox`, `confine`).

The plugin may use the network and read what it is given; it writes nowhere but in a directory of
its own. A secret is handed over as an open file, number SECRET, and stands neither on the command
line nor in the environment. Of the log a bounded number of lines is kept, none with a password.

It dies with the thread that started it, at once: nbdkit itself would wait for its readers, as it
does when it is asked to stop, which it is given LEAVE seconds for. Durations are in seconds.
Raises TransferError where nbdkit is not installed, SourceUnavailable, Cancelled.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cdi.images import errors
from cdi.images.confined import sandbox

SECRET = 3
LINES = 1000  # of the log
_LONGEST_LINE = 4 << 10
_COMPLAINTS = 3  # of the last error lines; what led to the failure comes first
_START = 60.0  # a library that is large, on a machine that is busy
_UNREAD = 0.5  # an error line is written before the reply that fails, but may be read after it
LEAVE = 2.0  # from being asked to being killed
_TICK = 0.02
_PROBE = 30.0
_OPEN_FILES = 1024
_REMEDY = (
    "install nbdkit with this plugin, and check the library that it needs; Debian's nbdkit is "
    "built without the plugin for VDDK, Fedora has it as nbdkit-vddk-plugin"
)
_ERROR = ": error: "
_READY = "nbd.pid"  # nbdkit writes it once it takes connections
_LONGEST_SECRET = 4 << 10  # a pipe holds more
# What a plugin's library needs of a system to find hosts and to verify them.
_SYSTEM = ("/etc", "/proc", "/sys", "/run/systemd/resolve", "/dev/random")


@dataclass(frozen=True, slots=True)
class Command:
    """What nbdkit is told: filters and options first, then the plugin, then its parameters."""

    plugin: str
    parameters: Sequence[str] = ()
    filters: Sequence[str] = ()
    options: Sequence[str] = ()
    read: Sequence[Path] = ()  # places that the plugin reads
    secret: str | None = None


def executable() -> str:
    """Return the path of nbdkit. Raises TransferError where it is not installed."""
    found = shutil.which("nbdkit")
    if found is None:
        raise errors.TransferError(
            "nbdkit is needed to read this source and is not installed; "
            "install it, on Debian with `apt install nbdkit`"
        )
    return str(Path(found).absolute())


def probe(command: Command, cancel: threading.Event | None = None) -> str:
    """Return what the plugin says of itself. Raises InvalidRequest where it cannot be loaded."""
    run = sandbox.Run(
        [executable(), "--dump-plugin", command.plugin, *command.parameters],
        limits=_limits(),
        read=_readable(command),
    )
    try:
        ended = run.finish(cancel, timeout=_PROBE)
    except TimeoutError as late:
        raise errors.TransferError(
            f"nbdkit did not load its plugin within {_PROBE:.0f} s"
        ) from late
    if ended.status:
        words = ended.complaint.partition("\n")[0]
        raise errors.InvalidRequest(f"nbdkit cannot load its plugin: {words}; {_REMEDY}")
    return ended.output


class Log:
    """The last lines of a log, and its last error lines. None with a password is kept."""

    def __init__(self, secret: str | None, listener: Callable[[str], None] | None) -> None:
        self._secret, self._listener = secret, listener
        self._lines: deque[str] = deque(maxlen=LINES)
        self._complaints: deque[str] = deque(maxlen=_COMPLAINTS)
        self._rest = b""
        self._changed = threading.Condition()

    def take(self, piece: bytes) -> None:
        """Take the next bytes of the log."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        with self._changed:
            for line in lines:
                self._line(line[:_LONGEST_LINE].decode("utf-8", "replace").rstrip())
            self._rest = self._rest[:_LONGEST_LINE]
            self._changed.notify_all()

    def lines(self) -> list[str]:
        with self._changed:
            return list(self._lines)

    def complaint(self, patience: float = 0.0) -> str:
        """The last error lines, without nbdkit's own prefix; waits for the first one."""
        with self._changed:
            self._changed.wait_for(lambda: self._complaints, patience)
            return "; ".join(self._complaints)

    def _line(self, line: str) -> None:
        if "password" in line.lower() and _ERROR not in line:
            return
        if self._secret and self._secret in line:
            return
        self._lines.append(line)
        if _ERROR in line:
            said = line.partition(_ERROR)[2]
            if said not in self._complaints:
                self._complaints.append(said)
        if self._listener is not None:
            self._listener(line)


class Server:
    """A running nbdkit. Made by `serving`."""

    def __init__(
        self, child: subprocess.Popen[bytes], path: Path, log: Log, cancel: threading.Event
    ) -> None:
        self._child, self._path, self.log, self._cancel = child, path, log, cancel
        self._reader = threading.Thread(target=self._read_log, name="nbdkit-log", daemon=True)
        self._reader.start()

    def socket(self) -> Path:
        """Where it takes connections. Raises SourceUnavailable, with a dead server's last words."""
        if self._child.poll() is not None:
            raise errors.SourceUnavailable(self.last_words())
        return self._path

    def last_words(self) -> str:
        """Why the server ended, or what went wrong last; empty if it never complained."""
        status = self._child.poll()
        if status is not None:
            self._reader.join(LEAVE)  # until the rest of the log is read
        complaint = self.log.complaint(0.0 if status is not None else _UNREAD)
        if complaint or status is None:
            return complaint
        return f"nbdkit ended with status {status}"

    def wait(self) -> None:
        """Return once the server takes connections."""
        deadline = time.monotonic() + _START
        ready = self._path.with_name(_READY)
        while self._child.poll() is None:
            if ready.exists():
                return
            if self._cancel.wait(_TICK):
                raise errors.Cancelled("the transfer was asked to stop")
            if time.monotonic() > deadline:
                raise errors.SourceUnavailable(f"nbdkit was not ready within {_START:.0f} s")
        raise errors.SourceUnavailable(self.last_words())

    def stop(self) -> None:
        """End the process, and whatever it has started."""
        if self._child.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(LEAVE)
            if self._child.poll() is None:
                sandbox.kill_group(self._child)
        self._reader.join(LEAVE)
        if self._child.stderr is not None:
            self._child.stderr.close()

    def _read_log(self) -> None:
        if self._child.stderr is None:
            return
        fd = self._child.stderr.fileno()
        while piece := os.read(fd, 64 << 10):
            self.log.take(piece)


@contextmanager
def serving(
    command: Command,
    cancel: threading.Event,
    listener: Callable[[str], None] | None = None,
) -> Iterator[Server]:
    """Serve a disk while the block lasts; `listener` hears each line of the log."""
    program = executable()
    log = Log(command.secret, listener)
    with _directory() as own, _handed_over(command.secret) as descriptors:
        path = own / "nbd.sock"
        run = sandbox.Run(
            _arguments(program, command, path),
            limits=_limits(),
            read=_readable(command),
            own=[own],
            network=True,
            descriptors=descriptors,
        )
        server = Server(run.start(TMPDIR=str(own), HOME=str(own)), path, log, cancel)
        try:
            server.wait()
            yield server
        finally:
            server.stop()


def _arguments(program: str, command: Command, path: Path) -> list[str]:
    return [
        program,
        "--foreground",
        "--readonly",
        "--unix", str(path),
        "--pidfile", str(path.with_name(_READY)),
        *(f"--filter={name}" for name in command.filters),
        *command.options,
        command.plugin,
        *command.parameters,
    ]  # fmt: skip


def _limits() -> sandbox.Limits:
    """No core file, which would hold the password; the disk's size says nothing of the rest."""
    return sandbox.Limits(address_space=None, cpu_seconds=None, open_files=_OPEN_FILES)


def _readable(command: Command) -> list[Path]:
    return [*map(Path, _SYSTEM), *command.read]


@contextmanager
def _directory() -> Iterator[Path]:
    # The path of a socket is short by nature, that of a volume may be long.
    with tempfile.TemporaryDirectory(prefix="cdi-nbd-") as name:
        yield Path(name)


@contextmanager
def _handed_over(secret: str | None) -> Iterator[dict[int, int]]:
    """A pipe that holds the secret, as a descriptor for the child."""
    if secret is None:
        yield {}
        return
    if "\n" in secret or len(secret) > _LONGEST_SECRET:
        raise errors.InvalidRequest("a password with a line break, or of absurd length")
    reading, writing = os.pipe()
    try:
        os.write(writing, secret.encode() + b"\n")  # far less than a pipe holds
        os.close(writing)
        yield {SECRET: reading}
    finally:
        os.close(reading)
