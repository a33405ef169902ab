"""
Test disks: raw ones with data, holes and odd edges, and the same content in other formats.

Everything is made here from a seed, by qemu-img and the usual compressors; nothing is stored.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

MIB = 1 << 20

# name of a layout: how qemu-img makes it from a raw disk
CONVERTED: dict[str, tuple[str, ...]] = {
    "qcow2": ("-O", "qcow2"),
    "qcow2-zlib": ("-O", "qcow2", "-c"),
    "qcow2-zstd": ("-O", "qcow2", "-c", "-o", "compression_type=zstd"),
    "qcow2-v2": ("-O", "qcow2", "-o", "compat=0.10"),
    "qcow2-512": ("-O", "qcow2", "-o", "cluster_size=512"),
    "qcow2-2M-zlib": ("-O", "qcow2", "-c", "-o", "cluster_size=2M"),
    "qcow2-sub": ("-O", "qcow2", "-o", "extended_l2=on,cluster_size=128k"),
    "qcow2-meta": ("-O", "qcow2", "-o", "preallocation=metadata"),
    "vmdk": ("-O", "vmdk"),
    "vmdk-stream": ("-O", "vmdk", "-o", "subformat=streamOptimized"),
    "vdi": ("-O", "vdi"),
    "vhd": ("-O", "vpc", "-o", "force_size=on"),
    "vhdx": ("-O", "vhdx"),
    "qed": ("-O", "qed"),
    "qcow": ("-O", "qcow"),
}

COMPRESSORS: dict[str, tuple[str, ...]] = {
    "gz": ("gzip", "-1", "-c"),
    "xz": ("xz", "-0", "-c"),
    "xz-blocks": ("xz", "-0", "-T2", "--block-size=2MiB", "-c"),
    "zst": ("zstd", "-1", "-q", "-c"),
    "bz2": ("bzip2", "-1", "-c"),
}


def raw_disk(path: Path, size: int = 24 * MIB, data: int = 8 * MIB, seed: int = 1) -> Path:
    """Make a raw disk: random bytes, text, small islands and large holes; the last byte is set."""
    rng = random.Random(seed)
    with path.open("wb") as file:
        file.truncate(size)
        file.write(b"\xeb\x63\x90" + rng.randbytes(509))
        file.seek(510)
        file.write(b"\x55\xaa")
        left = data
        while left > 0:
            length = min(left, rng.choice([512, 4096, 5000, 65536, 300_000, MIB]))
            file.seek(rng.randrange(1, (size - length) // 512) * 512)
            file.write(
                rng.randbytes(length) if rng.random() < 0.6 else (b"text " * length)[:length]
            )
            left -= length
        file.seek(size - 1)
        file.write(b"\x01")
    return path


def text_disk(path: Path, size: int, data: int, seed: int = 1) -> Path:
    """Make a raw disk whose data, in runs of a MiB, compress to about two thirds."""
    rng = random.Random(seed)
    letters = bytes(byte % 40 + 40 for byte in range(256))
    with path.open("wb") as file:
        file.truncate(size)
        for at in sorted(rng.sample(range(size // MIB), data // MIB)):
            file.seek(at * MIB)
            file.write(rng.randbytes(MIB).translate(letters))
    return path


def convert(disk: Path, layout: str) -> Path:
    """Return a file beside `disk` with the same content in another layout."""
    made = disk.with_suffix("." + layout)
    subprocess.run(["qemu-img", "convert", "-f", "raw", *CONVERTED[layout], disk, made], check=True)
    return made


def compress(file: Path, kind: str) -> Path:
    """Return `file` compressed beside itself."""
    made = file.with_name(f"{file.name}.{kind}")
    with made.open("wb") as out:
        subprocess.run([*COMPRESSORS[kind], file], check=True, stdout=out)
    return made


def differs(left: Path, right: Path) -> str:
    """Return what `qemu-img compare` says, nothing when two raw disks are identical."""
    seen = subprocess.run(
        ["qemu-img", "compare", "-f", "raw", "-F", "raw", left, right],
        capture_output=True,
        text=True,
    )
    return "" if seen.returncode == 0 else seen.stdout + seen.stderr


def nonzero_bytes(disk: Path, block: int = 4096) -> int:
    """Count the bytes in blocks of a raw disk that hold anything but zeros."""
    zeros = bytes(block)
    with disk.open("rb") as file:
        return sum(len(part) for part in iter(lambda: file.read(block), b"") if part != zeros)
