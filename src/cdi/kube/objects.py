"""
Reading plain Kubernetes objects: names, labels, and fields that may be missing.

Here: accessors for dicts as the server sent them. Nothing here writes to an object; what comes
out of a cache is shared and read-only. Elsewhere: owner references (`owners`), finalizers and
other writes (`apply`).
"""

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

Object: TypeAlias = dict[str, Any]
Objects: TypeAlias = list[Object]


class Key(NamedTuple):
    """Which object of a kind. The namespace is empty for cluster-wide kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def parse_key(text: str) -> Key:
    """Turn `namespace/name` or `name` into a key. Raises ValueError on anything else."""
    parts = text.split("/")
    if len(parts) > 2 or not all(parts):
        raise ValueError(f"not an object key: {text!r}")
    return Key("", parts[0]) if len(parts) == 1 else Key(parts[0], parts[1])


def metadata(obj: Mapping[str, Any]) -> dict[str, Any]:
    """The object's metadata; an empty dict, not part of the object, where it has none."""
    return obj.get("metadata") or {}


def name(obj: Mapping[str, Any]) -> str:
    return str(metadata(obj).get("name", ""))


def namespace(obj: Mapping[str, Any]) -> str:
    return str(metadata(obj).get("namespace", ""))


def uid(obj: Mapping[str, Any]) -> str:
    return str(metadata(obj).get("uid", ""))


def resource_version(obj: Mapping[str, Any]) -> str:
    return str(metadata(obj).get("resourceVersion", ""))


def key(obj: Mapping[str, Any]) -> Key:
    meta = metadata(obj)
    return Key(meta.get("namespace", ""), meta.get("name", ""))


def labels(obj: Mapping[str, Any]) -> dict[str, str]:
    return metadata(obj).get("labels") or {}


def annotations(obj: Mapping[str, Any]) -> dict[str, str]:
    return metadata(obj).get("annotations") or {}


def finalizers(obj: Mapping[str, Any]) -> list[str]:
    return metadata(obj).get("finalizers") or []


def is_deleting(obj: Mapping[str, Any]) -> bool:
    """Whether somebody asked for the object's deletion and only finalizers keep it."""
    return bool(metadata(obj).get("deletionTimestamp"))


def get(obj: Any, *path: str | int, default: Any = None) -> Any:
    """The value at a path of keys and list indexes; `default` where a step or a value is missing.

    A null counts as missing: the API makes no difference between the two.
    """
    at = obj
    for step in path:
        if isinstance(step, int):
            if not isinstance(at, list) or not -len(at) <= step < len(at):
                return default
            at = at[step]
        else:
            if not isinstance(at, Mapping):
                return default
            at = at.get(step)
    return default if at is None else at


def compact(obj: Object) -> Object:
    """Return what a cache keeps of an object; meant as an informer's transform.

    Without managedFields, which are often half of it and of no use to a controller, and with one
    copy of every text that recurs: thousands of objects have the same keys, kinds and reasons,
    and a decoder makes them anew for each. It halves what they take.
    """
    metadata(obj).pop("managedFields", None)
    return {sys.intern(key): _sharing(value) for key, value in obj.items()}


_RECURS = 32  # longer values are mostly UIDs and sentences, which do not


def _sharing(value: Any) -> Any:
    if isinstance(value, dict):
        return {sys.intern(key): _sharing(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_sharing(inner) for inner in value]
    if isinstance(value, str) and len(value) <= _RECURS:
        return sys.intern(value)
    return value
