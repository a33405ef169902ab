"""
Move a complete tree into the directory that it is for, entry by entry, by renaming.

What is not in the way is left alone. Files and links replace what has their name; directories
join those that exist. May be interrupted and run again: what has been moved is gone from the
tree. Not for several threads. Raises InvalidRequest; OSError for what the file system says.
"""

from __future__ import annotations

import os
import stat

from cdi.images import errors
from cdi.images.archive import tree
from cdi.images.formats import quoting

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def move(source: int, target: int) -> None:
    """Move everything in the directory `source` into the directory `target`."""
    for name in tree.emptied(source):
        ours = os.stat(name, dir_fd=source, follow_symlinks=False)
        theirs = tree.stat_of(name, target)
        both = [facts is not None and stat.S_ISDIR(facts.st_mode) for facts in (ours, theirs)]
        if theirs is not None and all(both):
            _join(name, ours, theirs, source, target)
        elif stat.S_ISDIR(ours.st_mode):
            if theirs is not None:
                os.unlink(name, dir_fd=target)
            _rename_folder(name, ours, source, target)
        else:
            if theirs is not None and stat.S_ISDIR(theirs.st_mode):
                _clear_folder(name, target)
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)


def _join(
    name: bytes, ours: os.stat_result, theirs: os.stat_result, source: int, target: int
) -> None:
    """Move what is in a directory into the one that has its name."""
    _let_in(name, ours, source)
    inner = os.open(name, _FOLDER, dir_fd=source)
    own = theirs.st_uid == os.geteuid()
    try:
        # The file system's own lost+found may not even be opened, and need not be.
        if own or tree.some_names(inner):
            outer = os.open(name, _FOLDER, dir_fd=target)
            try:
                move(inner, outer)
                if own:
                    tree.settle(outer, stat.S_IMODE(ours.st_mode), ours.st_mtime_ns)
            finally:
                os.close(outer)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=source)


def _rename_folder(name: bytes, ours: os.stat_result, source: int, target: int) -> None:
    # A directory that changes its parent is written to, which its own mode may forbid.
    changed = _let_in(name, ours, source)
    os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
    if changed:
        os.chmod(name, stat.S_IMODE(ours.st_mode), dir_fd=target)


def _let_in(name: bytes, ours: os.stat_result, folder: int) -> bool:
    """Let the owner, who we are, into a directory; return whether that changed it."""
    mode = stat.S_IMODE(ours.st_mode)
    if mode & stat.S_IRWXU == stat.S_IRWXU:
        return False
    os.chmod(name, mode | stat.S_IRWXU, dir_fd=folder)
    return True


def _clear_folder(name: bytes, folder: int) -> None:
    try:
        os.rmdir(name, dir_fd=folder)
    except OSError as error:
        raise errors.InvalidRequest(
            f"the archive holds a file {quoting.quoted(name)} where the volume has a directory "
            "with files in it; remove the directory, or unpack somewhere else"
        ) from error
