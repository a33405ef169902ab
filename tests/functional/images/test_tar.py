"""The tar reader agrees with GNU tar and Python's, and believes nothing that is nonsense."""

from __future__ import annotations

import io
import os
import random
import tarfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from cdi.images import errors
from cdi.images.formats import tar
from cdi.images.formats.tar import Entry, Kind
from support import tars

KIB, MIB = 1 << 10, 1 << 20


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of every kind, some with holes."""
    root = tmp_path_factory.mktemp("tree")
    (root / "inner").mkdir()
    (root / "inner" / "small").write_bytes(b"small")
    (root / "empty").touch()
    (root / "ünïcode").write_bytes(b"u" * 512)
    with (root / "holes").open("wb") as file:
        for number in range(60):  # more than an old GNU header holds
            file.seek(number * 64 * KIB)
            file.write(bytes([number + 1]) * 4 * KIB)
        file.truncate(5 * MIB + 1)
    (root / "link").symlink_to("inner/small")
    os.link(root / "inner" / "small", root / "other-name")
    os.utime(root / "empty", ns=(0, 981173106_789000000))
    return root


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def contents(data: bytes, piece: int = 100_000) -> dict[str, tuple[Entry, bytes]]:
    walker = tar.Walker(pieces(data, piece))
    found = {}
    for entry in walker:
        content = bytearray(entry.size)
        for offset, part in walker.placed():
            content[offset : offset + len(part)] = part
        found[entry.name] = (entry, bytes(content))
    return found


def at_random(data: bytes) -> list[Entry]:
    return list(tar.walk_at(lambda offset, length: data[offset : offset + length], len(data)))


@pytest.mark.parametrize("kind", tars.FORMATS)
def test_every_format_of_gnu_tar_gives_back_its_files(kind: str, tree: Path) -> None:
    found = contents(tars.packed(tree, kind))

    for path in tree.rglob("*"):
        entry, content = found[f"./{path.relative_to(tree)}"]
        if entry.kind is Kind.FILE:
            assert content == path.read_bytes()
            assert entry.mode == path.stat().st_mode & 0o7777
        elif entry.kind is Kind.SYMLINK:
            assert entry.link == str(path.readlink())
        elif entry.kind is Kind.HARDLINK:
            assert (tree / entry.link).samefile(path)
        else:
            assert path.is_dir()
    sparse = kind not in {"v7", "ustar"}
    assert (found["./holes"][0].extents is not None) == sparse
    assert found["./holes"][0].stored == (60 * 4 * KIB if sparse else 5 * MIB + 1)


@pytest.mark.parametrize("kind", tars.FORMATS)
def test_an_archive_reads_the_same_forward_and_at_random(kind: str, tree: Path) -> None:
    data = tars.packed(tree, kind)

    for piece in (1000, 512, 7777, len(data)):
        assert list(tar.Walker(pieces(data, piece))) == at_random(data)


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("seed", range(8))
def test_archives_by_python_are_read_as_it_wrote_them(kind: int, seed: int) -> None:
    chance = random.Random(seed)
    longest = 90 if kind == tarfile.USTAR_FORMAT else 3000
    out, want = io.BytesIO(), []
    with tarfile.open(fileobj=out, mode="w", format=kind) as made:
        for number in range(20):
            info = tarfile.TarInfo(f"{number}-{'n' * chance.randrange(longest)}")
            info.size = chance.choice([0, 1, 511, 512, 513, 5000])
            info.mtime = chance.randrange(1 << 32)
            info.mode, info.uid = chance.randrange(0o10000), chance.randrange(1 << 21)
            content = chance.randbytes(info.size)
            made.addfile(info, io.BytesIO(content))
            want.append((info.name, info.mode, info.uid, info.mtime * 10**9, content))

    found = contents(out.getvalue(), 997)

    got = [(e.name, e.mode, e.uid, e.mtime, content) for e, content in found.values()]
    assert got == want


def test_large_and_negative_numbers_are_read_as_gnu_writes_them() -> None:
    info = tarfile.TarInfo("huge")
    info.size, info.mtime, info.uid = 1 << 40, -5, 1 << 30
    size = len(info.tobuf(tarfile.GNU_FORMAT)) + info.size

    def read(offset: int, length: int) -> bytes:
        head = info.tobuf(tarfile.GNU_FORMAT)
        return head[offset : offset + length].ljust(length, b"\0")

    (entry,) = tar.walk_at(read, size)

    assert (entry.size, entry.mtime, entry.uid) == (1 << 40, -5 * 10**9, 1 << 30)


def test_pax_times_keep_their_fraction(tree: Path) -> None:
    assert contents(tars.packed(tree, "pax"))["./empty"][0].mtime == 981173106_789000000


def test_a_global_header_holds_until_an_entry_says_otherwise() -> None:
    data = tars.archive(
        tars.pax(tars.record("mtime", "7"), b"g"),
        tars.member("first"),
        tars.pax(tars.record("mtime", "8")),
        tars.member("second"),
        tars.member("third"),
    )

    assert [entry.mtime // 10**9 for entry in at_random(data)] == [7, 8, 7]


def test_what_follows_the_end_is_no_business_of_the_reader() -> None:
    data = tars.archive(tars.member("a", b"A")) + b"garbage" * 1000

    assert [entry.name for entry in at_random(data)] == ["a"]
    assert list(contents(data)) == ["a"]


def test_data_that_is_not_read_is_skipped() -> None:
    walker = tar.Walker(
        pieces(tars.archive(tars.member("a", b"A" * 3000), tars.member("b", b"B")), 700)
    )

    next(walker)
    assert next(walker.data()) != b""
    assert next(walker).name == "b"
    assert b"".join(walker.data()) == b"B"


def test_reading_at_random_leaves_the_data_alone() -> None:
    data = tars.archive(*[tars.member(str(number), bytes(4 * MIB)) for number in range(4)])
    asked: list[int] = []

    def read(offset: int, length: int) -> bytes:
        asked.append(length)
        return data[offset : offset + length]

    assert len(list(tar.walk_at(read, len(data)))) == 4
    assert sum(asked) <= 5 * 64 * KIB


@pytest.mark.parametrize("kind", ["oldgnu", "pax"])
def test_an_archive_cut_anywhere_but_between_entries_is_truncated(kind: str, tree: Path) -> None:
    data = tars.packed(tree, kind)
    ends = {0, *(e.start + -(-e.stored // 512) * 512 for e in at_random(data))}
    cuts = [cut for cut in range(256, max(ends), 4096 + 512) if cut not in ends]

    for cut in cuts:
        with pytest.raises(errors.TruncatedSource):
            contents(data[:cut])
        with pytest.raises(errors.TruncatedSource):
            at_random(data[:cut])


def sparse(*records: bytes, data: bytes = b"d" * 1024) -> bytes:
    return tars.archive(tars.pax(b"".join(records)), tars.member("s", data))


def map_01(text: str, size: int = 4096) -> bytes:
    return sparse(tars.record("GNU.sparse.size", str(size)), tars.record("GNU.sparse.map", text))


def map_10(text: bytes) -> bytes:
    head = [("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", "4096")]
    return sparse(*(tars.record(*each) for each in head), data=tars.padded(text) + b"d" * 1024)


PLAIN = tars.member("plain", b"x")
NONSENSE = {
    "checksum": PLAIN[:148] + b"0000000\0" + PLAIN[156:] + tars.END,
    "negative-size": tars.archive(tars.patched(PLAIN, 124, b"\xff" * 12)),
    "absurd-size": tars.archive(tars.patched(PLAIN, 124, b"\x80" + b"\x7f" * 11)),
    "size-no-number": tars.archive(tars.patched(PLAIN, 124, b"12x45678901\0")),
    "absurd-time": tars.archive(tars.patched(PLAIN, 136, b"\x80" + b"\x7f" * 11)),
    "no-name": tars.archive(tars.patched(PLAIN, 0, bytes(100))),
    "huge-long-name": tars.archive(
        tars.patched(tars.member("n", type=tarfile.GNUTYPE_LONGNAME), 124, b"00010000000\0")
    ),
    "huge-pax": tars.archive(tars.patched(tars.pax(b""), 124, b"00010000000\0")),
    "pax-length-zero": tars.archive(tars.pax(b"0 path=x\n"), PLAIN),
    "pax-length-beyond": tars.archive(tars.pax(b"999 path=x\n"), PLAIN),
    "pax-no-newline": tars.archive(tars.pax(b"9 path=xy"), PLAIN),
    "pax-no-value": tars.archive(tars.pax(b"7 path\n"), PLAIN),
    "pax-nul-in-path": tars.archive(tars.pax(tars.record("path", b"a\0b")), PLAIN),
    "pax-negative-size": tars.archive(tars.pax(tars.record("size", "-1")), PLAIN),
    "pax-size-no-number": tars.archive(tars.pax(tars.record("size", "1e3")), PLAIN),
    "pax-time-no-number": tars.archive(tars.pax(tars.record("mtime", "soon")), PLAIN),
    "map-overlaps": map_01("0,512,256,512"),
    "map-backwards": map_01("1024,512,0,512"),
    "map-beyond-the-file": map_01("0,512,4000,512"),
    "map-more-than-stored": map_01("0,2048"),
    "map-less-than-stored": map_01("0,512"),
    "map-odd": map_01("0,512,1024"),
    "map-no-number": map_01("0,512,x,512"),
    "leading-map-no-number": map_10(b"one\n0\n1024\n"),
    "leading-map-too-many": map_10(b"99999999\n0\n1024\n"),
    "leading-map-without-end": map_10(b"3\n0\n1024\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_in_both_ways(name: str) -> None:
    for read in (contents, at_random):
        with pytest.raises(errors.CorruptImage, match="the tar archive is damaged near offset"):
            read(NONSENSE[name])


def test_the_number_of_headers_is_bounded() -> None:
    data = tars.archive(*[tars.pax(tars.record("path", "x"))] * 20, PLAIN)

    with pytest.raises(errors.UnsafeImage, match="more than 20 entries"):
        list(tar.Walker(iter((data,)), entries=20))


def test_memory_does_not_grow_with_the_archive() -> None:
    def endless() -> Iterator[bytes]:
        for number in range(100):
            yield tars.member(str(number), bytes(MIB))

    tracemalloc.start()
    assert sum(1 for _ in tar.Walker(endless())) == 100
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * MIB


def test_noise_never_ends_in_a_defect() -> None:
    chance = random.Random(5)
    data = tars.archive(tars.pax(tars.record("path", "p" * 200)), PLAIN, map_01("0,1024")[:-1024])
    for _ in range(3000):
        broken = bytearray(data)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(broken))
            broken[at] = chance.randrange(256)
            block = at // 512 * 512
            broken[block : block + 512] = tars.patched(bytes(broken[block : block + 512]), 0, b"")
        try:
            contents(bytes(broken))
        except (errors.CorruptImage, errors.TruncatedSource):
            continue
        except MemoryError:  # the test itself keeps sparse files whole
            continue
