"""
Inputs that are changes of a sound image: a few bytes of them reach deep into large files.

An input names one of several images, where to cut it, and patches. Any bytes are an input.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_HEAD = struct.Struct("<BI")  # which image, where it is cut (0: nowhere)
_PATCH = struct.Struct("<IB")  # offset, length; then the bytes


def seed(image: int, *patches: tuple[int, bytes]) -> bytes:
    """Return the input for an image with patches."""
    parts = [_PATCH.pack(offset, len(value)) + value for offset, value in patches]
    return _HEAD.pack(image, 0) + b"".join(parts)


def seeds(images: Sequence[bytes], places: Sequence[int] = ()) -> list[bytes]:
    """Return inputs for every image: as it is, and with something at each of the `places`."""
    plain = [seed(number) for number in range(len(images))]
    return plain + [
        seed(number, (place, raw[place : place + 8]))
        for number, raw in enumerate(images)
        for place in places
    ]


def applied(data: bytes, images: Sequence[bytes]) -> bytes:
    """Return the image that an input stands for."""
    if len(data) < _HEAD.size:
        return data
    number, cut = _HEAD.unpack_from(data)
    raw = bytearray(images[number % len(images)])
    at = _HEAD.size
    while at + _PATCH.size <= len(data):
        offset, length = _PATCH.unpack_from(data, at)
        value = data[at + _PATCH.size : at + _PATCH.size + length]
        offset %= len(raw) + 1
        raw[offset : offset + len(value)] = value
        at += _PATCH.size + length
    return bytes(raw[: cut % (len(raw) + 1)]) if cut else bytes(raw)
