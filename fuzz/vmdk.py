"""Fuzz both VMDK readers with changes of small images of every kind."""

from __future__ import annotations

import random

from fuzz import disks, harness, patches

with harness.instrumented():
    from support.vmdk_images import ZERO, Image

_DICE = random.Random(1)
_GRAINS = {number: _DICE.randbytes(8) * 512 for number in (0, 1, 2, 9, 513)} | {5: ZERO}
_KINDS = (
    {},
    {"redundant": True},
    {"packed": True},
    {"packed": True, "footer": True},
)
_MADE = [Image(_GRAINS, 600 * 8 - 3, **kind) for kind in _KINDS]
IMAGES = [image.build() for image in _MADE]


def seeds() -> list[bytes]:
    header = (4, 8, 12, 20, 28, 36, 44, 48, 56, 64, 72, 77)
    found = patches.seeds(IMAGES, header)
    for number, image in enumerate(_MADE):
        for place in image.positions.values():
            raw = IMAGES[number][place * 512 : place * 512 + 16]
            found.append(patches.seed(number, (place * 512, raw)))
    return found


def check(data: bytes) -> None:
    raw = patches.applied(data, IMAGES)
    if raw.startswith(b"KDMV"):
        disks.check_both(raw, "vmdk")


if __name__ == "__main__":
    harness.run(seeds, check)
