"""Reading plain objects in which any field may be missing. A null counts as missing."""

from collections.abc import Mapping
from typing import Any


def at(obj: Any, *path: str) -> Any:
    """Return the value at a path of keys, or None."""
    for key in path:
        if not isinstance(obj, Mapping):
            return None
        obj = obj.get(key)
    return obj


def name(obj: Mapping[str, Any]) -> str:
    return str(at(obj, "metadata", "name") or "")


def namespace(obj: Mapping[str, Any]) -> str:
    return str(at(obj, "metadata", "namespace") or "")


def annotation(obj: Mapping[str, Any] | None, key: str) -> str | None:
    """Return the value of an annotation, or None where there is none."""
    value = at(obj, "metadata", "annotations", key)
    return None if value is None else str(value)


def is_deleting(obj: Mapping[str, Any]) -> bool:
    return bool(at(obj, "metadata", "deletionTimestamp"))
