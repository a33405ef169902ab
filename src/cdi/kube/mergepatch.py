"""
JSON merge patches (RFC 7386): made from two states, and applied to one. Pure.

A merge patch replaces lists as a whole and cannot set a null; Kubernetes objects have no use
for nulls.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any


def merge_patch_for(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The smallest merge patch that turns `old` into `new`; empty where they are equal."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        have = old.get(key)
        if isinstance(have, Mapping) and isinstance(value, Mapping):
            if inner := merge_patch_for(have, value):
                patch[key] = inner
        elif key not in old or have != value or type(have) is not type(value):
            patch[key] = copy.deepcopy(value)
    return patch


def merged(target: Any, patch: Any) -> Any:
    """The result of applying a merge patch; `target` stays as it is."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
