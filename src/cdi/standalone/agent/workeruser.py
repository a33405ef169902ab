"""
The user that workers are where the agent is root: one that owns the volumes it fills, no more.

A worker reads what strangers made. As a user of its own, with a view of the file system in which
there is nothing private but its own pod (see `launch`), a defect of it costs that pod's volumes
and not the machine. It takes root with CAP_SYS_ADMIN, which containers often lack: `find` tries it
out, and says why not.

What the agent goes on writing to it only lends: where a worker could put a link in the way, root
would follow it.
"""

from __future__ import annotations

import json
import os
import pwd
import stat
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cdi.standalone.agent import launch

NAME: Final = "cdi-worker"  # if the machine has a user of that name
# Else one that nobody has: not the 107 of importers on a cluster, which here may be somebody.
NUMBER: Final = 64107
PACKAGE: Final = Path(__file__).parents[3]  # the directory that holds `cdi`
_FOLDER_MODE: Final = 0o750
_FILE_MODE: Final = 0o640
_PATIENCE: Final = 20.0  # seconds; it takes a twentieth of one
_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class WorkerUser:
    """A user and a group by their numbers."""

    uid: int
    gid: int

    def own(self, directory: Path) -> None:
        """Give a directory to this user, with all that is in it, unless that was done before."""
        if directory.lstat().st_uid == self.uid:
            return
        for _, folders, files, opened in os.fwalk(directory, topdown=False):
            for name in (*folders, *files):
                os.chown(name, self.uid, self.gid, dir_fd=opened, follow_symlinks=False)
        # Last: until then the next attempt begins again.
        os.chown(directory, self.uid, self.gid, follow_symlinks=False)

    def join(self, directory: Path) -> None:
        """Let this user add files to a directory, whoever owns it."""
        os.chown(directory, -1, self.gid)
        directory.chmod(stat.S_IMODE(directory.stat().st_mode) | stat.S_IRWXG)

    def node(self, device: Path, directory: Path) -> Path:
        """Return a node of this user's for a block device, in a directory of this user's."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        node = directory / device.name
        node.unlink(missing_ok=True)
        os.mknod(node, stat.S_IFBLK | 0o600, device.stat().st_rdev)
        os.chown(node, self.uid, self.gid, follow_symlinks=False)
        os.chown(directory, self.uid, self.gid, follow_symlinks=False)
        return node

    def read(self, directory: Path) -> None:
        """Let this user read a directory with all that is in it, except what is others'."""
        for _, folders, files, opened in os.fwalk(directory):
            os.fchown(opened, -1, self.gid)
            os.fchmod(opened, _FOLDER_MODE)
            folders[:] = [name for name in folders if _is_ours(name, opened)]
            for name in files:
                if not stat.S_ISLNK(os.lstat(name, dir_fd=opened).st_mode):
                    os.chown(name, -1, self.gid, dir_fd=opened)
                    os.chmod(name, _FILE_MODE, dir_fd=opened)


def _is_ours(name: str, folder: int) -> bool:
    return os.lstat(name, dir_fd=folder).st_uid == os.geteuid()


def command(
    user: WorkerUser | None, reach: Iterable[Path], module: str, arguments: Iterable[str] = ()
) -> list[str]:
    """Return what starts a worker that may come to the directories `reach`."""
    setup: dict[str, object] = {"agent": os.getpid(), "package": str(PACKAGE)}
    isolated = ["-I"]  # it listens to no variable, and looks into no directory of users
    if user is not None:
        isolated.append("-S")  # packages have to wait for their directories
        wanted = dict.fromkeys((*_python(), *reach))
        setup |= {"user": [user.uid, user.gid], "reach": [str(each) for each in wanted]}
    return [sys.executable, *isolated, launch.__file__, json.dumps(setup), module, *arguments]


def find(data_dir: Path) -> tuple[WorkerUser | None, str]:
    """Return the user for workers, or None and why they have to be the agent's own user."""
    if os.geteuid() != 0:
        return None, ""  # there is no other, and no need
    user = _wanted()
    try:
        done = subprocess.run(
            command(user, [data_dir], launch.CHECK),
            env={}, cwd="/", capture_output=True, text=True, timeout=_PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    if done.returncode:
        return None, done.stderr.strip().rpartition("\n")[2] or f"status {done.returncode}"
    return user, ""


def _wanted() -> WorkerUser:
    try:
        found = pwd.getpwnam(NAME)
    except KeyError:
        return WorkerUser(NUMBER, NUMBER)
    return WorkerUser(found.pw_uid, found.pw_gid)


def _python() -> list[Path]:
    """The directories without which there is no interpreter, nor what a worker imports."""
    certificates = map(Path, filter(None, map(os.environ.get, _CERTIFICATES)))
    found = [
        *map(Path, (sys.prefix, sys.base_prefix, *filter(None, sys.path))),
        Path(sys.executable).resolve().parent.parent,
        PACKAGE,
        *(path if path.is_dir() else path.parent for path in certificates),
    ]
    return [path.absolute() for path in found if path.is_dir()]
