"""
What requests ask for, as values of ours. Pure; raises Refused for what no driver could do.

Sizes are in bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from cdi.hostpath.csi.codes import Code, Refused, invalid
from cdi.hostpath.csi.identity import TOPOLOGY_KEY
from cdi.hostpath.csi.messages import values, volume_calls
from cdi.hostpath.pools import LEGACY, Content, Kind, Wanted
from cdi.volumes.pool import Mode

STORAGE_POOL: Final = "storagePool"
_FROM: Final = "from:"  # what the tokens of lists begin with
EPHEMERAL: Final = "csi.storage.k8s.io/ephemeral"

T = TypeVar("T")


def wanted_of(request: volume_calls.CreateVolumeRequest) -> Wanted:
    """The volume that a request asks for."""
    if not request.name:
        raise invalid("the request names no volume")
    size, limit = range_of(request.capacity_range)
    return Wanted(
        id=request.name,
        pool=pool_of(request.parameters),
        mode=mode_of(request.volume_capabilities),
        size=size,
        limit=limit,
        content=content_of(request.volume_content_source),
    )


def pool_of(parameters: Mapping[str, str]) -> str:
    return parameters.get(STORAGE_POOL) or LEGACY


def mode_of(capabilities: Sequence[values.VolumeCapability]) -> Mode:
    """Directory or device: one of both for all who use a volume."""
    if not capabilities:
        raise invalid("the request says not how the volume is to be used: no volume capability")
    modes = {_mode_of(each) for each in capabilities}
    if len(modes) > 1:
        raise invalid("a volume is a directory or a device, and cannot be both")
    return modes.pop()


def _mode_of(capability: values.VolumeCapability) -> Mode:
    match capability:
        case values.VolumeCapability(block=values.BlockVolume(), mount=None):
            return Mode.BLOCK
        case values.VolumeCapability(mount=values.MountVolume(), block=None):
            return Mode.FILESYSTEM
        case _:
            raise invalid("a volume capability has to say one of block and mount")


def range_of(capacity: values.CapacityRange | None) -> tuple[int, int]:
    """The smallest size, and the largest; 0 where none is said."""
    if capacity is None:
        return 0, 0
    size, limit = capacity.required_bytes, capacity.limit_bytes
    if size < 0 or limit < 0:
        raise invalid("a size is less than nothing")
    if limit and size > limit:
        raise invalid(f"{size} bytes are required, and at most {limit} allowed")
    return size, limit


def content_of(source: values.VolumeContentSource | None) -> Content | None:
    match source:
        case None:
            return None
        case values.VolumeContentSource(snapshot=values.SnapshotSource(id), volume=None) if id:
            return Content(Kind.SNAPSHOT, id)
        case values.VolumeContentSource(volume=values.VolumeSource(id), snapshot=None) if id:
            return Content(Kind.VOLUME, id)
        case _:
            raise invalid("a content source has to name one snapshot or one volume")


def insist_on_node(wanted: values.TopologyRequirement | None, node: str) -> None:
    """Refuse what has to be on another node."""
    if wanted is None:
        return
    listed = [*wanted.requisite, *wanted.preferred]
    if listed and all(each.segments.get(TOPOLOGY_KEY, node) != node for each in listed):
        raise invalid(f"the volume is wanted on another node: this one is {node}")


def page_of(
    entries: Sequence[T], names: Sequence[str], start: str, most: int
) -> tuple[Sequence[T], str]:
    """A part of a sorted list, and where the next one begins; empty: nowhere.

    A token is the name at which a page begins. One that was removed since is no obstacle: those
    after it are next.
    """
    if most < 0:
        raise invalid("the number of entries is less than nothing")
    if start and not start.startswith(_FROM):
        raise Refused(Code.ABORTED, f"{start!r} is none of our tokens; list from the beginning")
    first = start.removeprefix(_FROM)
    left = [each for each, name in zip(entries, names, strict=True) if name >= first]
    rest = [name for name in names if name >= first]
    if not most or len(left) <= most:
        return left, ""
    return left[:most], _FROM + rest[most]
