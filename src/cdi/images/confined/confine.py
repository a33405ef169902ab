"""
Run one program with nothing but what it was given: executed as a file, never imported.

    python -I -S confine.py {"limits": ..., "read": [...], "write": [...], ...} PROGRAM ARGUMENT...

Limits are set first, then the network is left, the file system is closed except for the named
paths, and the program takes this process's place. Resource limits and "no new privileges" always
hold, or the program does not start. The other walls are put up where the kernel has them, and
which it has not is written to "report", a list in JSON; with "strict" the program does not start
without them:

- network: a network namespace of its own. Needs privileges or user namespaces; a container's
  seccomp profile may forbid both. Landlock, too, from Linux 6.7, if for TCP only; from 6.12 it also
  holds abstract sockets and signals to others.
- files: Landlock, from Linux 5.13. Reading is allowed below "read", and all of it on "write";
  below "own" files may be made and removed as well.

"network" true leaves the network to the program; "descriptors" gives it open files by number.
"guarded" is for programs that see to their own end when the parent dies, and may take for ever:
this process then stays beside the program, and kills their whole group at that moment or when it
is sent SIGTERM. It ends as the program does.

Only the standard library, and few parts of it: this start-up is paid for every image.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWUSER = 0x1000_0000
_CLONE_NEWNET = 0x4000_0000

# Landlock's system calls have the same numbers on every architecture.
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_LANDLOCK_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE, _READ, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEVICE = 1 << 14, 1 << 15
# Bits known to each version of the interface: handling an unknown one is an error.
_BITS_OF_VERSION = {1: 13, 2: 14, 3: 15, 4: 15}
_BITS_OF_LATER = 16
_NET_SINCE, _SCOPED_SINCE = 4, 6
_TCP = 3  # bind and connect
_SCOPES = 3  # abstract sockets and signals

_libc = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Rule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def main(arguments: list[str]) -> None:
    """Confine this process as the first argument says, then become the program."""
    order = json.loads(arguments[0])
    program = arguments[1:]
    for name, (soft, hard) in order["limits"].items():
        resource.setrlimit(getattr(resource, name), (soft, hard))
    version = _libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    missing = []
    if not order["network"] and not _leave_network() and version < _NET_SINCE:
        missing.append("network")
    if order["guarded"]:
        _guard(order["parent"], order["report"])
    else:
        _die_with(order["parent"], signal.SIGKILL)
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        sys.exit("confine: the kernel refuses no_new_privs")
    if not _restrict(order, version):
        missing.append("files")
    _report(order["report"], missing)
    if missing and order["strict"]:
        sys.exit(f"confine: no walls around {', '.join(missing)}")
    for wanted, given in order["descriptors"].items():
        os.dup2(given, int(wanted))
    os.execv(program[0], program)  # noqa: S606 - this is what the file is for


def _report(pipe: int, missing: list[str]) -> None:
    os.write(pipe, json.dumps(missing).encode())
    os.close(pipe)


def _leave_network() -> bool:
    """Privileged processes need no user namespace, and would lose their file access in one."""
    return not _libc.unshare(_CLONE_NEWNET) or not _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def _die_with(parent: int, number: int) -> None:
    """After the namespaces, because a change of credentials clears this wish."""
    _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("confine: the parent is gone")


def _guard(parent: int, report: int) -> None:
    """Go on in a new process; this one waits for its end, and sees to it."""
    signal.signal(signal.SIGTERM, lambda *_: os.killpg(0, signal.SIGKILL))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent, signal.SIGTERM)
    program = os.fork()
    if program:
        os.close(report)  # whoever reads it waits for its end
        code = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1])
        os._exit(code if code >= 0 else 128 - code)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _restrict(order: "dict[str, Any]", version: int) -> bool:
    """Have Landlock close what was not named; return whether it did."""
    if version < 1:
        return False
    handled = (1 << _BITS_OF_VERSION.get(version, _BITS_OF_LATER)) - 1
    attributes = _Attributes(handled)
    known = 1
    if version >= _NET_SINCE:
        attributes.net, known = 0 if order["network"] else _TCP, 2
    if version >= _SCOPED_SINCE:
        attributes.scoped, known = 0 if order["network"] else _SCOPES, 3
    size = ctypes.c_size_t(known * ctypes.sizeof(ctypes.c_uint64))
    rules = _libc.syscall(_LANDLOCK_CREATE, ctypes.byref(attributes), size, 0)
    if rules < 0:
        return False
    for path in order["read"]:
        _allow(rules, path, handled & (_EXECUTE | _READ | _READ_DIR))
    for path in order["write"]:
        _allow(rules, path, handled & (_WRITE | _READ | _TRUNCATE | _IOCTL_DEVICE))
    for path in order["own"]:
        _allow(rules, path, handled & ~_EXECUTE)
    if _libc.syscall(_LANDLOCK_RESTRICT, rules, 0):
        sys.exit("confine: the kernel refuses its own Landlock rules")
    os.close(rules)
    return True


def _allow(rules: int, path: str, allowed: int) -> None:
    with contextlib.suppress(FileNotFoundError):  # not every system has every library folder
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not os.path.isdir(path):  # noqa: PTH112 - pathlib costs start-up time
            allowed &= ~_READ_DIR
        rule = _Rule(allowed, parent)
        if _libc.syscall(_LANDLOCK_ADD, rules, _PATH_BENEATH, ctypes.byref(rule), 0):
            sys.exit(f"confine: cannot open {path} to the program")
        os.close(parent)


if __name__ == "__main__":
    main(sys.argv[1:])
