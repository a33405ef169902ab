"""Kinds of others whose objects are answered and never stored, as an aggregated API has them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from cdi.standalone.schema.registry import KindInfo

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer, and what the client is told besides."""

    document: Document
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UnstoredKind:
    """
    One kind; its only verb is create.

    `reply` is given the object, its namespace and how strictly fields are checked. The user may do
    this. Raises ApiError.
    """

    kind: KindInfo
    reply: Callable[[Document, str, str], Awaitable[Reply]]
