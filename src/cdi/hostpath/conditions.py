"""Whether a volume is well: what its directory and its file system say. Blocking."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cdi.hostpath.pools import HostPool
from cdi.volumes import mounts
from cdi.volumes.devices import DISK
from cdi.volumes.pool import Mode


@dataclass(frozen=True, slots=True)
class Condition:
    """What there is to say of a volume; the message is for people."""

    abnormal: bool
    message: str


WELL = Condition(abnormal=False, message="the volume is well")


def condition_of(pool: HostPool, volume: str, published: Path | None = None) -> Condition:
    """The condition of a volume, and of the place where a pod finds it."""
    return next((Condition(True, each) for each in _troubles(pool, volume, published)), WELL)


def _troubles(pool: HostPool, volume: str, published: Path | None) -> list[str]:
    directory = pool.pool.directory(volume)
    try:
        pool.space()  # which insists that the pool is there
        if not directory.is_dir():
            return [f"the directory of the volume is gone: {directory}"]
        space = pool.pool.space_of(volume)
        if pool.record(volume).mode == Mode.BLOCK and not (directory / DISK).is_file():
            return [f"the disk of the volume is gone: {directory / DISK}"]
        if mounts.is_read_only(directory):
            return [f"the file system of {directory} can only be read; look for errors of its disk"]
        if space.available == 0:
            return ["No space left on device"]
        if space.files and space.files_available == 0:
            return ["No inodes remaining on device"]
        if published is not None and mounts.at(published) is None:
            return [f"the volume is not mounted at {published}"]
    except OSError as error:
        return [str(error)]
    return []
