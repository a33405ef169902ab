"""QCOW images of version 1 with compressed clusters, which `qemu-img convert -c` fails to end."""

from __future__ import annotations

import struct
import zlib

CLUSTER_BITS, L2_BITS = 12, 9
_CLUSTER, _SPAN = 1 << CLUSTER_BITS, 1 << CLUSTER_BITS + L2_BITS
_HEADER = 48


def compressed(raw: bytes) -> bytes:
    """Return an image of the disk `raw`: each cluster is deflated where that makes it smaller."""
    tables = -(-len(raw) // _SPAN)
    made = bytearray(-(-(_HEADER + 8 * tables) // _CLUSTER) * _CLUSTER)
    made[:_HEADER] = struct.pack(
        ">4sIQIIQBBHIQ", b"QFI\xfb", 1, 0, 0, 0, len(raw), CLUSTER_BITS, L2_BITS, 0, 0, _HEADER
    )
    for index in range(tables):
        data = raw[index * _SPAN : (index + 1) * _SPAN]
        if not data.strip(b"\0"):
            continue
        _align(made)
        table = len(made)
        struct.pack_into(">Q", made, _HEADER + 8 * index, table)
        made += bytes(8 << L2_BITS)
        for number in range(-(-len(data) // _CLUSTER)):
            cluster = data[number * _CLUSTER : (number + 1) * _CLUSTER].ljust(_CLUSTER, b"\0")
            if cluster.strip(b"\0"):
                struct.pack_into(">Q", made, table + 8 * number, _put(made, cluster))
    return bytes(made)


def _put(made: bytearray, cluster: bytes) -> int:
    """Append a cluster; return its entry."""
    packer = zlib.compressobj(wbits=-12)
    packed = packer.compress(cluster) + packer.flush()
    if len(packed) >= _CLUSTER:
        _align(made)
        made += cluster
        return len(made) - _CLUSTER
    made += packed
    return 1 << 63 | len(packed) << 63 - CLUSTER_BITS | len(made) - len(packed)


def _align(made: bytearray) -> None:
    made += bytes(-len(made) % _CLUSTER)
