"""
The volumes and snapshots of one node, over all of its pools.

One operation at a time on each volume; what copies goes on when its caller gives up, and is joined
by the next one who asks for the same. Sizes are in bytes, times in seconds. Raises OSError, of
which those of `volumes.errors` are some, and `Busy` where something takes longer than a call may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from cdi.hostpath import conditions
from cdi.hostpath.conditions import Condition
from cdi.hostpath.jobs import Job, Jobs
from cdi.hostpath.locks import Locks
from cdi.hostpath.pools import Content, HostPool, Kind, Wanted
from cdi.kube.clock import Clock, SystemClock
from cdi.volumes import errors, mounts
from cdi.volumes.pool import Mode, Space
from cdi.volumes.records import Record
from cdi.volumes.snapshots import Snapshot

# Sidecars wait for ten seconds and more; they are answered before they give up.
PATIENCE: Final = 8.0

T = TypeVar("T")


class Busy(Exception):
    """It is being done, and takes its time: ask again for the same."""


class NoSuchPool(ValueError):
    """No pool has this name."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One volume, as it is now."""

    id: str
    pool: HostPool
    record: Record
    capacity: int

    @property
    def directory(self) -> Path:
        return self.pool.pool.directory(self.id)

    def published(self) -> list[Path]:
        """Where pods of this node find the volume, as far as we can see. Blocking."""
        if self.record.mode == Mode.FILESYSTEM:
            return mounts.of(self.directory)
        device = self.pool.pool.device_of(self.id)
        return mounts.of(device) if device is not None else []


@dataclass(frozen=True, slots=True)
class Taken:
    """A snapshot, and whether all of it is there."""

    snapshot: Snapshot
    ready: bool = True


class Keeper:
    """Keeps the volumes of a node. The first pool is for volumes of which nobody says where."""

    def __init__(
        self,
        pools: Iterable[HostPool],
        *,
        clock: Clock | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.pools = {each.name: each for each in pools}
        self._clock, self._patience = clock or SystemClock(), patience
        self._locks = Locks()
        self._making = Jobs[None]()
        self._taking = Jobs[Snapshot]()

    async def start(self) -> None:
        """Have all directories, and nothing in them that is not whole. Nobody uses them yet."""
        for pool in self.pools.values():
            await asyncio.to_thread(pool.prepare)

    async def stop(self) -> None:
        """End what is being copied; nothing half remains."""
        await self._making.cancel_all()
        await self._taking.cancel_all()

    def pool(self, name: str) -> HostPool:
        """The pool of this name. Raises NoSuchPool."""
        found = self.pools.get(name)
        if found is None:
            raise NoSuchPool(
                f"there is no storage pool {name!r} on this node; there are: "
                f"{', '.join(sorted(self.pools))}"
            )
        return found

    def default_pool(self) -> HostPool:
        return next(iter(self.pools.values()))

    # Volumes.

    async def find(self, volume: str) -> Volume:
        """One volume. Raises Missing."""
        return await asyncio.to_thread(self._find, volume)

    async def volumes(self) -> list[Volume]:
        """All volumes, by name."""
        return await asyncio.to_thread(self._volumes)

    async def create(self, wanted: Wanted) -> Volume:
        """Make a volume, or return the one that was made for the same wish.

        Raises Different, TooLarge, TooSmall, NoSuchPool, Missing for its content; Busy.
        """
        pool = self.pool(wanted.pool)

        async def begin() -> Job[None] | None:
            return await self._begin(wanted, pool)

        job = await self._locks.holding(wanted.id, begin)
        if job is not None:
            if not await self._making.wait(wanted.id, job, self._patience):
                raise Busy(f"volume {wanted.id} is being filled from {wanted.content}")
            job.task.result()
        return await self.find(wanted.id)

    async def _begin(self, wanted: Wanted, pool: HostPool) -> Job[None] | None:
        if running := self._making.get(wanted.id):
            if running.about != wanted:
                raise errors.Different(f"volume {wanted.id} is being made, but another one")
            return running
        try:
            there = await asyncio.to_thread(self._find_for, wanted, pool)
        except errors.Missing:
            contents = await asyncio.to_thread(self._contents, wanted.content) or pool
            return self._making.start(
                wanted.id, wanted, lambda cancel: pool.make(wanted, contents, cancel)
            )
        _insist(there, wanted)
        if wanted.content is None:
            # One that was killed may have made the directory, and not yet the disk in it.
            await asyncio.to_thread(pool.pool.make, wanted.id, there.record.mode, there.record.size)
        return None

    async def erase(self, volume: str) -> None:
        """Remove a volume, or what is there of it; none is fine."""
        await self._locks.holding(volume, lambda: self._erase(volume))

    async def _erase(self, volume: str) -> None:
        await self._making.cancel(volume)
        await asyncio.to_thread(self._erase_now, volume)

    def _erase_now(self, volume: str) -> None:
        if pool := self._pool_of(volume):
            there = Volume(volume, pool, pool.record(volume), capacity=0)
            if users := there.published():
                raise errors.InUse(f"volume {volume} is in use at {users[0]}")
            pool.erase(volume)

    async def grow(self, volume: str, size: int) -> int:
        """Make a volume at least this large; return how large it is then. Raises Missing."""

        def grow() -> int:
            return self._find(volume).pool.grow(volume, size)

        return await self.exclusively(volume, grow)

    async def exclusively(self, volume: str, work: Callable[[], T]) -> T:
        """Do something with a volume, in a thread, while nobody else does anything with it."""

        def in_thread() -> Awaitable[T]:
            return asyncio.to_thread(work)

        return await self._locks.holding(volume, in_thread)

    def _find(self, volume: str) -> Volume:
        if pool := self._pool_of(volume):
            return Volume(volume, pool, pool.record(volume), pool.capacity(volume))
        raise errors.Missing(f"there is no volume {volume} on this node")

    def _find_for(self, wanted: Wanted, pool: HostPool) -> Volume:
        """The volume that a wish may mean. Raises Missing; PoolMissing for the wish's own pool:
        other pools that are gone hold up nothing, as no two wishes have one name."""
        pool.space()
        try:
            return self._find(wanted.id)
        except errors.PoolMissing as error:
            raise errors.Missing(str(error)) from error

    def _pool_of(self, volume: str) -> HostPool | None:
        """Where a volume is. Raises PoolMissing where it may be in one that is gone."""
        gone: errors.PoolMissing | None = None
        for pool in self.pools.values():
            try:
                if pool.has(volume):
                    return pool
            except errors.PoolMissing as error:
                gone = error
        if gone is not None:
            raise gone
        return None

    def _volumes(self) -> list[Volume]:
        found = {
            name: Volume(name, pool, pool.record(name), pool.capacity(name))
            for pool in self.pools.values()
            for name in pool.volumes()
        }
        return [found[name] for name in sorted(found)]

    async def has(self, content: Content) -> bool:
        """Whether a volume could be filled with this, here."""
        try:
            await asyncio.to_thread(self._contents, content)
        except errors.Missing:
            return False
        return True

    def _contents(self, content: Content | None) -> HostPool | None:
        """The pool that a content is in. Raises Missing."""
        if content is None:
            return None
        if content.kind == Kind.VOLUME:
            return self._find(content.id).pool
        return self._find_snapshot(content.id)[0]

    # How they are.

    async def space(self, pool: HostPool) -> Space:
        return await asyncio.to_thread(pool.space)

    async def space_of(self, volume: Volume) -> Space:
        """How much room a volume has: all of the pool's, or what it is held to."""
        return await asyncio.to_thread(volume.pool.pool.space_of, volume.id)

    async def condition(self, volume: Volume, published: Path | None = None) -> Condition:
        """Whether a volume is well, and whether a pod finds it at `published`."""
        return await asyncio.to_thread(conditions.condition_of, volume.pool, volume.id, published)

    # Snapshots.

    async def snapshots(self) -> list[Taken]:
        """All snapshots by name, also those that are being taken."""
        done = await asyncio.to_thread(self._all_snapshots)
        found = {each.name: Taken(each) for each in done}
        for job in self._taking.all():
            found.setdefault(job.about.name, Taken(job.about, ready=False))
        return [found[name] for name in sorted(found)]

    async def snapshot(self, name: str) -> Taken:
        """One snapshot. Raises Missing."""
        if job := self._taking.get(name):
            return Taken(job.about, ready=False)
        return Taken((await asyncio.to_thread(self._find_snapshot, name))[1])

    async def take(self, name: str, volume: str, pool: str | None = None) -> Taken:
        """Take a snapshot of a volume, or return the one of this name and volume.

        What takes its time is not ready yet. Raises Different, Missing; ValueError where the
        volume is not in the pool.
        """

        async def begin() -> Job[Snapshot] | Snapshot:
            return await self._begin_snapshot(name, volume, pool)

        begun = await self._locks.holding(f"snapshot/{name}", begin)
        if isinstance(begun, Snapshot):
            return Taken(begun)
        if await self._taking.wait(name, begun, self._patience):
            return Taken(begun.task.result())
        return Taken(begun.about, ready=False)

    async def _begin_snapshot(
        self, name: str, volume: str, pool: str | None
    ) -> Job[Snapshot] | Snapshot:
        if running := self._taking.get(name):
            _insist_on_volume(running.about, volume)
            return running
        try:
            _, there = await asyncio.to_thread(self._find_snapshot, name)
        except errors.Missing:
            return await self._take(name, volume, pool)
        _insist_on_volume(there, volume)
        return there

    async def _take(self, name: str, volume: str, pool: str | None) -> Job[Snapshot]:
        source = await self.find(volume)
        if pool is not None and source.pool.name != pool:
            raise ValueError(f"volume {volume} is in storage pool {source.pool.name}, not {pool}")
        taken = self._clock.wall().timestamp()
        coming = Snapshot(name, volume, source.record.mode, source.record.size, taken)
        source.pool.pool.directory(name)  # which refuses names that nothing can have
        return self._taking.start(
            name, coming, lambda cancel: source.pool.take(name, volume, taken, cancel)
        )

    async def erase_snapshot(self, name: str) -> None:
        """Remove a snapshot; none is fine."""

        async def erase() -> None:
            await self._taking.cancel(name)
            await asyncio.to_thread(self._erase_snapshot, name)

        await self._locks.holding(f"snapshot/{name}", erase)

    def _erase_snapshot(self, name: str) -> None:
        try:
            pool, _ = self._find_snapshot(name)
        except errors.Missing:
            return
        pool.erase_snapshot(name)

    def _all_snapshots(self) -> list[Snapshot]:
        return [each for pool in self.pools.values() for each in pool.snapshots()]

    def _find_snapshot(self, name: str) -> tuple[HostPool, Snapshot]:
        """A snapshot, and the pool it is in. Raises as `_find` does."""
        gone: errors.PoolMissing | None = None
        for pool in self.pools.values():
            try:
                if found := pool.snapshot(name):
                    return pool, found
            except errors.PoolMissing as error:
                gone = error
        if gone is not None:
            raise gone
        raise errors.Missing(f"there is no snapshot {name} on this node")


def _insist(there: Volume, wanted: Wanted) -> None:
    """Raise Different unless a volume is what is wanted."""
    record = there.record
    if there.pool.name != wanted.pool:
        raise errors.Different(f"volume {there.id} is there, in storage pool {there.pool.name}")
    if record.mode != wanted.mode:
        raise errors.Different(f"volume {there.id} is there, as a {record.mode} volume")
    if record.content != str(wanted.content or ""):
        raise errors.Different(f"volume {there.id} is there, made from {record.content or '-'}")
    too_large = wanted.limit and record.size > wanted.limit
    if record.size and (record.size < wanted.size or too_large):
        raise errors.Different(f"volume {there.id} is there, with {record.size} bytes")


def _insist_on_volume(there: Snapshot, volume: str) -> None:
    if there.volume != volume:
        raise errors.Different(f"snapshot {there.name} is there, of volume {there.volume}")
