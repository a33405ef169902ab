"""What every row function of a table needs: its type, and the cells that most rows have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from cdi.standalone.schema import age

Object = dict[str, Any]
Row = Callable[[Object, datetime], list[Any]]

NONE = "<none>"
UNSET = "<unset>"


def name_of(obj: Object) -> str:
    return str(obj.get("metadata", {}).get("name", ""))


def age_of(obj: Object, now: datetime) -> str:
    """How long ago the object was created."""
    return age.since(obj.get("metadata", {}).get("creationTimestamp"), now)
