"""
Which file or device a target is: what stands under a name now may be another one than before.

A file is known by its file system, its inode and its birth, a device by what its maker or the
kernel gave it: its WWID, serial number or UUID; the file behind a loop device; else the kernel's
count of devices (diskseq), which is another one after each change of what is in it. Its size
belongs to it in any case. Facts: statx(2), statfs(2), Documentation/ABI/stable/sysfs-block.

`samples_of` and `still_holds` are for what identity cannot tell: whether the bytes are still there.
"""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from cdi.images import storage_calls

Sample = tuple[int, int]  # an offset, and the CRC-32 of the BLOCK bytes there

BLOCK: Final = 4096  # bytes of a sample
_LOOKS, _KEPT = 64, 16  # places that are looked at, samples that are kept
_SYSFS: Final = Path("/sys/dev/block")
_GIVEN: Final = ("wwid", "device/wwid", "device/serial", "serial", "dm/uuid", "md/uuid")


def tag_for(fd: int) -> str:
    """Return what tells this open file or device from every other one."""
    status = os.fstat(fd)
    if stat.S_ISBLK(status.st_mode):
        size = os.lseek(fd, 0, os.SEEK_END)
        return f"device {_device(status.st_rdev)} of {size} bytes"
    system = os.fstatvfs(fd).f_fsid or status.st_dev
    return f"file {system:x}:{status.st_ino}:{storage_calls.birth_of(fd)}"


def tag_of(path: Path) -> str | None:
    """Return the tag of what is at a path; None where nothing is."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return tag_for(fd)
    finally:
        os.close(fd)


def is_at(fd: int, path: Path) -> bool:
    """Whether an open file is still the one that a path names."""
    try:
        named = path.stat(follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(named, os.fstat(fd))


def samples_of(fd: int, ranges: Iterable[tuple[int, int]]) -> list[Sample]:
    """Return samples of what is in `ranges`, of bytes that are not zero if there are any."""
    found = [(at, zlib.crc32(data)) for at, data in _looks(fd, list(ranges))]
    empty = zlib.crc32(bytes(BLOCK))
    telling = [sample for sample in found if sample[1] != empty] or found
    return telling[:: max(1, len(telling) // _KEPT)][:_KEPT]


def still_holds(path: Path, samples: Iterable[Sample]) -> bool:
    """Whether the bytes at a path are those that the samples were taken of."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return all(zlib.crc32(os.pread(fd, BLOCK, at)) == crc for at, crc in samples)
    except OSError:
        return False
    finally:
        os.close(fd)


def _device(number: int) -> str:
    place = _SYSFS / f"{os.major(number)}:{os.minor(number)}"
    for name in _GIVEN:
        if given := _read(place / name):
            return f"{name} {given}"
    if behind := _read(place / "loop/backing_file"):
        # A file that is not to be seen from here is known by its name and by the kernel's count.
        if (tag := tag_of(Path(behind))) is not None:
            return f"loop of {tag} from {_read(place / 'loop/offset')}"
        return f"loop of {behind}, {_read(place / 'diskseq')}"
    return f"{os.major(number)}:{os.minor(number)}, {_read(place / 'diskseq')}"


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""


def _looks(fd: int, ranges: list[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """Yield whole blocks within `ranges`, spread evenly over them."""
    whole = [(-(-start // BLOCK), end // BLOCK) for start, end in ranges]
    whole = [(start, end) for start, end in whole if start < end]
    total = sum(end - start for start, end in whole)
    wanted = iter(sorted({total * look // _LOOKS for look in range(_LOOKS)} if total else ()))
    behind, want = 0, next(wanted, None)
    for start, end in whole:
        while want is not None and want < behind + end - start:
            at = (start + want - behind) * BLOCK
            yield at, os.pread(fd, BLOCK, at)
            want = next(wanted, None)
        behind += end - start
