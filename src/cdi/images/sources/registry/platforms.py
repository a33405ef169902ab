"""
Which image of an index is for which machine. Names are Go's: amd64, arm64, s390x. No I/O.

A variant is a level of a processor: `v7` of arm, `v3` of amd64. Any variant of the wanted
architecture will do where none is asked for; where one is, it or a lower one.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence

from cdi.images import errors
from cdi.images.sources.registry.manifest import Descriptor, Platform

LINUX = "linux"

_GO = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv6l": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
    "i386": "386",
    "i686": "386",
    "loongarch64": "loong64",
    "mips64": "mips64le",
}
# What an architecture means where no variant is written.
_PLAIN = {"arm64": "v8", "arm": "v7", "amd64": "v1"}
_LEVEL = re.compile(r"v([0-9]{1,3})")


def of_this_machine() -> Platform:
    machine = platform.machine()
    return Platform(LINUX, _GO.get(machine, machine))


def parse_platform(text: str) -> Platform:
    """Read `[os/]architecture[/variant]`. Raises InvalidRequest."""
    words = text.strip().lower().split("/")
    if len(words) == 1:
        words.insert(0, LINUX)
    if len(words) > 3 or not all(words):
        raise errors.InvalidRequest(f"{text!r} is no platform like arm64 or linux/arm/v7")
    return Platform(*words)


def choose(manifests: Sequence[Descriptor], wanted: Platform) -> Descriptor:
    """Return the best image for a platform, the first of equals. Raises NoSuchPlatform."""
    best, best_rank = None, -1
    for each in manifests:
        rank = -1 if each.platform is None else _rank(each.platform, wanted)
        if rank > best_rank:
            best, best_rank = each, rank
    if best is None and len(manifests) == 1 and manifests[0].platform is None:
        return manifests[0]  # what it is for is in its configuration
    if best is None:
        # The whole text is what clients look for; nothing follows it.
        raise errors.NoSuchPlatform(
            "Unable to transfer source data to scratch space: Failed to read registry image: "
            "Error retrieving image: choosing image instance: "
            f'no image found in image index for architecture "{wanted.architecture}", '
            f'variant "{wanted.variant}", OS "{wanted.os}"'
        )
    return best


def _rank(offered: Platform, wanted: Platform) -> int:
    """Return how well an image suits, negative where it does not."""
    if (offered.os, offered.architecture) != (wanted.os, wanted.architecture):
        return -1
    plain = _PLAIN.get(wanted.architecture, "")
    asked = wanted.variant or plain
    if (offered.variant or plain) == asked:
        return 2000
    have, need = _LEVEL.fullmatch(offered.variant or plain), _LEVEL.fullmatch(asked)
    if have and need and int(have[1]) < int(need[1]):
        return 1000 + int(have[1])
    if wanted.variant:
        return -1
    return 999 - int(have[1]) if have else 0  # a higher level: rather the lowest of them
