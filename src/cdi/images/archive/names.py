"""
Which names of an archive are followed, and where links may lead. Pure rules over bytes.

The rule for links: none leads out of the directory, whatever else the archive does. A relative
target whose `..` all come first climbs real directories only, since nothing is ever put behind a
link; the names after those end inside, or at another link for which the same holds.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from cdi.images import errors
from cdi.images.formats import quoting
from cdi.images.formats.tar import Entry

Path: TypeAlias = tuple[bytes, ...]  # components beneath the directory; () is the directory

DEEPEST: Final = 200  # directories in each other: removing and syncing them recurses
_LONGEST = 4095  # bytes of a path, less than PATH_MAX
_LONGEST_COMPONENT = 255


def raw(name: str) -> bytes:
    """Return a name as the archive has it."""
    return name.encode("utf-8", "surrogateescape")


def shown(entry: Entry) -> str:
    """Return an entry in words for an error message."""
    return f"the {entry.kind} {quoting.quoted(raw(entry.name))}"


def path_of(name: str, entry: Entry) -> Path:
    """Return where a name leads beneath the directory. Raises UnsafeImage."""
    parts = tuple(part for part in raw(name).split(b"/") if part not in {b"", b"."})
    if b".." in parts:
        raise errors.UnsafeImage(f"{shown(entry)} in the archive leads upwards; make it without ..")
    too_long = len(raw(name)) > _LONGEST or any(len(part) > _LONGEST_COMPONENT for part in parts)
    if too_long or len(parts) > DEEPEST:
        raise errors.UnsafeImage(
            f"{shown(entry)} in the archive has a name that is too long or too deep for a file "
            f"system: {len(raw(name))} bytes, {len(parts)} levels"
        )
    return parts


def insist_inside(target: bytes, at: Path, entry: Entry) -> None:
    """Raise UnsafeImage if a symbolic link at `at` would or could lead out of the directory."""
    parts = [part for part in target.split(b"/") if part not in {b"", b"."}]
    upwards = 0
    while upwards < len(parts) and parts[upwards] == b"..":
        upwards += 1
    outside = target.startswith(b"/") or upwards >= len(at)
    if not target or len(target) > _LONGEST or outside or b".." in parts[upwards:]:
        raise errors.UnsafeImage(
            f"{shown(entry)} in the archive points to {quoting.quoted(target)}; links may only "
            "lead to places inside of the archive, with every .. at their beginning"
        )
