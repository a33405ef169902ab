"""
Fields that every log record of a piece of work carries: bound once, at the entry.

Here: the binding, and the filter that puts it on records. Install `Fields` on the handlers of a
process; whoever logs inside `bound` need not know. The fields travel with asyncio tasks.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_fields: ContextVar[Mapping[str, Any] | None] = ContextVar("log_fields", default=None)


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Add fields to all records logged within, on top of those bound outside."""
    token = _fields.set({**current(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def current() -> Mapping[str, Any]:
    """The fields bound here and now."""
    return _fields.get() or {}


class Fields(logging.Filter):
    """Puts the bound fields on every record; a record's own fields win."""

    def filter(self, record: logging.LogRecord) -> bool:
        for name, value in current().items():
            if not hasattr(record, name):
                setattr(record, name, value)
        return True
