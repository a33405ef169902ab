"""
Paths to fields of a schema, as rules and selectable fields name them: `.spec.a`, `['b']`.

Here: from the text to the node it names. Elsewhere: JSONPath of columns (`jsonpath`).
"""

from __future__ import annotations

import re
from typing import Any

Schema = dict[str, Any]

_STEP = re.compile(
    r"\.(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|\[(?P<quote>['\"])(?P<key>[^'\"]*)(?P=quote)\]"
)


class NoSuchField(ValueError):
    """The text names no field of the schema; the message says why."""


def steps(text: str) -> list[str]:
    """The names in a path. Raises NoSuchField for what is no path."""
    found, at = [], 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            rest = text[at:]
            if not rest.startswith((".", "[")):
                head = re.split(r"[.\[]", rest, maxsplit=1)[0]
                raise NoSuchField(f"expected [ or . but got: {head}")
            raise NoSuchField("does not refer to a valid field")
        found.append(step["name"] if step["name"] is not None else step["key"])
        at = step.end()
    return found


def find(schema: Schema, text: str) -> Schema:
    """The node that a path names. Raises NoSuchField."""
    node = schema
    for name in steps(text):
        properties = node.get("properties") or {}
        others = node.get("additionalProperties")
        if name in properties:
            node = properties[name]
        elif isinstance(others, dict):
            node = others
        else:
            raise NoSuchField("does not refer to a valid field")
    return node
