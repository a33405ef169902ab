"""An archive is unpacked as GNU tar would, all of it or nothing, and never outside of its place."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.images import archive, errors
from cdi.images.archive import attempt
from cdi.images.archive.partial import HIDDEN, Partial
from cdi.images.sources.file import FileSource
from cdi.images.sources.source import Identity
from cdi.images.sources.stream import StreamSource
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.result import Result
from support import compressed, tars

MIB = 1 << 20
TOOLS = {"": "cat", "gz": "gzip", "xz": "xz -T1", "zst": "zstd -q", "bz2": "bzip2", "lz4": "lz4 -q"}


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A place to unpack to, as a fresh file system leaves it, and a neighbour to keep out of."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("untouched")
    volume = tmp_path / "volume"
    (volume / "lost+found").mkdir(parents=True)
    return volume


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "file").write_bytes(b"content" * 1000)
    (root / "a" / "program").write_bytes(b"#!/bin/sh\n")
    (root / "a" / "program").chmod(0o751)
    (root / "a" / "up").symlink_to("../top")
    (root / "top").write_bytes(b"t")
    os.link(root / "top", root / "a" / "top-too")
    (root / "nowhere").symlink_to("a/is/not/there")
    with (root / "sparse").open("wb") as file:
        file.seek(20 * MIB)
        file.write(b"end")
        file.truncate(64 * MIB)
    (root / "zeros").write_bytes(bytes(4 * MIB))
    (root / "closed").mkdir()
    (root / "closed" / "file").write_bytes(b"c")
    for path, mode in (("closed", 0o555), ("a/b", 0o700)):
        (root / path).chmod(mode)
    for path in root.rglob("*"):
        os.utime(path, ns=(0, 1_000_000_000_123_456_789), follow_symlinks=False)
    return root


def unpack(data: bytes, volume: Path, **wanted: object) -> Result:
    """Unpack archive bytes from a file."""
    path = volume.with_name("archive")
    path.write_bytes(data)
    return unpack_file(path, volume, **wanted)


def unpack_file(path: Path, volume: Path, **wanted: object) -> Result:
    request = archive.UnpackRequest(source=lambda _: FileSource(path), directory=volume, **wanted)
    return archive.run(request, Meter(), threading.Event())


def facts(root: Path) -> dict[str, tuple[object, ...]]:
    """What matters of every file beneath a folder."""
    found: dict[str, tuple[object, ...]] = {}
    for path in root.rglob("*"):
        status = path.lstat()
        content: object = None
        if stat.S_ISREG(status.st_mode):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        elif path.is_symlink():
            content = path.readlink()
        name = str(path.relative_to(root))
        found[name] = (oct(status.st_mode), status.st_mtime_ns, status.st_nlink, content)
    return found


def left(volume: Path) -> list[str]:
    return sorted(str(path.relative_to(volume)) for path in volume.rglob("*"))


@pytest.mark.parametrize("kind", ["pax", "gnu"])
def test_what_is_unpacked_is_what_gnu_tar_unpacks(kind: str, tree: Path, volume: Path) -> None:
    data = tars.packed(tree, kind)
    by_tar = volume.with_name("by-tar")
    by_tar.mkdir()
    options = ["--preserve-permissions", "--no-same-owner"]
    subprocess.run(["tar", "-C", by_tar, *options, "-xf", "-"], input=data, check=True)
    old = os.umask(0o077)
    try:
        result = unpack(data, volume)
    finally:
        os.umask(old)

    (volume / "lost+found").rmdir()
    assert facts(volume) == facts(by_tar)
    assert result.format == "tar"
    # Of 72 MiB there are a few kilobytes that are not zero.
    assert sum(path.lstat().st_blocks for path in volume.rglob("*")) * 512 < MIB


@pytest.mark.parametrize("compression", TOOLS)
def test_every_compression_is_taken_off(compression: str, tree: Path, volume: Path) -> None:
    data = tars.packed(tree)
    result = unpack(compressed.run(TOOLS[compression], data) if compression else data, volume)

    assert result.compression == (compression or None)
    assert (volume / "a" / "b" / "file").read_bytes() == b"content" * 1000


def test_a_stream_is_as_good_as_a_file(tree: Path, volume: Path) -> None:
    path = volume.with_name("archive")
    path.write_bytes(compressed.run("zstd -q", tars.packed(tree)))
    want = ("sha256", hashlib.sha256(path.read_bytes()).hexdigest())
    with path.open("rb") as file:
        request = archive.UnpackRequest(
            source=lambda halt: StreamSource(file.fileno(), "a stream", halt),
            directory=volume,
            checksum=want,
        )
        result = archive.run(request, Meter(), threading.Event())

    assert result.digest == want
    assert (volume / "top").read_bytes() == b"t"


def test_the_digest_covers_what_follows_the_archive(volume: Path) -> None:
    data = tars.archive(tars.member("file", b"x")) + b"more" * MIB
    want = ("md5", hashlib.md5(data, usedforsecurity=False).hexdigest())

    assert unpack(data, volume, checksum=want).digest == want


def test_an_archive_of_nothing_is_an_archive(volume: Path) -> None:
    unpack(bytes(10240), volume)

    assert left(volume) == ["lost+found"]


def test_what_is_there_is_overwritten_and_the_rest_stays(volume: Path) -> None:
    (volume / "file").write_text("old")
    (volume / "folder").mkdir()
    (volume / "folder" / "kept").write_text("kept")
    (volume / "link").symlink_to("../outside/file")
    (volume / "door").symlink_to("../outside")
    data = tars.archive(
        tars.member("/file", b"new"),
        tars.folder("folder", 0o711),
        tars.member("folder/more", b"more"),
        tars.member("link", b"a file now"),
        tars.member("door/file", b"inside"),
        tars.folder("lost+found", 0o700),
    )
    unpack(data, volume)

    assert (volume / "file").read_text() == "new"
    assert (volume / "folder" / "kept").read_text() == "kept"
    assert stat.S_IMODE((volume / "folder").stat().st_mode) == 0o711
    assert (volume / "link").read_text() == "a file now"
    assert (volume / "door" / "file").read_text() == "inside"
    assert (volume.parent / "outside" / "file").read_text() == "untouched"
    assert HIDDEN not in left(volume)


def test_later_entries_win(volume: Path) -> None:
    data = tars.archive(
        tars.member("twice", b"first"),
        tars.hardlink("same", "twice"),
        tars.member("twice", b"second"),
        tars.folder("becomes-a-link"),
        tars.symlink("becomes-a-link", "twice"),
        tars.symlink("becomes-a-folder", "twice"),
        tars.folder("becomes-a-folder"),
        tars.member("becomes-a-folder/file", b"inside"),
    )
    unpack(data, volume)

    assert (volume / "twice").read_text() == "second"
    assert (volume / "same").read_text() == "first"
    assert (volume / "becomes-a-link").readlink() == Path("twice")
    assert (volume / "becomes-a-folder" / "file").read_text() == "inside"


def test_a_link_to_a_link_is_judged_where_it_lies(volume: Path) -> None:
    deep = [tars.member("top", b"t"), tars.folder("a"), tars.symlink("a/link", "../top")]

    unpack(tars.archive(*deep, tars.folder("b"), tars.hardlink("b/link", "a/link")), volume)
    assert (volume / "b" / "link").read_text() == "t"
    with pytest.raises(errors.UnsafeImage):
        unpack(tars.archive(*deep, tars.hardlink("link", "a/link")), volume)


def test_nobody_gets_a_program_that_runs_as_root(volume: Path) -> None:
    unpack(tars.archive(tars.member("program", b"x", mode=0o6755)), volume)

    mode = stat.S_IMODE((volume / "program").stat().st_mode)
    assert mode == (0o755 if os.geteuid() == 0 else 0o6755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_somebody_who_is_not_root_unpacks_closed_directories(tree: Path) -> None:
    with tempfile.TemporaryDirectory() as name:  # where others may go
        folder = Path(name)
        (folder / "volume").mkdir()
        (folder / "a.tar").write_bytes(tars.packed(tree))
        for each in (folder, *folder.iterdir()):
            os.chown(each, 107, 107)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setuid(107)
                unpack_file(folder / "a.tar", folder / "volume")
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert stat.S_IMODE((folder / "volume" / "closed").stat().st_mode) == 0o555
        assert (folder / "volume" / "closed" / "file").stat().st_uid == 107


LONG = "n" * 300
HOSTILE = {
    "upwards": [tars.member("../outside/file", b"evil")],
    "upwards-inside": [tars.member("a/../../outside/file", b"evil")],
    "folder-upwards": [tars.folder("../outside/new")],
    "through-a-link": [tars.symlink("door", "."), tars.member("door/file", b"evil")],
    "folder-behind-a-link": [tars.symlink("door", "lost+found"), tars.folder("door/new")],
    "link-outside": [tars.symlink("door", "../outside")],
    "link-to-the-parent": [tars.symlink("door", "..")],
    "link-absolute": [tars.symlink("door", "/etc/passwd")],
    "link-back-and-forth": [tars.symlink("here", "."), tars.symlink("door", "here/../../outside")],
    "link-to-nothing": [tars.symlink("door", "")],
    "folder-replaced-by-a-link": [
        tars.folder("door"), tars.symlink("door", "."), tars.member("door/file", b"evil"),
    ],
    "hardlink-outside": [tars.hardlink("door", "../outside/file")],
    "character-device": [tars.member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "block-device": [tars.member("disk", type=tarfile.BLKTYPE, devmajor=8)],
    "pipe": [tars.member("pipe", type=tarfile.FIFOTYPE)],
    "name-too-long": [tars.member(LONG)],
    "path-too-long": [tars.member("/".join(["d" * 200] * 30))],
    "too-deep": [tars.member("/".join("d" * 300))],
    "our-own-folder": [tars.member(f"{HIDDEN}/verified", b"{}")],
    "our-own-folder-by-detour": [tars.member(f"./{HIDDEN}", b"{}")],
}  # fmt: skip
CONTRADICTING = {
    "hardlink-to-nothing": [tars.hardlink("door", "missing")],
    "hardlink-through-a-link": [
        tars.folder("a"), tars.member("a/f"), tars.symlink("door", "a"),
        tars.hardlink("b", "door/f"),
    ],
    "hardlink-to-a-folder": [tars.folder("a"), tars.hardlink("door", "a")],
    "hardlink-ahead": [tars.hardlink("door", "later"), tars.member("later", b"x")],
    "file-is-a-folder": [tars.member("a", b"x"), tars.member("a/b", b"y")],
    "full-folder-becomes-a-file": [tars.member("a/b", b"x"), tars.member("a", b"y")],
    "full-folder-becomes-a-link": [tars.member("a/b", b"x"), tars.symlink("a", ".")],
    "no-name-left": [tars.member("./.", b"x")],
    "nul-in-a-name": [tars.pax(tars.record("path", b"a\0b")), tars.member("x")],
    "sparse-map-overlaps": [
        tars.pax(tars.record("GNU.sparse.size", "4096") + tars.record("GNU.sparse.map", "0,9,5,9")),
        tars.member("sparse", bytes(18)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", [*HOSTILE, *CONTRADICTING])
def test_a_hostile_archive_leaves_nothing_anywhere(name: str, volume: Path) -> None:
    want = errors.UnsafeImage if name in HOSTILE else errors.CorruptImage
    members = {**HOSTILE, **CONTRADICTING}[name]
    before = left(volume.parent)

    with pytest.raises(want):
        unpack(tars.archive(tars.member("harmless", b"h"), *members), volume)

    assert left(volume.parent) == ["archive", *before]
    assert (volume.parent / "outside" / "file").read_text() == "untouched"


def test_a_refusal_names_the_entry(volume: Path) -> None:
    with pytest.raises(errors.UnsafeImage, match='the named pipe "run/pipe" in the archive'):
        unpack(tars.archive(tars.member("run/pipe", type=tarfile.FIFOTYPE)), volume)


def test_many_small_entries_are_nothing_special(volume: Path) -> None:
    members = [tars.member(f"d{number % 50}/{number}") for number in range(5000)]
    unpack(tars.archive(*members), volume)

    assert sum(1 for path in volume.rglob("*") if path.is_file()) == 5000


@pytest.mark.parametrize(
    ("data", "seen"),
    [
        pytest.param(b"<!DOCTYPE html><html>Log in</html>", "a web page", id="page"),
        pytest.param(b"QFI\xfb\0\0\0\3" + bytes(4096), "something that cannot", id="bad-qcow2"),
        pytest.param(bytes(range(256)) * 64, "a raw disk", id="raw"),
        pytest.param(bytes(2 * MIB), "a raw disk", id="zeros"),
    ],
)
def test_what_is_no_archive_is_named(data: bytes, seen: str, volume: Path) -> None:
    with pytest.raises(errors.NotAnArchive, match=f"no tar archive, it looks like {seen}"):
        unpack(data, volume)
    assert left(volume) == ["lost+found"]


def test_a_wrong_checksum_leaves_nothing(tree: Path, volume: Path) -> None:
    with pytest.raises(errors.ChecksumMismatch):
        unpack(tars.packed(tree), volume, checksum=("sha256", "0" * 64))
    assert left(volume) == ["lost+found"]


def test_a_truncated_archive_leaves_nothing(tree: Path, volume: Path) -> None:
    with pytest.raises(errors.TruncatedSource):
        unpack(tars.packed(tree)[:-12_000], volume)
    assert left(volume) == ["lost+found"]


def test_what_cannot_fit_is_refused_before_it_is_written(volume: Path) -> None:
    data = tars.archive(tars.member("a", b"a" * 600_000), tars.member("b", b"b" * 600_000))
    with pytest.raises(errors.TooSmall, match=r"1200000 is larger than .* 1000000"):
        unpack(data, volume, limit=1_000_000)
    assert left(volume) == ["lost+found"]


def test_an_absurd_size_is_refused_by_the_room_there_is(volume: Path) -> None:
    data = tars.archive(
        tars.patched(tars.member("huge"), 124, b"\x80" + (1 << 60).to_bytes(11, "big"))
    )
    with pytest.raises(errors.TooSmall):
        unpack(data, volume)


def test_somebody_else_is_not_disturbed(volume: Path) -> None:
    with Partial(volume), pytest.raises(errors.TargetFailed, match="another import"):
        unpack(tars.archive(tars.member("a")), volume)


class Stopping(FileSource):
    """A source after whose first megabyte somebody asks us to stop."""

    def __init__(self, path: Path, cancel: threading.Event) -> None:
        super().__init__(path)
        self._cancel = cancel

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        for piece in super().stream(start, end):
            yield piece
            if start + len(piece) > MIB:
                self._cancel.set()


def test_a_run_that_was_stopped_begins_anew(tmp_path: Path, volume: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(tars.archive(*[tars.member(str(n), b"x" * MIB) for n in range(40)]))
    cancel = threading.Event()
    request = archive.UnpackRequest(lambda _: Stopping(path, cancel), volume)
    with pytest.raises(errors.Cancelled):
        archive.run(request, Meter(), cancel)
    assert set(left(volume)) - {"lost+found"} <= {HIDDEN, f"{HIDDEN}/tree"} | {
        f"{HIDDEN}/tree/{number}" for number in range(40)
    }

    assert unpack_file(path, volume).resumed is False
    assert len(left(volume)) == 41


@pytest.mark.parametrize("moved", [0, 1, 4])
def test_a_kill_while_entries_move_costs_no_second_fetch(
    moved: int, tree: Path, volume: Path
) -> None:
    path = volume.with_name("archive")
    path.write_bytes(tars.packed(tree))
    request = archive.UnpackRequest(lambda _: FileSource(path), volume)
    with Partial(volume) as partial, FileSource(path) as source:
        attempt.prepare(request, source, partial, Meter(), threading.Event())
        assert left(volume)[0] == HIDDEN
        for each in sorted((volume / HIDDEN / "tree").iterdir())[:moved]:
            each.rename(volume / each.name)

    result = archive.run(request, Meter(), threading.Event())

    assert (result.resumed, result.fetched) == (True, 0)
    (volume / "lost+found").rmdir()
    assert facts(volume) == facts(tree)


def test_what_another_archive_left_is_removed(tree: Path, volume: Path) -> None:
    with Partial(volume) as partial:
        partial.begin()
        (volume / HIDDEN / "tree" / "stale").write_text("stale")
        partial.commit({"source": Identity("file:///other").location}, {})

    assert unpack(tars.packed(tree), volume).resumed is False
    assert "stale" not in left(volume)
