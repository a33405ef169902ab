"""Headers of the formats that qemu-img converts, and the small parts that read them."""

import pytest

from cdi.images import errors
from cdi.images.formats import (
    crc32c,
    limits,
    occupancy,
    qed,
    quoting,
    signatures,
    vdi,
    vhd,
    vmdk,
    window,
)
from support import hostile

MIB = hostile.MIB


def view(raw, size=None, reader=None):
    return window.Window(raw, len(raw) if size is None else size, reader)


def test_crc32c_has_its_published_check_value():
    assert crc32c.crc32c(b"123456789") == 0xE3069283


def test_a_vdi_header_is_read():
    header = vdi.parse_header(view(hostile.vdi()))
    assert header == vdi.Header(
        image_type=1, map_offset=512, data_offset=1024, disk_size=2 * MIB, blocks=2, allocated=1
    )


def test_a_vmdk_header_is_read():
    header = vmdk.parse_header(hostile.vmdk(capacity=70_000))
    assert (header.capacity, header.grain, header.compressed) == (70_000, 128, False)
    assert header.tables == 2


def test_a_vhd_footer_is_read():
    assert vhd.parse_footer(hostile.vhd_footer()) == vhd.Footer(3, 512, 4 * MIB, b"win ")


def test_a_qed_header_is_read():
    header = qed.parse_header(view(hostile.qed()))
    assert header == qed.Header(
        length=4096, cluster=4096, table=8192, l1_offset=4096, disk_size=MIB
    )


@pytest.mark.parametrize(
    ("head", "found"),
    [
        pytest.param(b"# Disk DescriptorFile\nversion=1\n", True, id="as-usual"),
        pytest.param(b"\r\n# disk descriptorFILE\n", True, id="in-other-words"),
        pytest.param(b"# comment\n\nversion=3\n", True, id="without-its-title"),
        pytest.param(b"version = 1\n", True, id="only-a-version"),
        pytest.param(b"version of something\n", False, id="prose"),
        pytest.param(b"#!/bin/sh\necho version=1\n", False, id="script"),
        pytest.param(bytes(512), False, id="zeros"),
        pytest.param(b"", False, id="empty"),
    ],
)
def test_a_descriptor_is_recognised(head, found):
    assert signatures.is_descriptor(head) is found


@pytest.mark.parametrize(
    ("head", "name"),
    [
        pytest.param(hostile.mbr(), "MBR", id="mbr"),
        pytest.param(hostile.gpt(), "GPT", id="gpt"),
        pytest.param(hostile.put(bytes(8192), 4096, b"EFI PART"), "GPT", id="gpt-4k-sectors"),
        pytest.param(hostile.iso(), "ISO 9660", id="iso"),
        pytest.param(hostile.put(bytes(40960), 32769, b"NSR02"), "UDF", id="udf"),
        pytest.param(hostile.put(bytes(512), 510, b"\x55\xaa"), None, id="boot-sector-only"),
        pytest.param(hostile.put(hostile.mbr(), 446, b"\x7f"), None, id="nonsense-partition"),
        pytest.param(bytes(512), None, id="zeros"),
    ],
)
def test_a_disk_structure_is_recognised(head, name):
    assert signatures.structure_of(head) == name


@pytest.mark.parametrize(
    ("starts", "fits"),
    [
        pytest.param([0, 64, 128], True, id="side-by-side"),
        pytest.param([16, 80, 144], True, id="side-by-side-off-the-grid"),
        pytest.param([128, 0, 64], True, id="in-any-order"),
        pytest.param([0, 0], False, id="the-same-twice"),
        pytest.param([0, 48], False, id="overlap-within-a-slot"),
        pytest.param([16, 64], False, id="overlap-into-the-next-slot"),
        pytest.param([64, 16], False, id="overlap-into-the-next-slot-backwards"),
        pytest.param([0, 60], False, id="off-alignment"),
    ],
)
def test_blocks_must_not_overlap(starts, fits):
    places = occupancy.Occupancy("test", 256, 64, 16)
    try:
        for start in starts:
            places.take(start)
    except errors.CorruptImage:
        assert not fits
    else:
        assert fits


def test_a_block_beyond_the_end_means_a_cut_file():
    with pytest.raises(errors.TruncatedSource):
        occupancy.Occupancy("test", 256, 64, 16).take(208)


def test_more_blocks_than_memory_are_refused():
    with pytest.raises(errors.UnsafeImage, match="too many blocks"):
        occupancy.Occupancy("test", 1 << 50, 4096, 512)


def test_a_window_reads_from_its_head_first():
    assert view(b"abcdef").read(2, 3, "field") == b"cde"


def test_a_window_asks_its_reader_for_what_comes_later():
    later = view(b"abc", size=100, reader=lambda offset, length: b"%d+%d" % (offset, length))
    assert later.read(50, 7, "table") == b"50+7"


def test_a_window_without_a_reader_says_what_is_out_of_reach():
    with pytest.raises(window.OutOfReachError, match="table"):
        view(b"abc", size=100).read(50, 7, "table")


def test_a_window_never_reads_beyond_the_end():
    with pytest.raises(errors.TruncatedSource, match="ends at byte 3"):
        view(b"abc").read(2, 2, "header")


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        pytest.param(0, errors.CorruptImage, id="none"),
        pytest.param(limits.MAX_VIRTUAL_SIZE + 512, errors.UnsafeImage, id="absurd"),
    ],
)
def test_a_disk_has_a_sane_size(size, reason):
    with pytest.raises(reason):
        limits.check_virtual_size("test", size)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        pytest.param(b"404  page\nnot found", '"404 page not found"', id="one-line"),
        pytest.param(b"\x1b]0;\x07\xff<b>", '"?]0;?\ufffd<b>"', id="nothing-to-obey"),
        pytest.param(b'a"b\\c', '"a?b?c"', id="quotes-end-only-once"),
        pytest.param(b"x" * 99, '"' + "x" * 60 + '..."', id="short"),
    ],
)
def test_foreign_bytes_are_quoted_harmlessly(raw, shown):
    assert quoting.quoted(raw) == shown
