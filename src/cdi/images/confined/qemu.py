"""
Convert with qemu-img what is not decoded here, after a deep inspection has passed it.

The format is pinned: driver and protocol are both named, so that no byte of the image and no
character of a path can choose another. qemu-img runs in a `sandbox`. Its own view of the disk is
compared with ours before the first byte is written; two readers that disagree mean a trap.

Sizes are in bytes. Raises NoSpace, TargetFailed, CorruptImage, UnsafeImage, Cancelled, or a plain
TransferError with qemu-img's words. After an error or a crash the target's content is undefined.
The caller fsyncs the target: qemu-img only writes it back.
"""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
import signal
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cdi.images import errors
from cdi.images.confined import sandbox

_SECTOR = 512
_INFO_TIMEOUT = 30.0  # as long as upstream waits; a header is read within milliseconds
_SLOWEST = 4 << 20  # bytes of disk a second of CPU time: a tenth of what inflating needs
_LEAST_CPU_SECONDS = 60
# What `inspect` means by a disk's size, where qemu-img's own rule depends on the creator.
_OPTIONS = {"vpc": {"force_size_calc": "current_size"}}
_FORMATS = frozenset({"vdi", "vpc", "vhdx", "qed", "qcow"})
_RESERVE = (["-o", "preallocation=falloc"], ["-o", "preallocation=full"])
_WRITE_ALL = ["-S", "0"]
_NOT_THIS_WAY = "Unsupported preallocation mode"
_PERCENT = re.compile(rb"\((\d+(?:\.\d+)?)/100%\)")


@dataclass(frozen=True, slots=True)
class Info:
    """What qemu-img says about an image."""

    format: str
    virtual_size: int


def info(path: Path, fmt: str) -> Info:
    """Return qemu-img's view of an image; raise UnsafeImage where it names another file."""
    run = sandbox.Run(
        [executable(), "info", "--output=json", "--image-opts", _source(path, fmt)], read=[path]
    )
    try:
        ended = run.finish(timeout=_INFO_TIMEOUT)
    except TimeoutError as late:
        raise errors.UnsafeImage(
            f"qemu-img did not finish reading the image's header within {_INFO_TIMEOUT:.0f} s"
        ) from late
    _raise_for(ended, "read")
    try:
        seen = json.loads(ended.output)
        answer = Info(seen["format"], int(seen["virtual-size"]))
    except (ValueError, KeyError, TypeError) as wrong:
        raise errors.TransferError(f"qemu-img info gave no answer: {ended.output!r}") from wrong
    if "backing-filename" in seen or answer.format != fmt:
        raise errors.UnsafeImage("the image refers to another file, which qemu-img would follow")
    return answer


def convert(
    source: Path,
    fmt: str,
    target: Path,
    size: int,
    *,
    cancel: threading.Event | None = None,
    progress: Callable[[float], None] | None = None,
    cache_none: bool = False,
    preallocate: bool = False,
) -> int:
    """Write the disk of `size` bytes in `source` into `target`, as raw bytes.

    A block device, or a file that is at least that long, keeps its length, and what lies beyond
    the disk is not touched; any other file is made anew with the disk's length. Zeros become
    holes unless `preallocate`. `progress` hears the share that is done, 0.0 to 1.0, never less
    than before. `cache_none` bypasses the page cache where the target can. Returns the bytes that
    were written, as the kernel counted them: it does not for file systems in memory.
    """
    size = -(-size // _SECTOR) * _SECTOR
    _insist_on_size(source, fmt, size)
    given = _target_options(target, size)
    before = _written_by_children()
    for way in _ways(preallocate, in_place=bool(given)):
        command = [
            executable(), "convert", *way, "-p", "-t", _cache_mode(target, cache_none), *given,
            "-O", "raw", "--image-opts", _source(source, fmt), str(target.absolute()),
        ]  # fmt: skip
        run = sandbox.Run(
            command,
            limits=_limits(target, size),
            read=[source],
            write=[target],
            on_output=_Percentages(progress) if progress else None,
        )
        ended = run.finish(cancel)
        if ended.status == 0 or _NOT_THIS_WAY not in ended.complaint:
            break
    _raise_for(ended, "converted")
    return _written_by_children() - before


def _written_by_children() -> int:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_oublock * _SECTOR


def executable() -> str:
    """Return the path of qemu-img. Raises TransferError where it is not installed."""
    found = shutil.which("qemu-img")
    if found is None:
        raise errors.TransferError(
            "qemu-img is needed to convert this image and is not installed; "
            "install it, on Debian with `apt install qemu-utils`"
        )
    return str(Path(found).absolute())


def _source(path: Path, fmt: str) -> str:
    """The image as qemu options, with driver and protocol pinned; a comma is doubled."""
    if fmt not in _FORMATS:
        raise ValueError(f"{fmt!r} is not converted by qemu-img")
    options = {
        "driver": fmt,
        **_OPTIONS.get(fmt, {}),
        "file.driver": "file",
        "file.filename": str(path.absolute()).replace(",", ",,"),
    }
    return ",".join(f"{key}={value}" for key, value in options.items())


def _insist_on_size(source: Path, fmt: str, size: int) -> None:
    seen = info(source, fmt).virtual_size
    if seen != size:
        raise errors.UnsafeImage(
            f"two readers disagree about the disk in the {fmt} image: {size} bytes for us, "
            f"{seen} for qemu-img; convert it to another format first"
        )


def _target_options(target: Path, size: int) -> list[str]:
    """How to write into a target that keeps its length; nothing for one that is made anew."""
    try:
        target.touch()  # the sandbox opens existing files only
        state = target.stat()
    except OSError as no:
        raise errors.TargetFailed(f"cannot write {target.name}: {no.strerror}") from no
    if stat.S_ISBLK(state.st_mode):
        return ["-n"]
    if state.st_size < size:
        return []
    return ["-n", "--target-is-zero"] if _is_hole(target) else ["-n"]


def _is_hole(target: Path) -> bool:
    """Whether a file holds no data at all: then its zeros need not be written once more."""
    with target.open("rb") as file:
        # Where there are no extents (ext2, ext3), data that has no block yet counts as a hole.
        os.fsync(file.fileno())
        try:
            os.lseek(file.fileno(), 0, os.SEEK_DATA)
        except OSError as no:
            return no.errno == errno.ENXIO
    return False


def _ways(preallocate: bool, *, in_place: bool) -> tuple[list[str], ...]:
    """Options to try one after the other until the file system supports one."""
    if not preallocate:
        return ([],)
    return (_WRITE_ALL,) if in_place else (*_RESERVE, _WRITE_ALL)


def _cache_mode(target: Path, cache_none: bool) -> str:
    """Ask the target itself whether it can be written past the page cache."""
    if not cache_none:
        return "writeback"
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_DIRECT))
    except OSError as no:
        if no.errno != errno.EINVAL:
            raise errors.TargetFailed(f"cannot open {target.name}: {no.strerror}") from no
        return "writeback"
    return "none"


def _limits(target: Path, size: int) -> sandbox.Limits:
    """A file may become as long as the disk and no longer, a device is as long as it is."""
    state = target.stat()
    longest = None if stat.S_ISBLK(state.st_mode) else max(size, state.st_size)
    return sandbox.Limits(cpu_seconds=_LEAST_CPU_SECONDS + size // _SLOWEST, file_size=longest)


class _Percentages:
    """Turns qemu-img's progress lines into a share that only grows."""

    def __init__(self, progress: Callable[[float], None]) -> None:
        self._progress = progress
        self._highest = -1.0
        self._rest = b""

    def __call__(self, piece: bytes) -> None:
        *lines, self._rest = re.split(rb"[\r\n]", self._rest + piece)
        for line in lines:
            found = _PERCENT.search(line)
            if found and (share := float(found[1]) / 100) > self._highest:
                self._highest = share
                self._progress(share)


_MEANINGS: tuple[tuple[tuple[str, ...], type[errors.TransferError]], ...] = (
    (("No space left on device", "Disk quota exceeded"), errors.NoSpace),
    (("Cannot allocate memory", "failed to allocate", "Out of memory"), errors.UnsafeImage),
    (("error while writing", "\"write\" lock", "Read-only file system"), errors.TargetFailed),
    (("error while reading", "corrupt", "Invalid argument", "not in ", "Could not read",
      "Could not open '", "invalid", "truncated", "too big", "too large"), errors.CorruptImage),
)  # fmt: skip


def _raise_for(ended: sandbox.Finished, verb: str) -> None:
    """Raise what a failed run means. The most specific words come first in the table."""
    if ended.status == 0:
        return
    if ended.status == -signal.SIGXCPU:
        raise errors.UnsafeImage(f"the image cannot be {verb} within the limit of CPU time")
    if ended.status == -signal.SIGKILL:
        raise errors.TransferError("qemu-img was killed; perhaps this system ran out of memory")
    words = ended.complaint.removeprefix("qemu-img: ")
    for fragments, error in _MEANINGS:
        if any(fragment in words for fragment in fragments):
            raise error(f"qemu-img: {words}")
    raise errors.TransferError(f"qemu-img ended with status {ended.status}: {words}")
