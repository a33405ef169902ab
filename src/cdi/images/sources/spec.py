"""
Everything a transfer needs to know of where its bytes come from: a value, made by the module that
knows a kind of source, used by whoever runs the transfer.

A source that needs more than an address (a session, a ticket, a process beside it) is made by a
context manager that yields its spec and lets go of the rest at the end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cdi.images import errors
from cdi.images.http.options import HttpOptions
from cdi.images.layout import Part
from cdi.images.sources.source import Source


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What a user says of a source beyond its place."""

    http: HttpOptions = field(default_factory=HttpOptions)
    # Read for the variables that tools of a kind of source usually go by; never logged.
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    platform: str = ""  # of a container image, like arm64; empty for this machine's


@dataclass(frozen=True)
class SourceSpec:
    """Where the bytes of one disk come from, and what was learnt on the way to them."""

    # Opens the source, whose waits end when the event is set; called again if it changed.
    open: Callable[[threading.Event], Source]
    checksum: tuple[str, str] | None = None  # of the whole source: algorithm, lower-case hex
    part: Part | None = None  # the disk is this file inside the source's content
    disk: str | None = None  # which file of an appliance (OVA) is the disk, if it has several
    as_is: bool = False  # the content is a raw disk whatever it looks like
    update: bool = False  # the source holds the changes since the disk that the target has
    base: str | None = None  # the changes are a qcow2 image that names this as its base
    labels: Mapping[str, str] = field(default_factory=dict)  # the source's wishes for its claim
    # What the VDDK library told of itself, once it has worked: its version, and the host it read.
    vddk: Callable[[], tuple[str, str] | None] = lambda: None


def open_nothing(_halt: threading.Event) -> Source:
    """Stand in for a source in an order that a prepare completes later."""
    raise errors.InvalidRequest("the request has no source")
