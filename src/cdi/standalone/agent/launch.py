"""
What runs first in a worker's process: it ties the worker to its agent, then becomes the worker.

    python -I launch.py {"agent": PID, "package": DIRECTORY, ...} MODULE ARGUMENT...

Executed as a file by an interpreter that listens to no variable of its environment, so that what
a pod brings along decides nothing here.

With "user", a user and a group id, the process is root and gives that up. Whoever has no rights
may not even come to the volumes, or to Python, when those are beneath a private directory: so the
process gets a view of the file system of its own, in which the directories of "reach" are where
they are, and private ones above them hold nothing else.

If the agent dies, the kernel sends the worker SIGTERM: it writes its journal and leaves, so
nothing goes on unwatched, whether or not an agent comes back. The worker is the first to go
when the machine runs out of memory, and leaves no core, which would hold its secrets.

A pod's memory limit is not enforced: address space (RLIMIT_AS, RLIMIT_DATA) is no measure of
the memory of a process with threads and mapped libraries, and would kill healthy workers. What
bounds their memory is how they are built.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import runpy
import signal
import stat
import sys
from pathlib import Path

CHECK = "--check"  # in place of a module: only see whether it would start

_PR_SET_PDEATHSIG = 1  # prctl(2)
_SACRIFICE = 500  # of 1000: rather this process than others
_CLONE_NEWNS = 0x0002_0000  # unshare(2)
_MS_BIND, _MS_REC, _MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18  # mount(2)
_COVER = b"size=1m,mode=0711"

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    """Become the module that the second argument names."""
    setup = json.loads(arguments[0])
    if user := setup.pop("user", None):
        _open_ways(setup.pop("reach"))
        _become(*user)
        # A new program: what is left of root, such as who may look into /proc, goes with the old.
        again = [sys.executable, "-I", __file__, json.dumps(setup), *arguments[1:]]
        os.execv(sys.executable, again)  # noqa: S606
    _tie_to(setup["agent"])
    sys.path.append(setup["package"])
    module = arguments[1]
    if module == CHECK:
        Path(setup["package"], "cdi", "workers").stat()
        return
    sys.argv = arguments[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _tie_to(agent: int) -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != agent:
        sys.exit(128 + signal.SIGTERM)  # it died before we were tied to it
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_SACRIFICE), encoding="ascii")
    os.umask(0o007)


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


# A view of the file system.


def _open_ways(reach: list[str]) -> None:
    """Let anybody come to the directories `reach`, in this process's view only."""
    _checked(_libc.unshare(_CLONE_NEWNS), "unshare")
    _mount(None, b"/", None, _MS_REC | _MS_PRIVATE)
    here = Path.cwd()
    opened = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in reach}
    os.umask(0o066)
    # What lies above comes first: it may bring along what lies below.
    for path in sorted(opened, key=len):
        if private := _private_above(Path(path)):
            _mount(b"tmpfs", os.fsencode(private), b"tmpfs", 0, _COVER)
        if not Path(path).exists():  # covered now
            Path(path).mkdir(parents=True)
            _mount(b"/proc/self/fd/%d" % opened[path], os.fsencode(path), None, _MS_BIND | _MS_REC)
    for opening in opened.values():
        os.close(opening)
    os.chdir(here)


def _private_above(path: Path) -> Path | None:
    """Return the first directory above `path` that not everybody may pass."""
    for directory in reversed(path.parents):
        if not directory.exists():
            return None
        if not directory.stat().st_mode & stat.S_IXOTH:
            return directory
    return None


def _mount(
    source: bytes | None, target: bytes, kind: bytes | None, flags: int, data: bytes | None = None
) -> None:
    result = _libc.mount(source, target, kind, ctypes.c_ulong(flags), data)
    _checked(result, f"mount {os.fsdecode(target)}")


def _checked(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1:])
