"""
Which image of the engine is meant: a disk as it is now, or one of its snapshots.

Raises NotFound, InvalidRequest and what the engine raises.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass

from cdi.images import errors
from cdi.images.sources.imageio.engine import Engine
from cdi.images.sources.imageio.markup import Node


@dataclass(frozen=True, slots=True)
class WantedDisk:
    """What somebody wants to read: a disk, as it was at checkpoint `current` if that is given.

    With `previous` only what has changed since that checkpoint.
    """

    disk: str
    current: str = ""
    previous: str = ""

    def __post_init__(self) -> None:
        if not self.disk:
            raise errors.InvalidRequest("an imageio source needs the id of a disk; set diskId")
        if self.previous and not self.current:
            raise errors.InvalidRequest(
                f"the checkpoint {self.previous} is given as the previous one, and no current one"
            )


@dataclass(frozen=True, slots=True)
class Image:
    """What the engine is asked to transfer."""

    kind: str  # "disk" or "snapshot", as the engine calls them
    id: str
    location: str  # names it for people and in journals
    base: str = ""  # the disk is wanted as a qcow2 image of changes since this one; empty: raw
    # Changes whenever the content does; empty where nothing promises that, as for a disk in use.
    version: str = ""

    @property
    def delta(self) -> bool:
        return bool(self.base)

    @property
    def format(self) -> str:
        """What the engine calls the form of its bytes."""
        return "cow" if self.delta else "raw"


def find(engine: Engine, wanted: WantedDisk) -> Image:
    """Look up what `wanted` names."""
    try:
        disk = engine.get(f"/disks/{_quoted(wanted.disk)}")
    except errors.NotFound as error:
        raise errors.NotFound(
            f"{error}; the engine has no disk {wanted.disk} that this user may see; check diskId"
        ) from error
    location = f"{engine.shown}/disks/{wanted.disk}"
    if not wanted.current:
        return Image("disk", wanted.disk, location)
    location += f"#{wanted.previous}..{wanted.current}" if wanted.previous else f"#{wanted.current}"
    snapshot = _snapshot(engine, disk, wanted)
    if snapshot is not None:
        _insist_on_changes(wanted, snapshot)
        return Image("snapshot", wanted.current, location, wanted.previous, _version(snapshot))
    if disk.value("image_id") != wanted.current:
        raise errors.NotFound(
            f"the disk {wanted.disk} has no snapshot {wanted.current} in any of its storage "
            "domains, and it is not its active image either; check the checkpoints, or make a "
            "new snapshot"
        )
    _insist_on_changes(wanted, disk)
    return Image("disk", wanted.disk, location, wanted.previous)


def _snapshot(engine: Engine, disk: Node, wanted: WantedDisk) -> Node | None:
    """Return the disk snapshot of the current checkpoint, wherever it is stored."""
    for domain in _domains(disk):
        path = f"/storagedomains/{_quoted(domain)}/disksnapshots"
        found = engine.first(path, lambda node: node.id == wanted.current)
        if found is not None:
            _insist_on_disk(wanted, found)
            return found
    return None


def _version(snapshot: Node) -> str:
    """What changes if the content does: when a snapshot is deleted, the image beneath takes over
    its content and keeps its own id, and belongs to another snapshot of the machine from then on.
    """
    owner = snapshot.child("snapshot")
    return f"{owner.id if owner else ''} {snapshot.value('actual_size')}"


def _domains(disk: Node) -> Iterator[str]:
    several = disk.child("storage_domains")
    one = disk.child("storage_domain")
    seen: set[str] = set()
    for node in [*(several.children if several else ()), *((one,) if one else ())]:
        if node.id and node.id not in seen:
            seen.add(node.id)
            yield node.id


def _insist_on_disk(wanted: WantedDisk, snapshot: Node) -> None:
    owner = snapshot.child("disk")
    if owner is not None and owner.id and owner.id != wanted.disk:
        raise errors.NotFound(
            f"the snapshot {wanted.current} belongs to the disk {owner.id}, not to {wanted.disk}; "
            "check diskId and checkpoints"
        )


def _insist_on_changes(wanted: WantedDisk, image: Node) -> None:
    """Refuse to read changes from an image that holds a whole disk."""
    if wanted.previous and image.value("format") == "raw":
        raise errors.SourceRefused(
            f"the image of checkpoint {wanted.current} is raw: it holds a whole disk, and not "
            f"what changed since {wanted.previous}; use it as the first checkpoint, without a "
            "previous one"
        )


def _quoted(part: str) -> str:
    return urllib.parse.quote(part, safe="")
