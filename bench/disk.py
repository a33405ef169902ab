"""
The disk that everybody imports, and the files that hold it.

A real ext4 file system with real files of this machine, made without root: programs and text in
the mix a system disk has, the rest empty. `make_raw` makes it, `VARIANTS` pack it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bench import tools

BLOCK = 4096
# Share of the disk that files fill, as on a fresh cloud image. What ext4 needs comes on top.
FILLED = 0.36
# Programs, libraries, headers, documents and data: what a system disk holds.
SOURCES = ("/usr/lib", "/usr/share", "/usr/bin", "/usr/local", "/usr/include", "/etc")

_SMALLEST = 8 << 20  # a smaller ext4 has no room for a journal
_LARGEST_FILE = 64 << 20  # one huge file would decide what the mix compresses to


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to pack a raw disk: `make(raw, target)`."""

    suffix: str
    make: Callable[[Path, Path], None]


def make_raw(folder: Path, size: int, name: str = "disk.raw") -> Path:
    """Make a disk of `size` bytes in `folder` with real files on a real ext4; return its path."""
    content = folder / (name + ".files")
    path = folder / name
    try:
        stage(content, int(max(size, _SMALLEST) * FILLED))
        with path.open("wb") as disk:
            disk.truncate(size)
        tools.run(["mkfs.ext4", "-q", "-F", "-m", "0", "-N", inodes(content), "-d", content, path])
    finally:
        shutil.rmtree(content, ignore_errors=True)
    return path


def inodes(content: Path) -> int:
    """Return how many inodes the files below `content` need, and a few more."""
    return 1024 + sum(1 for _ in content.rglob("*"))


def stage(content: Path, wanted: int) -> int:
    """Gather files worth about `wanted` bytes below `content`; return how many bytes they have."""
    held = 0
    for turn in count():
        before = held
        for source in _files(wanted - held):
            place = content / str(turn) / source.relative_to("/")
            held += _take(source, place)
            if held >= wanted:
                return held
        if held == before:
            raise tools.ToolFailed("found no files to fill a disk with below " + " ".join(SOURCES))
    return held


def _files(wanted: int) -> Iterator[Path]:
    """Yield files from all of SOURCES alike, so that a small disk has the same mix."""
    walks = [_walk(Path(folder), wanted) for folder in SOURCES]
    while walks:
        for walk in list(walks):
            taken = 0
            while taken < 8 << 20:
                path = next(walk, None)
                if path is None:
                    walks.remove(walk)
                    break
                taken += path.stat().st_size
                yield path


def _walk(folder: Path, wanted: int) -> Iterator[Path]:
    largest = min(_LARGEST_FILE, max(wanted // 4, 1 << 20))
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink() and path.stat().st_size <= largest:
                yield path


def _take(source: Path, place: Path) -> int:
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.hardlink_to(source)
    except OSError:  # another file system, or not ours to link
        try:
            shutil.copyfile(source, place)
        except OSError:
            return 0
    return place.stat().st_size


def nonzero_bytes(path: Path) -> int:
    """Return how many bytes lie in blocks of `path` that are not all zero."""
    zeros, found = bytes(BLOCK), 0
    with path.open("rb") as disk:
        end = os.fstat(disk.fileno()).st_size
        for start, after in _data(disk.fileno(), end):
            for at in range(start, after, 1 << 20):
                piece = os.pread(disk.fileno(), min(1 << 20, after - at), at)
                for low in range(0, len(piece), BLOCK):
                    if not zeros.startswith(piece[low : low + BLOCK]):
                        found += min(BLOCK, len(piece) - low)
    return found


def _data(fd: int, end: int) -> Iterator[tuple[int, int]]:
    at = 0
    while at < end:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:  # only a hole is left
            return
        at = os.lseek(fd, start, os.SEEK_HOLE)
        yield start, at


def _converted(*options: str) -> Callable[[Path, Path], None]:
    def make(raw: Path, target: Path) -> None:
        threads = ["-m", "8"]  # compress clusters side by side
        tools.run(["qemu-img", "convert", *threads, "-f", "raw", *options, raw, target])

    return make


def _packed(command: str) -> Callable[[Path, Path], None]:
    def make(raw: Path, target: Path) -> None:
        tools.run(["sh", "-c", f'{command} <"$0" >"$1"', raw, target])

    return make


def _raw(raw: Path, target: Path) -> None:
    target.hardlink_to(raw)


VARIANTS: dict[str, Variant] = {
    "qcow2-zlib": Variant("qcow2", _converted("-O", "qcow2", "-c")),
    "qcow2-zstd": Variant("qcow2", _converted("-O", "qcow2", "-c", "-o", "compression_type=zstd")),
    "qcow2": Variant("qcow2", _converted("-O", "qcow2")),
    "vmdk": Variant("vmdk", _converted("-O", "vmdk", "-o", "subformat=streamOptimized")),
    "raw": Variant("raw", _raw),
    # Low levels: what is unpacked costs nearly the same, and making it does not take the evening.
    "raw.gz": Variant("raw.gz", _packed("gzip -1 -c")),
    "raw.xz": Variant("raw.xz", _packed("xz -0 -T1 -c")),
    "raw.xz-blocks": Variant("raw.xz", _packed("xz -0 -T0 -c")),
    "raw.zst": Variant("raw.zst", _packed("zstd -q -3 -T0 -c")),
}


def make_variant(raw: Path, name: str, folder: Path) -> Path:
    """Pack `raw` as the variant `name`; return the file in `folder`."""
    path = folder / f"{raw.stem}-{name.replace('.', '-')}.{VARIANTS[name].suffix}"
    VARIANTS[name].make(raw, path)
    return path


def kind_of(case: str) -> tuple[str, str | None]:
    """Return format and outer compression of a variant."""
    suffix = VARIANTS[case].suffix
    image_format, _, compression = suffix.partition(".")
    return image_format, compression or None


def parse_size(text: str) -> int:
    """Return the bytes of a size like `3G` or `512M`. Raises ValueError."""
    digits, unit = text.rstrip("iB")[:-1], text.rstrip("iB")[-1:].upper()
    if unit not in "MG" or not unit:
        raise ValueError(f"{text}: a size is a number with M or G")
    return int(float(digits) * (1 << (20 if unit == "M" else 30)))
