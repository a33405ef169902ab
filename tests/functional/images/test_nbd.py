"""Disks over NBD: real servers for what they do, and one of ours for what they never would."""

from __future__ import annotations

import ctypes
import itertools
import random
import shutil
import struct
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cdi.images import errors
from cdi.images.confined import nbdkit
from cdi.images.http import retry
from cdi.images.sources import nbd
from cdi.images.sources.nbd import prepare
from cdi.images.sources.source import Extent, Mapped, read
from cdi.images.transfer import transfer
from cdi.images.transfer.meter import Meter
from cdi.images.transfer.request import TransferRequest
from support import disks, importing, nbdserver

MIB = 1 << 20
SIZE = 24 * MIB
IMPATIENT = nbd.Settings(
    stall=0.3, retries=retry.Policy(tries=3, opening_tries=2, base=0.0), rng=lambda: 0.0
)
needs_nbdkit = pytest.mark.skipif(not shutil.which("nbdkit"), reason="needs nbdkit")
# Landlock's "which version" call; -1 where the kernel has none.
LANDLOCK = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1)
needs_landlock = pytest.mark.skipif(LANDLOCK < 1, reason="the kernel has no Landlock")
needs_qemu_nbd = pytest.mark.skipif(not shutil.which("qemu-nbd"), reason="needs qemu-nbd")


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return disks.raw_disk(tmp_path_factory.mktemp("nbd") / "disk.raw", SIZE)


@contextmanager
def served(
    plugin: str, *parameters: str, settings: nbd.Settings = IMPATIENT, **more: Any
) -> Iterator[nbd.NbdSource]:
    command = nbdkit.Command(plugin, parameters, **more)
    with (
        nbdkit.serving(command, threading.Event()) as server,
        behind(server, settings) as source,
    ):
        yield source


def behind(server: nbdkit.Server, settings: nbd.Settings = IMPATIENT) -> nbd.NbdSource:
    return nbd.NbdSource(lambda: nbd.dial_unix(server.socket()), "nbd:test", settings)


def opened(server: Any, settings: nbd.Settings = IMPATIENT) -> nbd.NbdSource:
    return nbd.NbdSource(server.dial, "nbd:test", settings)


def covered(extents: list[Extent], content: bytes) -> None:
    """They cover all of a disk, adjacent ones differ, and zero ones are zero."""
    assert [extents[0].start, extents[-1].end] == [0, len(content)]
    for left, right in itertools.pairwise(extents):
        assert left.end == right.start
        assert left.zero != right.zero
    assert not any(any(content[one.start : one.end]) for one in extents if one.zero)


# Real servers.


@needs_nbdkit
def test_a_file_behind_nbdkit_is_read_whole_in_parts_and_by_many(disk: Path) -> None:
    content = disk.read_bytes()
    rng = random.Random(2)
    with served("file", str(disk), read=[disk]) as source:
        assert isinstance(source, Mapped)
        assert b"".join(source.stream()) == content
        places = [rng.randrange(SIZE) for _ in range(40)]
        ranges = [(at, rng.randrange(min(SIZE - at, 3 * MIB))) for at in places]
        with ThreadPoolExecutor(8) as pool:
            found = pool.map(lambda one: read(source, *one), ranges)
            assert list(found) == [content[at : at + length] for at, length in ranges]
        extents = list(source.extents())
        covered(extents, content)
        assert sum(one.zero for one in extents) > 1


@needs_nbdkit
@pytest.mark.parametrize(
    ("filters", "parameters"),
    [
        pytest.param(["noextents"], [], id="no-extents"),
        pytest.param(["error"], ["error-extents-rate=100%"], id="no-block-status"),
    ],
)
def test_what_is_not_known_is_data(disk: Path, filters: list[str], parameters: list[str]) -> None:
    with served("file", str(disk), *parameters, filters=filters, read=[disk]) as source:
        assert list(source.extents()) == [Extent(0, SIZE)]
        assert b"".join(source.stream()) == disk.read_bytes()


@needs_nbdkit
def test_an_error_of_the_disk_is_told_in_the_servers_words(disk: Path) -> None:
    parameters = ["error-pread-rate=100%", "error=EIO"]
    explained: list[errors.SourceError] = []

    def explain(error: errors.SourceError) -> errors.TransferError:
        explained.append(error)
        return errors.AccessDenied("explained")

    settings = replace(IMPATIENT, explain=explain)
    more: dict[str, Any] = {"filters": ["error"], "read": [disk], "settings": settings}
    with (
        served("file", str(disk), *parameters, **more) as source,
        pytest.raises(errors.AccessDenied, match="explained"),
    ):
        read(source, 0, 4096)
    assert "input/output error" in str(explained[0]).lower()


@needs_nbdkit
def test_blocks_that_must_be_aligned_can_be_read_anywhere(disk: Path) -> None:
    parameters = ["blocksize-minimum=4096", "blocksize-maximum=64K", "blocksize-error-policy=error"]
    content = disk.read_bytes()
    with served(
        "file", str(disk), *parameters, filters=["blocksize-policy"], read=[disk]
    ) as source:
        assert read(source, 4095, 200_000) == content[4095:204_095]
        covered(list(source.extents()), content)


@needs_nbdkit
def test_a_transfer_takes_a_disk_without_its_holes(disk: Path, tmp_path: Path) -> None:
    with served("file", str(disk), read=[disk]) as source:
        order = TransferRequest(source=lambda _: source, target=tmp_path / "disk.img", as_is=True)
        result = transfer.run(order, Meter(), threading.Event())
    assert disks.differs(disk, tmp_path / "disk.img") == ""
    assert result.fetched < 1.2 * disks.nonzero_bytes(disk)


@needs_nbdkit
def test_a_delay_longer_than_the_patience_is_a_stall(disk: Path) -> None:
    more: dict[str, Any] = {"filters": ["delay"], "read": [disk]}
    with (
        served("file", str(disk), "rdelay=20", **more) as source,
        pytest.raises(errors.Stalled, match=r"nothing moved for 0\.3 s"),
    ):
        read(source, 0, 4096)


@needs_nbdkit
def test_a_plugin_that_cannot_start_says_why() -> None:
    command = nbdkit.Command("file", ["/nowhere/disk"], options=["--verbose"])
    with (
        pytest.raises(errors.SourceUnavailable, match="/nowhere/disk"),
        nbdkit.serving(command, threading.Event()),
    ):
        pass


@needs_nbdkit
@needs_landlock
def test_the_plugin_sees_nothing_but_what_it_is_given(disk: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"secret")
    command = nbdkit.Command("file", [str(other)], read=[disk])
    with nbdkit.serving(command, threading.Event()) as server:
        with pytest.raises(errors.SourceError):
            behind(server)
        assert "Permission denied" in server.last_words()


@needs_qemu_nbd
def test_qemu_nbd_is_understood_too(disk: Path, tmp_path: Path) -> None:
    image, path = disks.convert(disk, "qcow2"), tmp_path / "s"
    ready = [
        "qemu-nbd", "-r", "-f", "qcow2", "-k", path, "--shared=4", "--fork",
        f"--pid-file={tmp_path / 'pid'}", image,
    ]  # fmt: skip
    subprocess.run(ready, check=True)
    with nbd.NbdSource(lambda: nbd.dial_unix(path), "nbd:test", IMPATIENT) as source:
        assert b"".join(source.stream()) == disk.read_bytes()
        covered(list(source.extents()), disk.read_bytes())
    # Without clients it ends.


@needs_qemu_nbd
def test_a_server_is_named_on_the_command_line(disk: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    ready = ["qemu-nbd", "-r", "-f", "raw", "-x", "a b", "-k", path, "--shared=4", "--fork", disk]
    subprocess.run(ready, check=True)
    seen = importing.run(f"nbd+unix:///a%20b?socket={path}", tmp_path / "disk.img")
    assert seen.status == 0, seen.output + seen.errors
    assert disks.differs(disk, tmp_path / "disk.img") == ""


@pytest.mark.parametrize("url", ["nbd+unix:///", "nbd+unix://host/?socket=a", "nbd+unix:///?x=1"])
def test_a_server_without_a_socket_is_refused(url: str) -> None:
    with pytest.raises(errors.InvalidRequest, match="socket=PATH"):
        prepare.parse_url(url)


# A server that does as it is told.

CONTENT = random.Random(1).randbytes(300_000)


def cut(server: nbdserver.Server, request: nbdserver.Request) -> nbdserver.Pieces:
    whole = nbdserver.well(server, request)[0]
    assert isinstance(whole, bytes)
    return [whole[: len(whole) // 2], nbdserver.CUT]


def stall(server: nbdserver.Server, request: nbdserver.Request) -> nbdserver.Pieces:
    return [b"", nbdserver.STALL]


def failed(server: nbdserver.Server, request: nbdserver.Request) -> nbdserver.Pieces:
    return [nbdserver.error(request, 5, "the disk is tired")]


@pytest.mark.parametrize("twist", [cut, stall, failed])
def test_one_bad_reply_is_asked_for_again(twist: nbdserver.Reply) -> None:
    with nbdserver.Server(CONTENT, nbdserver.once(twist)) as server, opened(server) as source:
        assert read(source, 10, 200_000) == CONTENT[10:200_010]


@pytest.mark.parametrize(
    ("twist", "error"),
    [
        (cut, errors.ConnectionLost),
        (stall, errors.Stalled),
        (failed, errors.SourceUnavailable),
    ],
)
def test_bad_replies_without_end_are_final(
    twist: nbdserver.Reply, error: type[errors.SourceError]
) -> None:
    with nbdserver.Server(CONTENT, twist) as server, opened(server) as source:
        with pytest.raises(error):
            read(source, 0, 1000)
        assert len(server.requests) == 3


def pieces_in_any_order(server: nbdserver.Server, request: nbdserver.Request) -> nbdserver.Pieces:
    half = request.length // 2
    at, middle = request.offset, request.offset + half
    return [
        nbdserver.data(request, middle, CONTENT[middle : at + request.length], done=False),
        nbdserver.data(request, at, CONTENT[at:middle], done=False),
        nbdserver.chunk(request, 0, b""),
    ]


def test_a_reply_may_come_in_any_order() -> None:
    with nbdserver.Server(CONTENT, pieces_in_any_order) as server, opened(server) as source:
        assert b"".join(source.stream()) == CONTENT


def test_a_hole_reads_as_zeros() -> None:
    def hole(_: nbdserver.Server, request: nbdserver.Request) -> nbdserver.Pieces:
        return [nbdserver.chunk(request, 2, struct.pack(">QI", request.offset, request.length))]

    with nbdserver.Server(CONTENT, hole) as server, opened(server) as source:
        assert read(source, 5, 1000) == bytes(1000)


def test_a_server_without_structured_replies_is_read_whole() -> None:
    with nbdserver.Server(CONTENT, structured=False) as server, opened(server) as source:
        assert b"".join(source.stream()) == CONTENT
        assert list(source.extents()) == [Extent(0, len(CONTENT))]


@pytest.mark.parametrize(("flags", "most"), [(0x3, 1), (0x3 | 1 << 8, 4)])
def test_connections_are_as_many_as_the_server_takes(flags: int, most: int) -> None:
    with nbdserver.Server(CONTENT, flags=flags) as server, opened(server) as source:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda at: read(source, at * 1000, 1000), range(200)))
        assert 1 <= server.dialled <= most


def test_adjacent_parts_of_one_kind_are_one_extent() -> None:
    def parts(_: nbdserver.Server, request: nbdserver.Request) -> nbdserver.Pieces:
        # A hole of unknown content, data, zeros in two parts, the last beyond what was asked.
        told = [(1000, 1), (500, 0), (2000, 2), (1 << 30, 3)]
        return [nbdserver.status(request, told)]

    with nbdserver.Server(CONTENT, parts) as server, opened(server) as source:
        assert list(source.extents()) == [Extent(0, 1500), Extent(1500, len(CONTENT), zero=True)]


def spoilt(kind: int, body: bytes, **changes: int) -> nbdserver.Reply:
    def reply(_: nbdserver.Server, request: nbdserver.Request) -> nbdserver.Pieces:
        return [nbdserver.chunk(replace(request, **changes), kind, body)]

    return reply


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(lambda *_: [b"\0" * 64], id="no-magic"),
        pytest.param(spoilt(1, b"\0" * 8 + b"x", cookie=99), id="another-request"),
        pytest.param(spoilt(1, struct.pack(">Q", 1 << 40) + b"x"), id="data-far-away"),
        pytest.param(spoilt(1, struct.pack(">Q", 0) + b"x" * 5000), id="more-than-asked"),
        pytest.param(spoilt(1, struct.pack(">Q", 0)), id="no-data"),
        pytest.param(spoilt(1, struct.pack(">Q", 0) + b"x"), id="less-than-asked"),
        pytest.param(spoilt(2, struct.pack(">QI", 0, 1 << 31)), id="hole-beyond"),
        pytest.param(spoilt(2, b""), id="hole-without-bounds"),
        pytest.param(spoilt(77, b""), id="unknown-chunk"),
        pytest.param(spoilt(0x8001, b"x"), id="error-without-number"),
    ],
)
def test_a_reply_that_breaks_the_protocol_is_refused(reply: nbdserver.Reply) -> None:
    with nbdserver.Server(CONTENT, reply) as server, opened(server) as source:
        with pytest.raises(errors.SourceRefused, match="breaks the NBD protocol"):
            read(source, 0, 4096)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\0\0\0\1", id="no-parts"),
        pytest.param(b"\0\0\0\2" + bytes(7) + b"\1" + b"\0", id="odd-length"),
        pytest.param(struct.pack(">III", 9, 4096, 0), id="another-context"),
        pytest.param(struct.pack(">III", 1, 0, 0), id="empty-part"),
    ],
)
def test_a_block_status_that_breaks_the_protocol_is_refused(body: bytes) -> None:
    with (
        nbdserver.Server(CONTENT, spoilt(5, body)) as server,
        opened(server) as source,
        pytest.raises(errors.SourceRefused, match="breaks the NBD protocol"),
    ):
        list(source.extents())


def export(size: int, flags: int = 3) -> tuple[int, bytes]:
    return 3, struct.pack(">HQH", 0, size, flags)


ACK = (1, b"")
FAIL = 1 << 31


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"greeting": b"HTTP/1.1 200 OK\r\n."}, errors.SourceRefused, id="no-nbd"),
        pytest.param({"go": [ACK]}, errors.SourceRefused, id="no-size"),
        pytest.param({"go": [export(1 << 63), ACK]}, errors.SourceRefused, id="absurd-size"),
        pytest.param({"go": [(3, b"\0\0x")]}, errors.SourceRefused, id="short-information"),
        pytest.param(
            {"go": [export(1), (3, struct.pack(">HIII", 3, 3, 4, 5)), ACK]},
            errors.SourceRefused,
            id="odd-blocks",
        ),
        pytest.param({"go": [(FAIL | 6, b"no such")]}, errors.NotFound, id="no-such-export"),
        pytest.param({"go": [(FAIL | 2, b"")]}, errors.AccessDenied, id="forbidden"),
        pytest.param({"go": [(FAIL | 5, b"")]}, errors.SourceRefused, id="wants-tls"),
        pytest.param({"go": [(9, b"x" * 70_000)]}, errors.SourceRefused, id="absurd-length"),
    ],
)
def test_a_handshake_that_goes_wrong_has_a_reason(
    changes: dict[str, Any], error: type[errors.SourceError]
) -> None:
    with nbdserver.Server(CONTENT, **changes) as server, pytest.raises(error):
        opened(server)


def test_a_disk_that_changes_its_size_is_not_read_on() -> None:
    with nbdserver.Server(CONTENT, nbdserver.once(cut)) as server, opened(server) as source:
        server.content = CONTENT[:1000]
        with pytest.raises(errors.SourceChanged):
            read(source, 0, 100)


def test_a_wait_ends_when_it_is_cancelled() -> None:
    cancel = threading.Event()

    def stalling(_: nbdserver.Server, request: nbdserver.Request) -> nbdserver.Pieces:
        cancel.set()
        return [nbdserver.STALL]

    patient = replace(IMPATIENT, stall=600.0)
    with nbdserver.Server(CONTENT, stalling) as server:
        source = nbd.NbdSource(server.dial, "nbd:test", patient, cancel=cancel)
        with source, pytest.raises(errors.Cancelled):
            read(source, 0, 100)
