"""
Mounts: a directory or a device, shown at a second place, and file systems of devices. Needs root,
and the program mount.

Blocking calls. Raises OSError, with what mount said.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cdi.volumes import errors, programs

_TABLE: Final = Path("/proc/self/mountinfo")
_ESCAPED: Final = re.compile(r"\\([0-7]{3})")
_PATIENCE: Final = 60.0  # seconds; longer than a busy disk makes the kernel wait


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the kernel's table."""

    target: Path
    root: str  # which directory or file of its file system is shown
    source: str  # the device that the file system is on
    kind: str  # of file system
    read_only: bool


def table() -> list[Mount]:
    """Everything that is mounted, in the order in which it was."""
    return [_parse(line) for line in _TABLE.read_text(encoding="utf-8").splitlines()]


def at(target: Path) -> Mount | None:
    """What is mounted exactly here; the last one, which covers the others."""
    real = Path(os.path.realpath(target))
    return next((each for each in reversed(table()) if each.target == real), None)


def kind_at(target: Path) -> str:
    """The kind of the file system that is mounted here; empty where none is."""
    found = at(target)
    return found.kind if found is not None else ""


def of(directory: Path) -> list[Path]:
    """Where else a directory is shown, as far as we can see."""
    ending = f"/{directory.name}"
    return [
        each.target
        for each in table()
        if each.root.endswith(ending)
        and each.target != directory
        and _shows(each.target, directory)
    ]


def bind(source: Path, target: Path, *, read_only: bool) -> None:
    """Show `source` at `target`, which exists, unless it is there already.

    Raises Different where something else is there, or the same for more writers than asked.
    """
    found = at(target)
    if found is None:
        _run("mount", "--bind", "--", str(source), str(target))
        found = at(target)
    if found is None or not _shows(target, source):
        raise errors.Different(f"something else is mounted at {target}; unmount it first")
    if read_only and not found.read_only:
        # Two steps, as the kernel wants it: whoever was killed between them comes back here.
        _run("mount", "-o", "remount,bind,ro", "--", str(target))
    elif found.read_only and not read_only and not is_read_only(source):
        raise errors.Different(f"{target} is there for reading only; unmount it first")


def mount(device: Path, target: Path) -> None:
    """Mount the file system of a device at `target`, which exists, unless it is there already.

    Raises Different where something else is there.
    """
    if at(target) is None:
        _run("mount", "--", str(device), str(target))
    if target.stat().st_dev != device.stat().st_rdev:
        raise errors.Different(f"something else is mounted at {target}; unmount it first")


def let_go(target: Path) -> bool:
    """Take away whatever is mounted at `target`, also where it is in use: who uses it keeps it,
    and nobody else comes to it. Returns whether anybody did."""
    try:
        unmount(target)
    except errors.InUse:
        _run("umount", "--lazy", "--", str(target))
        return True
    return False


def unmount(target: Path) -> None:
    """Take away whatever is mounted at `target`, if anything is.

    Raises InUse where it is still there afterwards.
    """
    while at(target) is not None:
        try:
            _run("umount", "--", str(target))
        except OSError as error:
            if at(target) is not None:
                raise errors.InUse(f"{target} cannot be unmounted: {error}") from error


def _shows(target: Path, source: Path) -> bool:
    try:
        there, here = target.stat(), source.stat()
    except FileNotFoundError:
        return False
    if there.st_rdev or here.st_rdev:
        return there.st_rdev == here.st_rdev
    return os.path.samestat(there, here)


def is_read_only(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _parse(line: str) -> Mount:
    before, _, after = line.partition(" - ")
    fields, (kind, source, *_) = before.split(), after.split()
    return Mount(
        target=Path(_plain(fields[4])),
        root=_plain(fields[3]),
        source=_plain(source),
        kind=kind,
        read_only="ro" in fields[5].split(","),
    )


def _plain(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), text)


def _run(*command: str) -> None:
    programs.run(*command, patience=_PATIENCE)
