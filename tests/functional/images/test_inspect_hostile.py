"""Crafted images are refused with the right reason, and no program is started to find out."""

import contextlib
import random
import subprocess
import sys
from collections import deque

import pytest

from cdi.images import errors
from cdi.images.formats import inspect
from cdi.images.formats.image import Ranged
from cdi.images.formats.raw import layout_of
from cdi.images.transfer import copying
from support import corpus, disks, hostile, readers

MIB = hostile.MIB


@pytest.fixture(scope="module")
def audit():
    """Every process that this one starts is noted, whoever starts it."""
    seen = []
    watched = {"subprocess.Popen", "os.posix_spawn", "os.exec", "os.system"}
    sys.addaudithook(lambda event, arguments: seen.append(arguments) if event in watched else None)
    return seen


def look(path):
    """Do all that comes before the first byte is fetched: inspection, and the tables."""
    raw, image = path.read_bytes(), copying.inspect_file(path)
    if image.native:
        ranged = Ranged(lambda at, count: raw[at : at + count], len(raw), 1 << 20, 1)
        layout = image.layout(ranged) if image.layout else layout_of(image, ranged)
        deque(layout.units(readers.Nothing()), maxlen=0)
    return image


@pytest.mark.parametrize(("build", "reason"), corpus.HOSTILE)
def test_a_hostile_image_is_refused_before_any_program_runs(build, reason, tmp_path, audit):
    path = tmp_path / "image"
    path.write_bytes(build())
    started = len(audit)
    with pytest.raises(errors.ContentError) as refused:
        look(path)
    assert (type(refused.value), len(audit) - started) == (reason, 0), refused.value


@pytest.mark.parametrize(
    "builder",
    [
        pytest.param(getattr(hostile, name), id=name)
        for name in ("qcow2", "vmdk", "vdi", "vhd", "vhdx", "qed", "qcow", "mbr", "gpt", "iso")
    ],
)
def test_the_same_image_with_nothing_wrong_is_accepted(builder, tmp_path):
    path = tmp_path / "image"
    path.write_bytes(builder())
    assert look(path).checks_left == ()


def test_a_stream_optimised_disk_with_its_directory_at_the_end_is_accepted(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(corpus.with_footer(corpus.stream_vmdk()[:512]))
    assert copying.inspect_file(path).virtual_size == MIB


@pytest.mark.parametrize(
    ("builder", "areas"),
    [
        pytest.param(hostile.qcow2, [(0, 200)], id="qcow2"),
        pytest.param(hostile.vmdk, [(0, 80), (512, 912), (26 * 512, 27 * 512 + 32)], id="vmdk"),
        pytest.param(hostile.vdi, [(0x40, 0x60), (0x150, 0x208)], id="vdi"),
        pytest.param(hostile.vhd, [(0, 90), (512, 600), (1536, 1550)], id="vhd"),
        pytest.param(hostile.vhdx, [(2 * MIB, 2 * MIB + 200), (3 * MIB, 3 * MIB + 16)], id="vhdx"),
        pytest.param(hostile.qed, [(0, 64), (4096, 4104), (12288, 12304)], id="qed"),
        pytest.param(hostile.qcow, [(0, 56), (4096, 4112)], id="qcow"),
    ],
)
def test_damage_of_any_kind_ends_with_a_reason(builder, areas, tmp_path):
    """Whatever the damage, an image is accepted or refused: nothing else is ever raised."""
    sound, path, dice = builder(), tmp_path / "image", random.Random(7)
    for _ in range(40):
        raw = bytearray(sound)
        for _ in range(dice.randint(1, 4)):
            offset = dice.randrange(*dice.choice(areas))
            raw[offset : offset + 4] = dice.choice([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\2\3\4"])
        path.write_bytes(raw[: dice.choice([len(raw), dice.randrange(len(raw))])])
        with contextlib.suppress(errors.ContentError):
            assert look(path).checks_left == ()


@pytest.mark.parametrize("layout", ["twoGbMaxExtentSparse", "twoGbMaxExtentFlat"])
def test_one_file_of_a_split_disk_is_refused_as_a_part(layout, tmp_path):
    """Its description is elsewhere: it is no disk, and not a damaged one."""
    disk = disks.raw_disk(tmp_path / "disk.raw", size=MIB, data=MIB)
    whole = tmp_path / "disk.vmdk"
    command = ["qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", f"subformat={layout}"]
    subprocess.run([*command, disk, whole], check=True)
    sparse = tmp_path / "disk-s001.vmdk"
    for path, words in (whole, "names its data in other files"), (sparse, "a part of a disk"):
        if not path.exists():
            continue  # a flat part cannot be told from a raw disk
        with pytest.raises(errors.UnsafeImage, match=words):
            copying.inspect_file(path)
        with pytest.raises(errors.UnsafeImage, match=words):
            inspect.inspect(path.read_bytes()[: inspect.HEAD], path.stat().st_size)
