"""
Walls that a system may lack, and what is made of it: one warning a process, or a refusal.

    files     nothing but what was named can be opened: Landlock, from Linux 5.13
    network   none: a namespace of its own; or Landlock, from Linux 6.7, which holds TCP alone

Whoever starts the work says once, for the whole process, that programs may not run without.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from cdi.images import errors

log = logging.getLogger(__name__)

FILES, NETWORK = "files", "network"
REMEDY = (
    "Landlock needs Linux 5.13 and a kernel that has it switched on; a network namespace needs "
    "user namespaces or privileges, or else Landlock of Linux 6.7"
)


class _Policy:
    """What this process wants, and whether it was told."""

    required = False
    told = False


def require(*, required: bool = True) -> None:
    """Have every program refused from now on for which a wall is missing."""
    _Policy.required = required


def are_required() -> bool:
    return _Policy.required


def tell(missing: Collection[str]) -> None:
    """Say once that walls are missing. Raises Unconfined where they are required."""
    if not missing:
        return
    if _Policy.required:
        raise errors.Unconfined(
            f"{words(missing)}, and this was started with the demand for all walls; {REMEDY}"
        )
    if not _Policy.told:
        _Policy.told = True
        log.warning("other people's programs run without a wall", extra={"missing": list(missing)})


def words(missing: Collection[str]) -> str:
    """Say which walls are missing, for people."""
    return f"this system has no wall around {' and '.join(sorted(missing))} of other programs"
