"""Which way from one version to another, as semver.org orders them. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

_SEMVER: Final = re.compile(
    r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?"
)


class Step(StrEnum):
    """What the difference of two versions means."""

    NONE = "none"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"


def step(old_text: str, new_text: str) -> Step:
    """What the difference of two versions means; what is no such version is always replaced."""
    if old_text in ("", new_text):
        return Step.NONE
    old, new = _precedence(old_text), _precedence(new_text)
    if old is None or new is None or new > old:
        return Step.UPGRADE
    return Step.NONE if new == old else Step.DOWNGRADE


def _precedence(version: str) -> tuple[tuple[int, ...], tuple[tuple[int, int, str], ...]] | None:
    """What versions are ordered by, as semver.org has it; None for what is no such version."""
    found = _SEMVER.fullmatch(version)
    if found is None:
        return None
    numbers = tuple(int(each) for each in found.group(1, 2, 3))
    if found[4] is None:
        return numbers, ((2, 0, ""),)
    return numbers, tuple(
        (0, int(each), "") if each.isdigit() else (1, 0, each) for each in found[4].split(".")
    )
