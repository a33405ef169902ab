"""
The difference between two documents as a JSON Patch (RFC 6902), small where they differ little.

Objects are compared key by key; a list that changed is replaced as a whole, because nothing here
changes single items of one.
"""

from collections.abc import Iterator
from typing import Any

Operation = dict[str, Any]


def difference(old: Any, new: Any) -> list[Operation]:
    """Return the operations that turn `old` into `new`; none if they are equal."""
    return list(_operations(old, new, ""))


def _operations(old: Any, new: Any, path: str) -> Iterator[Operation]:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        if old != new or type(old) is not type(new):
            yield {"op": "replace", "path": path, "value": new}
        return
    for key in sorted(old.keys() - new.keys()):
        yield {"op": "remove", "path": f"{path}/{_escaped(key)}"}
    for key, value in new.items():
        below = f"{path}/{_escaped(key)}"
        if key in old:
            yield from _operations(old[key], value, below)
        else:
            yield {"op": "add", "path": below, "value": value}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
