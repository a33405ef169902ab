"""What a qcow2 header may say, and with which reason the rest is refused."""

from __future__ import annotations

import struct

import pytest

from cdi.images import errors
from cdi.images.errors import CorruptImage, TruncatedSource, UnsafeImage, UnsupportedFormat
from cdi.images.formats import qcow2
from support.qcow2_images import Image, Plain


def head(version: int = 3, bits: int = 16, **options: bool) -> bytearray:
    image = Image({0: Plain(bytes(1 << bits))}, 8 << 20, version, bits, **options)
    return bytearray(image.build())


def changed(offset: int, form: str, *values: int, version: int = 3) -> bytes:
    data = head(version)
    struct.pack_into(form, data, offset, *values)
    return bytes(data)


def with_extension(kind: int, data: bytes, version: int = 3) -> bytes:
    file = head(version)
    start = 112 if version == 3 else 72
    blob = struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)
    file[start : start + len(blob)] = blob
    return bytes(file)


@pytest.mark.parametrize("version", [2, 3])
def test_a_sane_header_is_read(version: int) -> None:
    file = head(version)
    header = qcow2.parse_header(bytes(file), len(file))
    assert (header.version, header.cluster_size) == (version, 65536)
    assert (header.virtual_size, header.l1_entries, header.l1_declared) == (8 << 20, 1, 1)
    assert header.compression is qcow2.Compression.ZLIB


def test_zstd_and_extended_entries_are_recognised() -> None:
    header = qcow2.parse_header(bytes(head(zstd=True, extended=True)), None)
    assert header.compression is qcow2.Compression.ZSTD
    assert (header.entry_bytes, header.l2_entries) == (16, 4096)


@pytest.mark.parametrize(
    ("file", "error", "words"),
    [
        pytest.param(changed(0, ">I", 0), CorruptImage, "magic", id="magic"),
        pytest.param(changed(4, ">I", 1), UnsupportedFormat, "version 1", id="version-1"),
        pytest.param(changed(4, ">I", 4), UnsupportedFormat, "version 4", id="version-4"),
        pytest.param(changed(8, ">QI", 200, 11), UnsafeImage, "backing file", id="backing-file"),
        pytest.param(changed(8, ">QI", 200, 0), UnsafeImage, "backing file", id="backing-unnamed"),
        pytest.param(changed(8, ">QI", 200, 11, version=2), UnsafeImage, "backing file",
                     id="backing-file-of-version-2"),
        pytest.param(changed(32, ">I", 1), UnsafeImage, "encrypted", id="aes"),
        pytest.param(changed(32, ">I", 2), UnsafeImage, "encrypted", id="luks"),
        pytest.param(with_extension(0x0537BE77, bytes(16)), UnsafeImage, "LUKS",
                     id="luks-extension"),
        pytest.param(with_extension(0x44415441, b"/etc/passwd"), UnsafeImage, "external data",
                     id="data-file-name"),
        pytest.param(with_extension(0x44415441, b"/etc/passwd", 2), UnsafeImage, "external data",
                     id="data-file-name-in-version-2"),
        pytest.param(with_extension(0x12345678, b"")[:114] + b"\xff" * 100, CorruptImage,
                     "extension reaches", id="endless-extension"),
        pytest.param(changed(72, ">Q", 1 << 2), UnsafeImage, "external data file",
                     id="external-data"),
        pytest.param(changed(72, ">Q", 1 << 5), UnsafeImage, "unknown features", id="feature-5"),
        pytest.param(changed(72, ">Q", 1 << 63), UnsafeImage, "unknown features", id="feature-63"),
        pytest.param(changed(72, ">Q", 1 << 1), CorruptImage, "marked as corrupt", id="corrupt"),
        pytest.param(changed(72, ">Q", 1 << 3), CorruptImage, "does not agree",
                     id="zlib-with-compression-bit"),
        pytest.param(changed(104, ">B", 1), CorruptImage, "does not agree",
                     id="zstd-without-compression-bit"),
        pytest.param(changed(72, ">QQQIIB", 8, 0, 0, 4, 112, 2), UnsafeImage,
                     "unknown compression", id="unknown-compression"),
        pytest.param(changed(96, ">I", 7), CorruptImage, "reference counts", id="refcount-order"),
        pytest.param(changed(100, ">I", 96), CorruptImage, "header of 96", id="header-too-short"),
        pytest.param(changed(100, ">I", 107), CorruptImage, "header of 107", id="header-odd"),
        pytest.param(changed(100, ">I", 1 << 31), CorruptImage, "reaches beyond",
                     id="header-too-long"),
        pytest.param(changed(20, ">I", 8), CorruptImage, "cluster size", id="clusters-of-256"),
        pytest.param(changed(20, ">I", 22), CorruptImage, "cluster size", id="clusters-of-4-mib"),
        pytest.param(changed(20, ">I", 1 << 31), CorruptImage, "cluster size", id="cluster-bits"),
        pytest.param(changed(24, ">Q", 0), CorruptImage, "virtual size is 0", id="no-size"),
        pytest.param(changed(24, ">Q", 1 << 62), UnsafeImage, "L1 size too big", id="huge-disk"),
        pytest.param(changed(36, ">I", (4 << 20) + 1), UnsafeImage, "L1 size too big",
                     id="huge-l1-table"),
        pytest.param(changed(36, ">I", 0), CorruptImage, "L1 table is too small", id="no-l1-table"),
        pytest.param(changed(24, ">Q", 1 << 40), CorruptImage, "L1 table is too small",
                     id="small-l1-table"),
        pytest.param(changed(40, ">Q", 0), CorruptImage, "overlaps the header", id="l1-in-header"),
        pytest.param(changed(40, ">Q", 512), CorruptImage, "not aligned", id="l1-not-aligned"),
        pytest.param(changed(40, ">Q", 1 << 56), CorruptImage, "2\\^56", id="l1-beyond-2^56"),
        pytest.param(changed(40, ">Q", 1 << 40), CorruptImage, "cut short", id="l1-not-in-file"),
        pytest.param(changed(48, ">Q", 1), CorruptImage, "not aligned", id="refcounts-not-aligned"),
        pytest.param(changed(56, ">I", 1 << 30), UnsafeImage, "absurd", id="refcounts-huge"),
        pytest.param(changed(60, ">I", 65537), UnsafeImage, "snapshots", id="many-snapshots"),
        pytest.param(changed(60, ">IQ", 1, 3), CorruptImage, "snapshot table", id="snapshots-odd"),
        pytest.param(bytes(head()[:3]), TruncatedSource, "within its header", id="3-bytes"),
        pytest.param(bytes(head()[:71]), TruncatedSource, "within its header", id="71-bytes"),
        pytest.param(bytes(head()[:103]), TruncatedSource, "within its header", id="103-bytes"),
        pytest.param(b"", TruncatedSource, "within its header", id="nothing"),
    ],
)  # fmt: skip
def test_other_headers_are_refused(
    file: bytes, error: type[errors.ContentError], words: str
) -> None:
    with pytest.raises(error, match=words):
        qcow2.parse_header(file[: qcow2.HEAD_BYTES], max(len(file), 1 << 20))


@pytest.mark.parametrize(
    "file",
    [
        pytest.param(changed(72, ">Q", 1), id="dirty"),
        pytest.param(changed(80, ">Q", 1), id="lazy-refcounts"),
        pytest.param(changed(88, ">Q", 1), id="bitmaps"),
        pytest.param(changed(100, ">I", 104), id="short-version-3-header"),
        pytest.param(with_extension(0x6803F857, bytes(48 * 6)), id="feature-names"),
        pytest.param(with_extension(0xE2792ACA, b"qcow2"), id="backing-format-without-file"),
        pytest.param(with_extension(0x77777777, b"unknown"), id="unknown-extension"),
    ],
)
def test_what_does_not_matter_for_reading_is_accepted(file: bytes) -> None:
    assert qcow2.parse_header(file[: qcow2.HEAD_BYTES], len(file)).virtual_size == 8 << 20
