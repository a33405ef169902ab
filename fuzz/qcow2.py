"""Fuzz both qcow2 readers with changes of small images of every kind."""

from __future__ import annotations

import random

from fuzz import disks, harness, patches

with harness.instrumented():
    from support.qcow2_images import Image, Packed, Parts, Plain, Zero

_NOISE = random.Random(1).randbytes(1 << 14)


def _images() -> list[bytes]:
    plain = {0: Plain(_NOISE[:512]), 1: Packed(bytes(512)), 2: Packed(b"ab" * 256), 70: Zero(True)}
    wide = _NOISE[: 1 << 14]
    parts = {0: Parts(wide, 0x0F0F, 0xF0), 3: Packed(bytes(1 << 14)), 5: Plain(wide)}
    images = [
        Image(plain, 100 * 512 - 7),
        Image(plain, 100 * 512, version=2),
        Image(plain, 100 * 512, zstd=True),
        Image(parts, 6 << 14, cluster_bits=14, extended=True),
    ]
    late = Image(plain, 100 * 512)
    return [image.build() for image in images] + [late.build(reversed(late.items()))]


IMAGES = _images()


def seeds() -> list[bytes]:
    return patches.seeds(IMAGES, (4, 20, 24, 36, 40, 48, 72, 512, 1024, 1536, 2048))


def check(data: bytes) -> None:
    raw = patches.applied(data, IMAGES)
    if raw.startswith(b"QFI\xfb"):
        disks.check_both(raw, "qcow2")


if __name__ == "__main__":
    harness.run(seeds, check)
