"""
Strategic merge patches to the kinds that are served: for all but custom ones.

Raises UnsupportedPatch for those (415) and InvalidPatch for nonsense (400).
"""

from __future__ import annotations

from typing import Any

from cdi.kube import strategicmerge
from cdi.kube.strategicmerge import InvalidPatch
from cdi.standalone.schema.kinds import KindInfo

__all__ = ["InvalidPatch", "UnsupportedPatch", "merge"]

Object = dict[str, Any]


class UnsupportedPatch(Exception):
    """The kind has no strategic merge patch (415)."""

    def __init__(self) -> None:
        super().__init__(
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, "
            "application/apply-patch+yaml"
        )


def merge(info: KindInfo, current: Object, patch: Object) -> Object:
    """`current` with the patch applied."""
    if info.custom:
        raise UnsupportedPatch
    return strategicmerge.merge(info.schema, current, patch)
