"""VMDKs made to harm: both readers refuse them, with a reason, in bounded memory and time."""

from __future__ import annotations

import random
import struct
import zlib

import pytest

from cdi.images import errors
from support import hostile, vmdk_images
from support.vmdk_images import SECTOR, ZERO, Image

SIZE = 8 * SECTOR
NUMBERS = [0, 1, 5, 600]
REFUSED = errors.ContentError


def image_of(**options: object) -> Image:
    grains = {number: bytes([number % 251 + 1]) * SIZE for number in NUMBERS}
    return Image(grains, **{"capacity": 1024 * 8, **options})


SPARSE = {}
FRONT = {"packed": True}
END = {"packed": True, "footer": True}


def damaged(image: Image, item: object, offset: int, value: bytes) -> bytes:
    """Return the file with `value` at a byte of one of its items."""
    file = image.build()
    return hostile.put(file, image.positions[item] * SECTOR + offset, value)


def number(value: int) -> bytes:
    return value.to_bytes(4, "little")


DAMAGE = {
    "a table outside of the file": ("directory", 0, number(1 << 31)),
    "a table that is the directory": ("directory", 0, "directory"),
    "a table in the header": ("directory", 4, number(0x1)),
    "a table used twice": ("directory", 4, ("table", 0)),
    "a grain outside of the file": (("table", 0), 0, number(1 << 31)),
    "a grain that is the directory": (("table", 0), 0, "directory"),
    "a grain that is its own table": (("table", 0), 0, ("table", 0)),
    "a grain that is the descriptor": (("table", 0), 0, "descriptor"),
    "a grain used twice": (("table", 0), 4, ("grain", 0)),
    "a grain of another table used again": (("table", 1), 0, ("grain", 5)),
    "a grain of zeros that no flag allows": (("table", 0), 8, number(1)),
}


@pytest.mark.parametrize("options", [SPARSE, FRONT, END], ids=["sparse", "front", "end"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_table_that_names_the_wrong_place_is_refused(
    damage: str, options: dict[str, bool]
) -> None:
    item, offset, value = DAMAGE[damage]
    image = image_of(**options)
    image.build()
    raw = value if isinstance(value, bytes) else number(image.positions[value])
    file = damaged(image, item, offset, raw)
    with pytest.raises(REFUSED):
        vmdk_images.read_at_random(file)
    with pytest.raises((REFUSED, errors.NeedsScratch)):  # a table may be far, or too far
        vmdk_images.read_forward(file)


GRAIN = zlib.compress(bytes(SIZE))
BOMB = zlib.compress(bytes(1 << 20))
SHORT = zlib.compress(bytes(SIZE - 1))


@pytest.mark.parametrize("options", [FRONT, END], ids=["front", "end"])
@pytest.mark.parametrize(
    "marker",
    [
        pytest.param(struct.pack("<QI", 8, len(GRAIN)) + GRAIN, id="of-another-grain"),
        pytest.param(struct.pack("<QI", 3, len(GRAIN)) + GRAIN, id="between-grains"),
        pytest.param(struct.pack("<QI", 1 << 60, len(GRAIN)) + GRAIN, id="beyond-the-disk"),
        pytest.param(struct.pack("<QI", 0, len(BOMB)) + BOMB, id="a-bomb"),
        pytest.param(struct.pack("<QI", 0, len(SHORT)) + SHORT, id="too-short"),
        pytest.param(struct.pack("<QI", 0, 1 << 31), id="absurdly-long"),
        pytest.param(struct.pack("<QI", 0, 400) + bytes(400), id="no-zlib"),
        pytest.param(struct.pack("<QI", 0, 0), id="nothing"),
        pytest.param(struct.pack("<QII", 4, 0, 9), id="of-an-unknown-kind"),
        pytest.param(struct.pack("<QII", 1 << 50, 0, 1), id="an-absurd-table"),
        pytest.param(struct.pack("<QII", 1, 0, 2), id="an-early-directory"),
    ],
)
def test_a_marker_that_lies_is_refused(marker: bytes, options: dict[str, bool]) -> None:
    file = damaged(image_of(**options), ("grain", 0), 0, marker)
    with pytest.raises(REFUSED):
        vmdk_images.read_at_random(file)
    with pytest.raises(REFUSED):
        vmdk_images.read_forward(file)


@pytest.mark.parametrize("options", [SPARSE, FRONT, END], ids=["sparse", "front", "end"])
def test_a_file_that_is_cut_anywhere_is_refused(options: dict[str, bool]) -> None:
    image = image_of(**options)
    file, dice = image.build(), random.Random(3)
    last = image.positions["grain", 600] * SECTOR
    for end in [0, 1, 511, 513, last, last + 20, *(dice.randrange(last) for _ in range(20))]:
        with pytest.raises(REFUSED):
            vmdk_images.read_at_random(file[:end])
        with pytest.raises(REFUSED):
            vmdk_images.read_forward(file[:end])


def test_a_stream_without_its_end_is_refused() -> None:
    file = image_of(**END).build()
    for cut in range(1, 6):
        with pytest.raises(REFUSED):
            vmdk_images.read_forward(file[: -cut * SECTOR])
    with pytest.raises(REFUSED):
        vmdk_images.read_forward(file + b"more")


def test_a_footer_that_places_the_directory_elsewhere_is_refused_in_one_pass() -> None:
    image = image_of(**END)
    file = damaged(image, "footer", 56, (image.positions.get("directory", 0) + 1).to_bytes(8))
    with pytest.raises(REFUSED):
        vmdk_images.read_forward(file)


def test_a_hidden_grain_is_refused_in_one_pass() -> None:
    """What only markers name would be in the disk for one reader and not for the other."""
    for options in (FRONT, END):
        file = damaged(image_of(**options), ("table", 0), 4 * 5, number(0))
        with pytest.raises(errors.CorruptImage):
            vmdk_images.read_forward(file)


def test_a_directory_of_an_absurd_disk_is_refused() -> None:
    image = image_of(**FRONT)
    file = hostile.put(image.build(), 12, (1 << 41).to_bytes(8, "little"))
    for read in (vmdk_images.read_at_random, vmdk_images.read_forward):
        with pytest.raises(errors.UnsafeImage):
            read(file)


def test_grains_of_zeros_are_zeros_only_where_the_flag_says_so() -> None:
    image = image_of()
    image.grains[2] = ZERO
    file = image.build()
    assert vmdk_images.read_at_random(file) == image.content()
    (flags,) = struct.unpack_from("<I", file, 8)
    for read in (vmdk_images.read_at_random, vmdk_images.read_forward):
        with pytest.raises(errors.CorruptImage):
            read(hostile.put(file, 8, number(flags & ~4)))


@pytest.mark.parametrize("options", [SPARSE, FRONT, END], ids=["sparse", "front", "end"])
def test_any_damage_ends_with_a_reason_or_the_same_disk_both_ways(
    options: dict[str, bool],
) -> None:
    image, dice = image_of(**options), random.Random(11)
    sound = image.build()
    places = [place * SECTOR for place in image.positions.values()]
    for _ in range(150):
        raw = bytearray(sound)
        for _ in range(dice.randint(1, 3)):
            at = dice.choice(places) + dice.randrange(0, 64)
            raw[at : at + 4] = dice.choice([bytes(4), b"\xff" * 4, dice.randbytes(4), b"\1\0\0\0"])
        try:
            forward = vmdk_images.read_forward(bytes(raw))
        except errors.TransferError:
            continue
        assert vmdk_images.read_at_random(bytes(raw)) == forward
