"""
One disk of a virtual machine as a source: vSphere says which, nbdkit serves it.

A whole disk is everything that the library calls allocated; a delta is what changed since an
earlier snapshot, to be written over the disk that the target has. Only a snapshot stays as it is:
a disk without one gets no version, so that no import of it is ever continued.

Use `open_disk` as a context manager: session, process and socket go when the block ends.
"""

from __future__ import annotations

import logging
import platform
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from cdi.images import errors
from cdi.images.confined import nbdkit
from cdi.images.layout import Extent
from cdi.images.sources import nbd
from cdi.images.sources.spec import SourceSpec
from cdi.images.sources.vddk import areas, choosing, command
from cdi.images.sources.vddk.access import Credentials, parse_address
from cdi.images.sources.vddk.values import Answer
from cdi.images.sources.vddk.vsphere import Vsphere

log = logging.getLogger(__name__)

_MACHINES = frozenset({"x86_64", "amd64"})
_TOLD = 50  # lines of nbdkit's log that are passed on after a failure


@dataclass(frozen=True, slots=True)
class Request:
    """Which disk, as of when, and how to reach it."""

    url: str
    uuid: str
    backing_file: str
    credentials: Credentials
    library: command.Library
    current: str = ""  # snapshot to copy; empty: the disk as it is now
    previous: str = ""  # snapshot or change id that the target already has
    settings: nbd.Settings = field(default_factory=nbd.Settings)


@contextmanager
def open_disk(
    request: Request, halt: threading.Event, architecture: str | None = None
) -> Iterator[SourceSpec]:
    """Yield the prepare of one disk. Raises SourceError, InvalidRequest, Cancelled."""
    _insist_on_sense(request, architecture or platform.machine())
    address = parse_address(request.url)
    request.library.insist()
    nbdkit.probe(command.probe_for(request.library), halt)
    with Vsphere(address, request.credentials, halt) as vsphere:
        machine = vsphere.machine(request.uuid)
        choice = choosing.choose(machine, request.backing_file, request.current, request.previous)
        given = request.credentials
        login = command.Login(address, given.user, given.password, given.thumbprint)
        watcher = command.Watcher()
        order = command.command_for(request.library, login, machine.id, choice)
        with _serving(order, halt, watcher) as server:
            yield SourceSpec(
                open=lambda halt: _open(request, choice, server, vsphere, machine.id, halt),
                as_is=True,
                update=choice.change_id is not None,
                vddk=watcher.facts,
            )


class Delta:
    """A disk of which only what has changed is wanted; see `source.Mapped`."""

    ranged = True

    def __init__(self, disk: nbd.NbdSource, ask: Callable[[int], Answer]) -> None:
        """`ask` tells what changed from an offset on."""
        self._disk, self._ask = disk, ask
        self.size, self.identity = disk.size, disk.identity

    def stream(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        return self._disk.stream(start, end)

    def extents(self) -> Iterator[Extent]:
        """Yield what changed, split into data and zeros."""
        return areas.extents(areas.changed(self._ask, self.size), self._disk.parts)

    def close(self) -> None:
        self._disk.close()


def _insist_on_sense(request: Request, architecture: str) -> None:
    if architecture.lower() not in _MACHINES:
        raise errors.InvalidRequest(
            f"VDDK does not exist for {architecture}; run the import on an amd64 node"
        )
    for name, value in (("uuid", request.uuid), ("backingFile", request.backing_file)):
        if not value:
            raise errors.InvalidRequest(f"a vddk source needs {name}")
    if not request.credentials.user or not request.credentials.password:
        raise errors.InvalidRequest("a vddk source needs user and password; give it a Secret")


@contextmanager
def _serving(
    order: nbdkit.Command, halt: threading.Event, watcher: command.Watcher
) -> Iterator[nbdkit.Server]:
    log_of: nbdkit.Server | None = None
    try:
        with nbdkit.serving(order, halt, watcher) as server:
            log_of = server
            yield server
    except errors.SourceUnavailable as failure:
        if log_of is None:  # it never began to serve: the message is its own last words
            raise command.meaning(str(failure), failure) from failure
        _tell(log_of)
        raise
    except errors.SourceError:
        if log_of is not None:
            _tell(log_of)
        raise


def _tell(server: nbdkit.Server) -> None:
    for line in server.log.lines()[-_TOLD:]:
        log.info("nbdkit: %s", line)


def _open(
    request: Request,
    choice: choosing.Choice,
    server: nbdkit.Server,
    vsphere: Vsphere,
    machine: str,
    halt: threading.Event,
) -> nbd.NbdSource | Delta:
    def explain(error: errors.SourceError) -> errors.TransferError:
        return command.meaning(server.last_words(), error)

    def dial() -> socket.socket:
        return nbd.dial_unix(server.socket())

    settings = replace(request.settings, explain=explain)
    location = f"vddk:{request.uuid}/{choice.file}"
    snapshot, since = choice.snapshot, choice.change_id
    version = snapshot.id if snapshot else ""
    if snapshot is None or since is None:
        return nbd.NbdSource(dial, location, settings, version=version, cancel=halt)
    version += f" since {since}"
    disk = nbd.NbdSource(dial, location, settings, version=version, cancel=halt)
    key = choice.disk.key
    return Delta(disk, lambda start: vsphere.changed(machine, snapshot.id, key, start, since))
