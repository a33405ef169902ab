"""
meta.k8s.io/v1 Table answers: what `kubectl get` prints.

Here: the answer's shape and the columns of custom kinds. Elsewhere: the cells of built-in kinds
(`cells`), paths (`jsonpath`), ages (`age`). `now` is handed in, so that a table is a pure function.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from cdi.standalone.schema import age, cells, jsonpath
from cdi.standalone.schema.kinds import Column, KindInfo

__all__ = ["Column", "table_for"]

Row = Callable[[dict[str, Any], datetime], list[Any]]

_INCLUDED: dict[str, Callable[[dict[str, Any]], dict[str, Any] | None]] = {
    "None": lambda _: None,
    "Metadata": lambda obj: {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj.get("metadata", {}),
    },
    "Object": lambda obj: obj,
}


def table_for(
    info: KindInfo, objects: Iterable[dict[str, Any]], include_object: str, now: datetime
) -> dict[str, Any]:
    """The rows of `objects`; `include_object` is None, Metadata or Object ("" means Metadata).

    List metadata (resourceVersion, continue) is the caller's to add.
    """
    columns = columns_of(info)
    row = _row_of(info, columns)
    include = _INCLUDED[include_object or "Metadata"]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [_definition(column) for column in columns],
        "rows": [_table_row(row(obj, now), include(obj)) for obj in objects],
    }


def columns_of(info: KindInfo) -> tuple[Column, ...]:
    """The columns a client sees: a custom kind's own come after its name."""
    if not info.custom:
        return info.columns
    name = Column("Name", format="name", description="Name must be unique within a namespace.")
    return (name, *(info.columns or (_AGE,)))


_AGE = Column("Age", type="date", json_path=".metadata.creationTimestamp")


def _table_row(found: list[Any], included: dict[str, Any] | None) -> dict[str, Any]:
    return {"cells": found, "object": included} if included is not None else {"cells": found}


def _definition(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row_of(info: KindInfo, columns: tuple[Column, ...]) -> Row:
    if not info.custom:
        return cells.row_of(info.kind)

    def row(obj: dict[str, Any], now: datetime) -> list[Any]:
        name = obj.get("metadata", {}).get("name", "")
        return [name, *(custom_cell(column, obj, now) for column in columns[1:])]

    return row


def custom_cell(column: Column, obj: dict[str, Any], now: datetime) -> Any:
    """The cell of a custom column; None, which prints as <none>, where there is no such value."""
    found = jsonpath.find(column.json_path, obj)
    if not found:
        return None
    value = found[0]
    if column.type == "string":
        return ",".join(map(_text, found))
    if column.type == "date":
        return _date(value, now)
    return _number_or_flag(column.type, value)


def _date(value: Any, now: datetime) -> str | None:
    if not isinstance(value, str):
        return None
    return age.since(value, now) if age.parse_time(value) else "<invalid>"


def _number_or_flag(kind: str, value: Any) -> Any:
    if isinstance(value, bool):
        return value if kind == "boolean" else None
    if not isinstance(value, int | float):
        return None
    return {"integer": int, "number": float}.get(kind, lambda _: None)(value)


def _text(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, separators=(",", ":"), sort_keys=True)
    )
