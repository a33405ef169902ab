"""
The hostile corpus through the whole import: refused before any tool runs, the target untouched.

A stand-in for qemu-img comes first on PATH, and it is noted when it is started. The canary is a
file of this machine that images name in every way that a format has; its bytes must never arrive.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from cdi.images import errors
from cdi.images.sources.file import FileSource
from cdi.images.sources.stream import StreamSource
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from support import appliances, corpus, hostile

MIB = 1 << 20
LIMIT = 32 * MIB  # what the target may become
CANARY = random.Random(99).randbytes(64 << 10)
QEMU_IMG = shutil.which("qemu-img") or ""  # the real one
OLD = b"what was there before"


@pytest.fixture(scope="module")
def started() -> list[str]:
    """Every program that this process starts, whoever starts it: its command line."""
    seen: list[str] = []
    events = {"subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"}
    sys.addaudithook(lambda event, told: seen.append(repr(told)) if event in events else None)
    return seen


class Tool:
    """A stand-in for qemu-img. It is confined like the real one, so that others note its runs."""

    def __init__(self, path: Path, started: list[str]) -> None:
        self._path, self._started, self._before = path, started, len(started)
        path.write_text("#!/bin/sh\nexit 1\n")
        path.chmod(0o755)

    @property
    def ran(self) -> bool:
        return any(str(self._path) in one for one in self._started[self._before :])


@pytest.fixture
def tool(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, started: list[str]
) -> Tool:
    folder = tmp_path_factory.mktemp("tools")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return Tool(folder / "qemu-img", started)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Where the target lies, which has an older disk in it; nothing else may be left there."""
    folder = tmp_path / "target"
    folder.mkdir()
    (folder / "disk.img").write_bytes(OLD)
    yield folder
    assert [path.name for path in folder.iterdir()] == ["disk.img"]
    assert (folder / "disk.img").read_bytes() == OLD


def run(path: Path, folder: Path, streamed: bool = False, limit: int | None = LIMIT) -> None:
    """Import an image, with a place for temporary copies."""
    with path.open("rb") as file:
        transfer.run(
            TransferRequest(
                source=(
                    (lambda halt: StreamSource(file.fileno(), "a pipe", halt))
                    if streamed
                    else (lambda _: FileSource(path))
                ),
                target=folder / "disk.img",
                scratch=folder / "scratch" if not streamed else None,
                limit=limit,
            ),
            Meter(),
            threading.Event(),
        )


def test_the_stand_in_is_what_a_sound_image_would_run(tmp_path: Path, tool: Tool) -> None:
    (tmp_path / "image").write_bytes(hostile.vdi())
    with pytest.raises(errors.TransferError):
        run(tmp_path / "image", tmp_path)
    assert tool.ran


@pytest.mark.parametrize(("build", "reason"), corpus.HOSTILE)
def test_a_hostile_image_is_refused_before_any_tool_runs(
    build: Callable[[], bytes],
    reason: type[errors.TransferError],
    folder: Path,
    tmp_path: Path,
    tool: Tool,
) -> None:
    path = tmp_path / "image"
    path.write_bytes(build())
    with pytest.raises(reason):
        run(path, folder)
    assert not tool.ran


@pytest.mark.parametrize(("build", "reason"), corpus.HOSTILE)
def test_a_hostile_stream_is_refused_before_any_tool_runs(
    build: Callable[[], bytes],
    reason: type[errors.TransferError],
    folder: Path,
    tmp_path: Path,
    tool: Tool,
) -> None:
    path = tmp_path / "image"
    path.write_bytes(build())
    # Without a place for a copy, what only its end or its tables betray asks for one.
    with pytest.raises((errors.ContentError, errors.NeedsScratch, errors.TooSmall)):
        run(path, folder, streamed=True)
    assert not tool.ran


ZEROS = bytes(40 * MIB)
NOISE = random.Random(4).randbytes(MIB)


def absurd_window() -> bytes:
    """A frame that wants a GiB of memory, and does not tell its length."""
    wide = zstandard.ZstdCompressionParameters(window_log=30)
    squeeze = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    return squeeze.compress(NOISE) + squeeze.flush()


PACKED = [
    pytest.param(lambda: gzip.compress(ZEROS, 1), errors.TooSmall, id="gz-bomb"),
    pytest.param(lambda: lzma.compress(ZEROS, preset=0), errors.TooSmall, id="xz-bomb"),
    pytest.param(lambda: zstandard.compress(ZEROS), errors.TooSmall, id="zst-bomb"),
    pytest.param(lambda: bz2.compress(ZEROS, 1), errors.TooSmall, id="bz2-bomb"),
    pytest.param(
        lambda: gzip.compress(gzip.compress(gzip.compress(ZEROS, 1))),
        errors.UnsupportedFormat,
        id="gz-in-gz-in-gz",
    ),
    pytest.param(
        lambda: b"\x1f\x8b\x08" + bytes(7) + NOISE, errors.CorruptImage, id="gz-then-garbage"
    ),
    pytest.param(lambda: b"\xfd7zXZ\0" + NOISE, errors.ContentError, id="xz-then-garbage"),
    pytest.param(lambda: b"\x28\xb5\x2f\xfd" + NOISE, errors.ContentError, id="zst-then-garbage"),
    pytest.param(lambda: gzip.compress(NOISE)[:-9], errors.TruncatedSource, id="gz-cut"),
    pytest.param(lambda: lzma.compress(NOISE)[:-9], errors.ContentError, id="xz-cut"),
    pytest.param(lambda: zstandard.compress(NOISE)[:-9], errors.TruncatedSource, id="zst-cut"),
    pytest.param(
        lambda: hostile.put(gzip.compress(NOISE), 500_000, b"xxxx"),
        errors.CorruptImage,
        id="gz-damaged",
    ),
    pytest.param(
        absurd_window,
        errors.ContentError,
        id="zst-absurd-window",
    ),
    pytest.param(
        lambda: gzip.compress(hostile.qcow2(backing=b"/etc/passwd")),
        errors.UnsafeImage,
        id="gz-of-qcow2-with-backing-file",
    ),
    pytest.param(
        lambda: lzma.compress(corpus.FLAT), errors.UnsafeImage, id="xz-of-a-vmdk-descriptor"
    ),
    pytest.param(
        lambda: gzip.compress(hostile.qed(features=1, backing=b"/etc/passwd")),
        errors.UnsafeImage,
        id="gz-of-qed-with-backing-file",
    ),
    pytest.param(lambda: appliances.appliance({}), errors.NotADisk, id="ova-without-disk"),
    pytest.param(
        lambda: appliances.appliance({"disk.vmdk": corpus.FLAT}),
        errors.UnsafeImage,
        id="ova-of-a-vmdk-descriptor",
    ),
    pytest.param(
        lambda: gzip.compress(
            appliances.appliance({"disk.vmdk": hostile.qcow2(backing=b"/etc/passwd")})
        ),
        errors.UnsafeImage,
        id="gz-of-ova-of-qcow2-with-backing-file",
    ),
    pytest.param(lambda: b"PK\x03\x04" + NOISE, errors.UnsupportedFormat, id="zip"),
    pytest.param(lambda: b"7z\xbc\xaf\x27\x1c" + NOISE, errors.UnsupportedFormat, id="7z"),
    pytest.param(lambda: b"!<arch>\n" + NOISE, errors.UnsupportedFormat, id="deb"),
    pytest.param(lambda: b"<html><body>log in</body>" * 99, errors.NotADisk, id="web-page"),
    pytest.param(lambda: b'{"error": "no such image"}', errors.NotADisk, id="json"),
    pytest.param(lambda: b"", errors.NotADisk, id="nothing"),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["file", "stream"])
@pytest.mark.parametrize(("build", "reason"), PACKED)
def test_bombs_garbage_and_archives_are_refused(
    build: Callable[[], bytes],
    reason: type[errors.TransferError],
    streamed: bool,
    folder: Path,
    tmp_path: Path,
    tool: Tool,
) -> None:
    path = tmp_path / "image"
    path.write_bytes(build())
    with pytest.raises(reason):
        run(path, folder, streamed)
    assert not tool.ran


# Every way to name another file.


def described(extent: str, kind: str = "monolithicFlat") -> Callable[[Path], bytes]:
    """A descriptor, as a file of its own, whose extent line names the canary."""
    return lambda canary: hostile.descriptor(kind=kind, extents=extent.format(canary))


def embedded(extent: str, kind: str = "monolithicSparse", **more: str) -> Callable[[Path], bytes]:
    def build(canary: Path) -> bytes:
        filled = {key: value.format(canary) for key, value in more.items()}
        text = hostile.descriptor(kind=kind, extents=extent.format(canary), **filled)
        return hostile.vmdk(text=text)

    return build


def qcow2_naming(name: str) -> Callable[[Path], bytes]:
    return lambda canary: hostile.qcow2(backing=name.format(canary).encode())


def qcow2_data_file(name: str) -> Callable[[Path], bytes]:
    return lambda canary: hostile.qcow2(
        incompatible=4, extensions=((0x44415441, name.format(canary).encode()),)
    )


def vhd_child(canary: Path) -> bytes:
    """A differencing disk: the parent's name in UTF-16, and a locator with its path."""
    raw = hostile.vhd(kind=4, parent=str(canary).encode("utf-16-be"))
    locator = struct.pack(">4sIII4xQ", b"W2ru", 512, len(str(canary)) * 2, 0, 1 << 16)
    return hostile.put(
        hostile.put(raw, 512 + 576, locator), 1 << 16, str(canary).encode("utf-16-le")
    )


def vhdx_child(canary: Path) -> bytes:
    key, value = "relative_path".encode("utf-16-le"), str(canary).encode("utf-16-le")
    head = bytes(16) + struct.pack("<HHIIHH", 0, 1, 32, 32 + len(key), len(key), len(value))
    locator = (hostile.LOCATOR, head + key + value)
    return hostile.vhdx(metadata=hostile.vhdx_metadata(flags=2, more=(locator,)))


def by_qemu(*command: str) -> Callable[[Path], bytes]:
    """An image that qemu-img itself makes beside the canary."""

    def build(canary: Path) -> bytes:
        made = canary.with_name("made")
        words = [word.format(canary=canary, made=made) for word in command]
        subprocess.run([QEMU_IMG, *words], check=True, capture_output=True)
        raw = made.read_bytes()
        made.unlink()
        return raw

    return build


FILE_JSON = 'json:{{"driver":"raw","file":{{"driver":"file","filename":"{}"}}}}'
NAMING = {
    "qcow2 backing file": qcow2_naming("{}"),
    "qcow2 backing file: URL": qcow2_naming("file:{}"),
    "qcow2 backing json": qcow2_naming(FILE_JSON),
    "qcow2 backing through a protocol": qcow2_naming("fat:rw:{}"),
    "qcow2 backing by qemu-img": by_qemu(
        "create", "-q", "-f", "qcow2", "-b", "{canary}", "-F", "raw", "{made}"
    ),
    "qcow2 data file": qcow2_data_file("{}"),
    "qcow2 data file json": qcow2_data_file(FILE_JSON),
    "qcow2 data file by qemu-img": by_qemu(
        "create", "-q", "-f", "qcow2", "-o", "data_file={canary}.x,data_file_raw=on", "{made}", "1M"
    ),
    "vmdk flat extent": described('RW 128 FLAT "{}" 0'),
    "vmdk vmfs extent": described('RW 128 VMFS "{}"', "vmfs"),
    "vmdk raw device extent": described('RW 128 FLAT "{}" 0', "fullDevice"),
    "vmdk sparse extent": described('RW 128 SPARSE "{}"', "twoGbMaxExtentSparse"),
    "vmdk embedded flat extent": embedded('RW 2048 FLAT "{}" 0'),
    "vmdk embedded flat type": embedded('RW 2048 FLAT "{}" 0', "monolithicFlat"),
    "vmdk embedded sparse extent": embedded('RW 2048 SPARSE "{}"'),
    "vmdk embedded second extent": embedded('RW 2048 SPARSE "a"\nRW 128 FLAT "{}" 0'),
    "vmdk parent": embedded(
        'RW 2048 SPARSE "a"', parent='parentCID=00000001\nparentFileNameHint="{}"'
    ),
    "vmdk parent hint alone": embedded(
        'RW 2048 SPARSE "a"', parent='parentCID=ffffffff\nparentFileNameHint="{}"'
    ),
    "vmdk flat extent in an appliance": lambda canary: appliances.appliance(
        {"disk.vmdk": hostile.descriptor(extents=f'RW 128 FLAT "{canary}" 0').ljust(2048)}
    ),
    "vhd parent locator": vhd_child,
    "vhdx parent locator": vhdx_child,
    "qed backing file": lambda canary: hostile.qed(features=1, backing=str(canary).encode()),
    "qed raw backing file": lambda canary: hostile.qed(features=5, backing=str(canary).encode()),
    "qcow backing file": lambda canary: hostile.qcow(backing=str(canary).encode()),
    "qed backing by qemu-img": by_qemu(
        "create", "-q", "-f", "qed", "-b", "{canary}", "-F", "raw", "{made}"
    ),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["file", "stream"])
@pytest.mark.parametrize("name", NAMING)
def test_a_named_file_never_arrives(
    name: str, streamed: bool, folder: Path, tmp_path: Path, tool: Tool
) -> None:
    canary, path = tmp_path / "canary", tmp_path / "image"
    canary.write_bytes(CANARY)
    path.write_bytes(NAMING[name](canary))
    with pytest.raises((errors.UnsafeImage, errors.NeedsScratch)):
        run(path, folder, streamed)
    assert not tool.ran
    everything = [one for one in tmp_path.rglob("*") if one.is_file() and one != canary]
    assert all(CANARY[:512] not in one.read_bytes() for one in everything)


@pytest.mark.parametrize("name", NAMING)
def test_a_named_file_is_refused_for_that_reason(name: str, folder: Path, tmp_path: Path) -> None:
    canary, path = tmp_path / "canary", tmp_path / "image"
    canary.write_bytes(CANARY)
    path.write_bytes(gzip.compress(NAMING[name](canary), 1))
    with pytest.raises(errors.UnsafeImage) as refused:
        run(path, folder)
    assert refused.value.reason == "UnsafeImage"
