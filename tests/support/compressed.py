"""Compressed objects made by the real programs, and the two that no program here can make."""

from __future__ import annotations

import random
import struct
import subprocess
from collections.abc import Iterable, Iterator
from itertools import pairwise

import zstandard

from cdi.images.codecs import codec


def plain(size: int, seed: int = 1) -> bytes:
    """Return what a disk may hold: noise, repetition and zeros."""
    source = random.Random(seed)
    words = [source.randbytes(source.randrange(3, 40)) for _ in range(300)]
    out = bytearray()
    while len(out) < size:
        out += source.choice(
            (bytes(size // 20), source.randbytes(size // 40), b"".join(source.choices(words, k=99)))
        )
    return bytes(out[:size])


def run(command: str, data: bytes) -> bytes:
    """Return what the program makes of `data`."""
    return subprocess.run(command.split(), input=data, stdout=subprocess.PIPE, check=True).stdout


def halves(command: str, data: bytes, between: bytes = b"") -> bytes:
    """Return two compressed halves, one after the other."""
    middle = len(data) // 3
    return run(command, data[:middle]) + between + run(command, data[middle:])


def xz_in_blocks(data: bytes, more: str = "") -> bytes:
    return run(f"xz -c -0 -T1 --block-size={len(data) // 5} {more}", data)


def seekable_zst(data: bytes, frame: int, *, checksums: bool = False) -> bytes:
    """Return frames of `frame` plain bytes each, and a seek table."""
    parts = [data[start : start + frame] for start in range(0, len(data), frame)]
    frames = [zstandard.ZstdCompressor(write_checksum=True).compress(part) for part in parts]
    sizes = [(len(small), len(part)) for small, part in zip(frames, parts, strict=True)]
    return b"".join(frames) + seek_table(sizes, checksums=checksums)


def seek_table(sizes: Iterable[tuple[int, int]], *, checksums: bool = False) -> bytes:
    entries = [struct.pack("<II", *pair) + bytes(4 * checksums) for pair in sizes]
    footer = struct.pack("<IBI", len(entries), checksums << 7, 0x8F92EAB1)
    content = b"".join(entries) + footer
    return struct.pack("<II", 0x184D2A5E, len(content)) + content


def cut(data: bytes, places: Iterable[int]) -> Iterator[bytes]:
    for start, end in pairwise(sorted({0, len(data), *places})):
        yield data[start:end]


def every(data: bytes, size: int) -> Iterator[bytes]:
    return cut(data, range(0, len(data), size))


def decode(
    name: str, pieces: Iterable[bytes], at: codec.Restart | None = None, *, marking: bool = False
) -> bytes:
    """Return all that a decoder makes of the pieces."""
    decoder = codec.codec_named(name).decoder(at, marking=marking)
    out = [part for piece in pieces for part in decoder.feed(piece)]
    return b"".join([*out, *decoder.finish()])


def restarts(
    name: str, data: bytes, size: int = 1, *, marking: bool = False
) -> list[codec.Restart]:
    """Return all points that a decoder passes that is fed pieces of a size."""
    decoder = codec.codec_named(name).decoder(marking=marking)
    found = dict.fromkeys([decoder.restart])
    for piece in every(data, size):
        for _ in decoder.feed(piece):
            found[decoder.restart] = None
        found[decoder.restart] = None
    return [point for point in found if point]
