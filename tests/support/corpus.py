"""
The hostile corpus: images made to harm, each with the error that it must end with.

They are built by `hostile` when a test asks for them; nothing is stored.
"""

import pytest

from cdi.images import errors
from support import hostile

MIB = hostile.MIB
UNSAFE, CORRUPT = errors.UnsafeImage, errors.CorruptImage
UNSUPPORTED, SHORT = errors.UnsupportedFormat, errors.TruncatedSource
CANARY = "/etc/passwd"

FLAT = hostile.descriptor(kind="monolithicFlat", extents=f'RW 2048 FLAT "{CANARY}" 0')


def vmdk_of(**wrong):
    return hostile.vmdk(text=hostile.descriptor(**wrong))


def stream_vmdk(first=0, second=128, **wrong):
    """A stream-optimised disk of two compressed grains, which say which ones they are."""
    arguments = {"version": 3, "flags": 0x30003, "compression": 1, "table": {0: 128, 1: 130}}
    raw = hostile.vmdk(text=hostile.descriptor(kind="streamOptimized"), **(arguments | wrong))
    raw = hostile.put(raw, 128 * 512, first.to_bytes(8, "little") + b"\x10\0\0\0")
    return hostile.put(raw, 130 * 512, second.to_bytes(8, "little") + b"\x10\0\0\0")


def with_footer(footer):
    """A stream-optimised disk whose directory is found through `footer`."""
    raw = stream_vmdk(directory=0xFFFFFFFFFFFFFFFF)
    marker = b"\1" + bytes(11) + b"\3" + bytes(499)
    return raw + marker + footer + bytes(512)


def metadata(**wrong):
    return hostile.vhdx(metadata=hostile.vhdx_metadata(**wrong))


def regions(*wrong):
    table = hostile.vhdx_regions(*wrong)
    return hostile.vhdx(regions=(table, table))


LOGGED = hostile.vhdx_header(sequence=9, log=b"log-is-not-empty")
META, BAT = (hostile.METADATA, 2 * MIB, MIB, 1), (hostile.BAT, 3 * MIB, MIB, 1)
BAT_LATE, BAT_FAR = (hostile.BAT, 4 * MIB, MIB, 1), (hostile.BAT, MIB << 20, MIB, 1)

HOSTILE = [
    # qcow2: the header alone; tables are the decoder's
    pytest.param(lambda: hostile.qcow2(backing=b"/etc/passwd"), UNSAFE, id="qcow2-backing-file"),
    pytest.param(
        lambda: hostile.qcow2(version=2, backing=b"nbd:h:1"), UNSAFE, id="qcow2-v2-backing-url"
    ),
    pytest.param(
        lambda: hostile.qcow2(backing=b'json:{"driver":"nbd"}'), UNSAFE, id="qcow2-backing-json"
    ),
    pytest.param(lambda: hostile.qcow2(incompatible=4), UNSAFE, id="qcow2-external-data-bit"),
    pytest.param(
        lambda: hostile.qcow2(extensions=((0x44415441, b"/etc/shadow"),)),
        UNSAFE,
        id="qcow2-data-file-name",
    ),
    pytest.param(lambda: hostile.qcow2(crypt=1), UNSAFE, id="qcow2-aes"),
    pytest.param(lambda: hostile.qcow2(crypt=2), UNSAFE, id="qcow2-luks"),
    pytest.param(lambda: hostile.qcow2(incompatible=1 << 40), UNSAFE, id="qcow2-unknown-feature"),
    pytest.param(lambda: hostile.qcow2(incompatible=2), CORRUPT, id="qcow2-marked-corrupt"),
    pytest.param(lambda: hostile.qcow2(l1_entries=1 << 31), UNSAFE, id="qcow2-l1-too-big"),
    pytest.param(lambda: hostile.qcow2(size=1 << 62), UNSAFE, id="qcow2-absurd-size"),
    pytest.param(
        lambda: hostile.qcow2(refcount_clusters=1 << 30), UNSAFE, id="qcow2-refcounts-too-big"
    ),
    pytest.param(lambda: hostile.qcow2(cluster_bits=60), CORRUPT, id="qcow2-absurd-clusters"),
    pytest.param(lambda: hostile.qcow2(l1_offset=0), CORRUPT, id="qcow2-l1-in-the-header"),
    pytest.param(lambda: hostile.qcow2()[:60], SHORT, id="qcow2-cut-in-the-header"),
    pytest.param(lambda: b"QFI\xfb\0\0\0\4" + bytes(1024), UNSUPPORTED, id="qcow4"),
    # VMDK
    pytest.param(lambda: FLAT, UNSAFE, id="vmdk-flat-descriptor-names-a-file"),
    pytest.param(lambda: FLAT.ljust(4 * MIB, b"\0"), UNSAFE, id="vmdk-descriptor-padded-to-a-disk"),
    pytest.param(
        lambda: b"\n\n#x\nversion=1\n" + FLAT, UNSAFE, id="vmdk-descriptor-without-its-title"
    ),
    pytest.param(
        lambda: b"\xef\xbb\xbf" + FLAT, UNSAFE, id="vmdk-descriptor-behind-a-byte-order-mark"
    ),
    pytest.param(
        lambda: hostile.descriptor(extents='RW 9 VMFS "x"'), UNSAFE, id="vmdk-vmfs-descriptor"
    ),
    pytest.param(
        lambda: hostile.descriptor(kind="fullDevice", extents='RW 9 FLAT "/dev/sda" 0'),
        UNSAFE,
        id="vmdk-raw-device",
    ),
    pytest.param(lambda: hostile.vmdk(text=FLAT), UNSAFE, id="vmdk-embedded-flat-extent"),
    pytest.param(
        lambda: vmdk_of(extents=f'RW 2048 FLAT "{CANARY}" 0'),
        UNSAFE,
        id="vmdk-flat-in-monolithic-sparse",
    ),
    pytest.param(lambda: vmdk_of(extents="RW 2048 ZERO"), UNSAFE, id="vmdk-zero-extent"),
    pytest.param(
        lambda: vmdk_of(extents=f'RW 2048 SPARSE "{CANARY}"'),
        UNSAFE,
        id="vmdk-sparse-extent-elsewhere",
    ),
    pytest.param(
        lambda: vmdk_of(extents='RW 1024 SPARSE "a"\nRW 1024 SPARSE "b"'),
        UNSAFE,
        id="vmdk-two-extents",
    ),
    pytest.param(
        lambda: vmdk_of(extents='RW 9999 SPARSE "d"'), CORRUPT, id="vmdk-extent-of-another-size"
    ),
    pytest.param(
        lambda: vmdk_of(extents=f'RW {"9" * 5000} SPARSE "d"'),
        CORRUPT,
        id="vmdk-extent-of-digits-without-end",
    ),
    pytest.param(lambda: vmdk_of(kind="twoGbMaxExtentSparse"), UNSAFE, id="vmdk-split-disk"),
    pytest.param(lambda: vmdk_of(parent="parentCID=12345678"), UNSAFE, id="vmdk-parent-id"),
    pytest.param(
        lambda: vmdk_of(parent='parentCID=ffffffff\nparentFileNameHint="/etc/passwd"'),
        UNSAFE,
        id="vmdk-parent-name",
    ),
    pytest.param(
        lambda: hostile.put(hostile.vmdk(descriptor_at=40), 40 * 512, hostile.descriptor()).replace(
            b"parentCID=ffffffff", b"parentFileNameHint", 1
        ),
        UNSAFE,
        id="vmdk-parent-in-a-second-descriptor",
    ),
    pytest.param(lambda: hostile.vmdk(descriptor_at=0), UNSAFE, id="vmdk-part-without-descriptor"),
    pytest.param(lambda: hostile.vmdk(capacity=0), UNSAFE, id="vmdk-no-capacity"),
    pytest.param(lambda: hostile.vmdk(capacity=1 << 54), UNSAFE, id="vmdk-absurd-capacity"),
    pytest.param(lambda: hostile.vmdk(grain=1 << 40), UNSAFE, id="vmdk-absurd-grains"),
    pytest.param(lambda: hostile.vmdk(entries=1 << 30), UNSAFE, id="vmdk-absurd-tables"),
    pytest.param(
        lambda: hostile.vmdk(grain=8, capacity=1 << 40), UNSAFE, id="vmdk-absurd-directory"
    ),
    pytest.param(
        lambda: hostile.vmdk(descriptor_length=1 << 40), UNSAFE, id="vmdk-absurd-descriptor"
    ),
    pytest.param(lambda: hostile.vmdk(flags=1 << 30), UNSAFE, id="vmdk-unknown-flags"),
    pytest.param(lambda: hostile.vmdk(version=9), UNSUPPORTED, id="vmdk-unknown-version"),
    pytest.param(lambda: hostile.vmdk(newlines=b"\n \n\n"), CORRUPT, id="vmdk-text-mode-transfer"),
    pytest.param(lambda: hostile.vmdk(directory=1 << 40), SHORT, id="vmdk-directory-out-of-bounds"),
    pytest.param(lambda: hostile.vmdk(tables={0: 1 << 30}), SHORT, id="vmdk-table-out-of-bounds"),
    pytest.param(
        lambda: hostile.vmdk(
            capacity=128 * 1024,
            text=hostile.descriptor(extents='RW 131072 SPARSE "d"'),
            tables={0: 27, 1: 27},
        ),
        CORRUPT,
        id="vmdk-two-entries-share-a-table",
    ),
    pytest.param(lambda: hostile.vmdk(table={0: 1 << 30}), SHORT, id="vmdk-grain-out-of-bounds"),
    pytest.param(
        lambda: hostile.vmdk(table={0: 128, 1: 128}), CORRUPT, id="vmdk-grain-mapped-twice"
    ),
    pytest.param(
        lambda: hostile.vmdk(table={0: 128, 1: 200}) + bytes(MIB),
        CORRUPT,
        id="vmdk-grains-overlap",
    ),
    pytest.param(lambda: hostile.vmdk(table={0: 26}), CORRUPT, id="vmdk-grain-is-the-directory"),
    pytest.param(
        lambda: stream_vmdk(table={0: 128, 1: 128}), CORRUPT, id="vmdk-stream-grain-twice"
    ),
    pytest.param(lambda: stream_vmdk(directory=2**64 - 1), SHORT, id="vmdk-stream-without-footer"),
    pytest.param(
        lambda: with_footer(hostile.vmdk(capacity=4096)[:512]),
        UNSAFE,
        id="vmdk-footer-of-another-disk",
    ),
    pytest.param(
        lambda: with_footer(stream_vmdk(directory=2**64 - 1)[:512]), CORRUPT, id="vmdk-footer-loops"
    ),
    pytest.param(lambda: b"COWD" + bytes(2 * MIB), UNSUPPORTED, id="vmdk-cowd"),
    pytest.param(lambda: b"\xbe\xba\xfe\xca" + bytes(2 * MIB), UNSUPPORTED, id="vmdk-sesparse"),
    # VDI
    pytest.param(lambda: hostile.vdi(kind=4), UNSAFE, id="vdi-differencing"),
    pytest.param(lambda: hostile.vdi(parent=b"p" * 16), UNSAFE, id="vdi-parent"),
    pytest.param(lambda: hostile.vdi(link=b"p" * 16), UNSAFE, id="vdi-linked"),
    pytest.param(lambda: hostile.vdi(kind=7), CORRUPT, id="vdi-unknown-type"),
    pytest.param(lambda: hostile.vdi(version=0x20000), UNSUPPORTED, id="vdi-unknown-version"),
    pytest.param(lambda: hostile.vdi(block=1 << 31), UNSUPPORTED, id="vdi-absurd-blocks"),
    pytest.param(lambda: hostile.vdi(size=1 << 60), UNSAFE, id="vdi-absurd-size"),
    pytest.param(lambda: hostile.vdi(size=0), CORRUPT, id="vdi-no-size"),
    pytest.param(lambda: hostile.vdi(blocks=1 << 31), UNSAFE, id="vdi-absurd-map"),
    pytest.param(lambda: hostile.vdi(blocks=1), CORRUPT, id="vdi-map-too-short"),
    pytest.param(lambda: hostile.vdi(data_at=512), CORRUPT, id="vdi-map-overlaps-data"),
    pytest.param(lambda: hostile.vdi(map_at=513), CORRUPT, id="vdi-map-off-its-boundary"),
    pytest.param(
        lambda: hostile.vdi(entries=(0, 0), allocated=2, stored=2),
        CORRUPT,
        id="vdi-block-mapped-twice",
    ),
    pytest.param(lambda: hostile.vdi(entries=(5, 0)), CORRUPT, id="vdi-block-out-of-bounds"),
    pytest.param(lambda: hostile.vdi(entries=(0, 1), allocated=2), SHORT, id="vdi-cut"),
    pytest.param(lambda: hostile.vdi()[:300], SHORT, id="vdi-cut-in-the-header"),
    # VHD
    pytest.param(lambda: hostile.vhd(kind=4), UNSAFE, id="vhd-differencing"),
    pytest.param(
        lambda: hostile.vhd(parent="x.vhd".encode("utf-16-be")), UNSAFE, id="vhd-parent-name"
    ),
    pytest.param(lambda: hostile.vhd(kind=9), UNSUPPORTED, id="vhd-unknown-type"),
    pytest.param(lambda: hostile.vhd(version=0x20000), UNSUPPORTED, id="vhd-unknown-version"),
    pytest.param(lambda: hostile.put(hostile.vhd(), 80, b"!"), CORRUPT, id="vhd-checksum"),
    pytest.param(lambda: hostile.put(hostile.vhd(), 600, b"!"), CORRUPT, id="vhd-header-checksum"),
    pytest.param(lambda: hostile.vhd(size=1 << 60), UNSAFE, id="vhd-absurd-size"),
    pytest.param(lambda: hostile.vhd(entries=1 << 31), UNSAFE, id="vhd-absurd-table"),
    pytest.param(lambda: hostile.vhd(block=3), CORRUPT, id="vhd-absurd-blocks"),
    pytest.param(lambda: hostile.vhd(entries=1), CORRUPT, id="vhd-table-too-short"),
    pytest.param(lambda: hostile.vhd(table_at=1024), CORRUPT, id="vhd-table-overlaps-header"),
    pytest.param(lambda: hostile.vhd(table_at=1 << 40), SHORT, id="vhd-table-out-of-bounds"),
    pytest.param(
        lambda: hostile.vhd(sectors=(1 << 30, 0xFFFFFFFF)), SHORT, id="vhd-block-out-of-bounds"
    ),
    pytest.param(lambda: hostile.vhd(sectors=(4, 4)), CORRUPT, id="vhd-block-mapped-twice"),
    pytest.param(
        lambda: hostile.vhd(sectors=(1, 0xFFFFFFFF)), CORRUPT, id="vhd-block-is-the-header"
    ),
    pytest.param(lambda: hostile.vhd()[:-512], SHORT, id="vhd-cut"),
    pytest.param(
        lambda: hostile.vhd(trailer=hostile.vhd_footer(size=2 * MIB)),
        UNSAFE,
        id="vhd-footers-disagree",
    ),
    pytest.param(
        lambda: bytes(MIB) + hostile.vhd_footer(kind=2, size=4 * MIB),
        SHORT,
        id="vhd-fixed-without-data",
    ),
    pytest.param(
        lambda: bytes(8 * MIB) + hostile.vhd_footer(kind=2),
        UNSAFE,
        id="vhd-fixed-footer-of-another-disk",
    ),
    # VHDX
    pytest.param(lambda: metadata(flags=2), UNSAFE, id="vhdx-has-parent"),
    pytest.param(
        lambda: metadata(more=((hostile.LOCATOR, b"x"),)), UNSAFE, id="vhdx-parent-locator"
    ),
    pytest.param(
        lambda: metadata(more=((hostile.UNKNOWN, b"x"),)), UNSAFE, id="vhdx-unknown-metadata"
    ),
    pytest.param(lambda: metadata(size=1 << 60), UNSAFE, id="vhdx-absurd-size"),
    pytest.param(lambda: metadata(size=1 << 49), UNSAFE, id="vhdx-absurd-table"),
    pytest.param(lambda: metadata(size=1 << 42), CORRUPT, id="vhdx-table-too-short"),
    pytest.param(lambda: metadata(block=MIB + 1), CORRUPT, id="vhdx-absurd-blocks"),
    pytest.param(lambda: metadata(sector=3), CORRUPT, id="vhdx-absurd-sectors"),
    pytest.param(lambda: metadata(at=MIB - 4), CORRUPT, id="vhdx-metadata-outside-of-its-region"),
    pytest.param(lambda: hostile.vhdx(metadata=b"other"), CORRUPT, id="vhdx-no-metadata"),
    pytest.param(lambda: hostile.vhdx(headers=(LOGGED, LOGGED)), CORRUPT, id="vhdx-log-to-replay"),
    pytest.param(
        lambda: hostile.vhdx(headers=(b"head", b"head")), CORRUPT, id="vhdx-no-valid-header"
    ),
    pytest.param(
        lambda: hostile.vhdx(regions=(b"regi", b"regi")), CORRUPT, id="vhdx-no-valid-regions"
    ),
    pytest.param(lambda: regions(META), CORRUPT, id="vhdx-no-block-table"),
    pytest.param(lambda: regions(META, BAT, BAT), CORRUPT, id="vhdx-region-twice"),
    pytest.param(
        lambda: regions(META, BAT, (hostile.UNKNOWN, 4 * MIB, MIB, 1)),
        UNSAFE,
        id="vhdx-unknown-region",
    ),
    pytest.param(
        lambda: regions(META, (hostile.BAT, 2 * MIB, MIB, 1)), CORRUPT, id="vhdx-regions-overlap"
    ),
    pytest.param(
        lambda: regions(META, (hostile.BAT, MIB, MIB, 1)), CORRUPT, id="vhdx-table-is-the-log"
    ),
    pytest.param(lambda: regions(META, BAT_FAR), SHORT, id="vhdx-region-out-of-bounds"),
    pytest.param(
        lambda: hostile.vhdx(
            regions=(hostile.vhdx_regions(), hostile.vhdx_regions(META, BAT_LATE))
        ),
        UNSAFE,
        id="vhdx-region-tables-disagree",
    ),
    pytest.param(
        lambda: hostile.vhdx(entries=(4 * MIB | 6, 4 * MIB | 6)),
        CORRUPT,
        id="vhdx-block-mapped-twice",
    ),
    pytest.param(
        lambda: hostile.vhdx(entries=(2 * MIB | 6, 0)), CORRUPT, id="vhdx-block-is-the-metadata"
    ),
    pytest.param(
        lambda: hostile.vhdx(entries=(MIB << 20 | 6, 0)), SHORT, id="vhdx-block-out-of-bounds"
    ),
    pytest.param(
        lambda: hostile.vhdx(entries=(4 * MIB | 7, 0)), UNSAFE, id="vhdx-block-of-a-parent"
    ),
    # QED
    pytest.param(
        lambda: hostile.qed(features=1, backing=b"/etc/passwd"), UNSAFE, id="qed-backing-file"
    ),
    pytest.param(lambda: hostile.qed(features=1 << 9), UNSAFE, id="qed-unknown-feature"),
    pytest.param(lambda: hostile.qed(size=1 << 60), UNSAFE, id="qed-absurd-size"),
    pytest.param(lambda: hostile.qed(cluster=3), CORRUPT, id="qed-absurd-clusters"),
    pytest.param(lambda: hostile.qed(header=1 << 30), CORRUPT, id="qed-absurd-header"),
    pytest.param(lambda: hostile.qed(l1_at=0), CORRUPT, id="qed-l1-in-the-header"),
    pytest.param(lambda: hostile.qed(l1_at=1 << 40), SHORT, id="qed-l1-out-of-bounds"),
    pytest.param(lambda: hostile.qed(l1=(hostile.QED_L1,)), CORRUPT, id="qed-l1-loops-to-itself"),
    pytest.param(lambda: hostile.qed(l1=(hostile.QED_L2,) * 2), CORRUPT, id="qed-l2-mapped-twice"),
    pytest.param(
        lambda: hostile.qed(l2=(hostile.QED_DATA,) * 2), CORRUPT, id="qed-cluster-mapped-twice"
    ),
    pytest.param(lambda: hostile.qed(l2=(1 << 50,)), SHORT, id="qed-cluster-out-of-bounds"),
    # QCOW version 1
    pytest.param(lambda: b"QFI\xfb\0\0\0\1" + bytes(1024), CORRUPT, id="qcow-empty-header"),
    pytest.param(lambda: hostile.qcow(backing=b"/etc/passwd"), UNSAFE, id="qcow-backing-file"),
    pytest.param(lambda: hostile.qcow(crypt=1), UNSAFE, id="qcow-encrypted"),
    pytest.param(lambda: hostile.qcow(size=1 << 60), UNSAFE, id="qcow-absurd-size"),
    pytest.param(
        lambda: hostile.qcow(size=1 << 49, cluster_bits=9, l2_bits=6), UNSAFE, id="qcow-absurd-l1"
    ),
    pytest.param(lambda: hostile.qcow(size=MIB + 1), CORRUPT, id="qcow-part-of-a-sector"),
    pytest.param(lambda: hostile.qcow(cluster_bits=30), CORRUPT, id="qcow-absurd-clusters"),
    pytest.param(lambda: hostile.qcow(l2_bits=40), CORRUPT, id="qcow-absurd-tables"),
    pytest.param(lambda: hostile.qcow(l1_at=8), CORRUPT, id="qcow-l1-in-the-header"),
    pytest.param(lambda: hostile.qcow(l1_at=1 << 60), SHORT, id="qcow-l1-out-of-bounds"),
    pytest.param(lambda: hostile.qcow(l1=(1 << 60,)), SHORT, id="qcow-l2-out-of-bounds"),
    pytest.param(
        lambda: hostile.qcow(l1=(hostile.QCOW_L2,) * 2, size=4 * MIB),
        CORRUPT,
        id="qcow-l2-mapped-twice",
    ),
    pytest.param(
        lambda: hostile.qcow(l2=(hostile.QCOW_DATA,) * 2), CORRUPT, id="qcow-cluster-mapped-twice"
    ),
    pytest.param(
        lambda: hostile.qcow(l2=(hostile.QCOW_L2 + 7,)), CORRUPT, id="qcow-cluster-on-no-sector"
    ),
    pytest.param(lambda: hostile.qcow(l2=(1 << 50,)), SHORT, id="qcow-cluster-out-of-bounds"),
    pytest.param(
        lambda: hostile.qcow(l2=(hostile.qcow_packed(hostile.QCOW_DATA, 4095),) * 4),
        CORRUPT,
        id="qcow-compressed-clusters-overlap",
    ),
    pytest.param(
        lambda: hostile.qcow(l2=(hostile.qcow_packed(1 << 40, 100),)),
        SHORT,
        id="qcow-compressed-cluster-out-of-bounds",
    ),
    pytest.param(lambda: hostile.mbr(hostile.qcow(l1_at=512)), UNSAFE, id="polyglot-qcow-and-mbr"),
    # other disks
    pytest.param(lambda: b"LUKS\xba\xbe\0\1" + bytes(MIB), UNSUPPORTED, id="luks"),
    pytest.param(lambda: b"WithoutFreeSpace" + bytes(MIB), UNSUPPORTED, id="parallels"),
    pytest.param(lambda: b"Bochs Virtual HD Image" + bytes(MIB), UNSUPPORTED, id="bochs"),
    pytest.param(lambda: b"#!/bin/sh\n#V2.0 Format\n" + bytes(MIB), UNSUPPORTED, id="cloop"),
    pytest.param(
        lambda: bytes(MIB) + b"koly\0\0\0\4\0\0\2\0" + bytes(500),
        UNSUPPORTED,
        id="dmg-by-its-trailer",
    ),
    # polyglots
    pytest.param(lambda: hostile.mbr(hostile.qcow2()), UNSAFE, id="polyglot-qcow2-and-mbr"),
    pytest.param(lambda: hostile.iso(hostile.qcow2()), UNSAFE, id="polyglot-qcow2-and-iso"),
    pytest.param(lambda: hostile.gpt(hostile.vmdk()), UNSAFE, id="polyglot-vmdk-and-gpt"),
    pytest.param(
        lambda: hostile.qcow2() + hostile.vhd_footer(2), UNSAFE, id="polyglot-qcow2-and-vhd"
    ),
    pytest.param(
        lambda: hostile.put(hostile.qcow2(), 64, b"\x7f\x10\xda\xbe"),
        UNSAFE,
        id="polyglot-qcow2-and-vdi",
    ),
    pytest.param(
        lambda: hostile.put(hostile.vdi(), 0, b"LUKS\xba\xbe"), UNSAFE, id="polyglot-vdi-and-luks"
    ),
    pytest.param(
        lambda: hostile.iso(FLAT.ljust(MIB, b"\0")), UNSAFE, id="polyglot-vmdk-descriptor-and-iso"
    ),
    pytest.param(
        lambda: hostile.vdi() + b"koly\0\0\0\4\0\0\2\0" + bytes(500),
        UNSAFE,
        id="polyglot-vdi-and-dmg",
    ),
]
