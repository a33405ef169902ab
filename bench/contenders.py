"""
The programs that race. Every one ends with the same sparse raw disk, synced to the device.

    ours     cdi import
    scratch  download (and decompress) to a scratch file and sync it, qemu-img convert, sync
    pipe     the sensible plain-tool pipelines without a synced scratch file; the fastest counts
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import tools

# Options that never hide an error; $1 is the URL, $2 the disk to be, $3 a scratch file.
_SHELL = ["bash", "-c"]
_BEGIN = "set -euo pipefail; url=$1 disk=$2 scratch=$3; "
_CURL = 'curl -sSf "$url"'
# Holes of 64 KiB and more, as cheap to find as writing them would be dear.
_SPARSE = 'dd of="$disk" bs=64K iflag=fullblock conv=sparse,fsync status=none'
_UNPACK = {
    "gz": ["gzip -dc", "pigz -dc"],
    "xz": ["xz -dc -T0"],
    "zst": ["zstd -qdc"],
    "bz2": ["bzip2 -dc"],
}


@dataclass(frozen=True, slots=True)
class Contender:
    """One program; `script` of bash, or None for cdi itself."""

    name: str
    script: str | None = None

    def argv(self, url: str, disk: Path, scratch: Path) -> Sequence[object]:
        """Return the words that import `url` to `disk`."""
        if self.script is None:
            return [*cdi(), "import", url, "-o", disk, "--json"]
        return [*_SHELL, _BEGIN + self.script, "bash", url, disk, scratch]


OURS = Contender("cdi")


def cdi() -> list[str]:
    """Return the words that start our program."""
    return [sys.executable, "-m", "cdi"]


def scratch(image_format: str, compression: str | None) -> Contender:
    """Return what the original does: everything to scratch, then convert."""
    unpack = f" | {_UNPACK[compression][0]}" if compression else ""
    return Contender(
        "scratch",
        f'{_CURL}{unpack} >"$scratch"; sync "$scratch"; '
        f'qemu-img convert -t writeback -f {image_format} -O raw "$scratch" "$disk"; '
        'sync "$disk"; rm "$scratch"',
    )


def pipelines(image_format: str, compression: str | None) -> list[Contender]:
    """Return the plain-tool ways that could be the fastest on this machine."""
    if image_format == "raw":
        return [*_raw_pipelines(compression)]
    # Not qemu-img reading the URL itself: its http driver took minutes for what a download does in
    # seconds, and did not end when asked to.
    return [
        Contender(
            f"curl, convert {options}",
            f'{_CURL} >"$scratch"; qemu-img convert {options} -f {image_format} -O raw '
            '"$scratch" "$disk"; sync "$disk"; rm "$scratch"',
        )
        for options in ("-m 8", "-m 16 -W")
    ]


def _raw_pipelines(compression: str | None) -> list[Contender]:
    if compression is None:
        return [Contender("curl | dd", f"{_CURL} | {_SPARSE}")]
    found = [
        Contender(f"curl | {unpack} | dd", f"{_CURL} | {unpack} | {_SPARSE}")
        for unpack in _UNPACK[compression]
        if tools.have(unpack.split()[0])
    ]
    if compression == "zst":
        found.append(
            Contender(
                "curl | zstd --sparse",
                f'{_CURL} | zstd -qdf --sparse -o "$disk"; sync "$disk"',
            )
        )
    return found
