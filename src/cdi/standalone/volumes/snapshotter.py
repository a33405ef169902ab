"""
The controller of VolumeSnapshots on one machine: it observes, has the decision made, acts.

The data is taken beside the controllers, as it may have to be copied. Every step may be repeated.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Final

from cdi.binding import facts
from cdi.controllers import kinds
from cdi.kube import apply, objects
from cdi.kube.client import Client
from cdi.kube.controller import Controller, Result
from cdi.kube.events import Recorder
from cdi.kube.manager import Group, Manager
from cdi.kube.objects import Key, Object
from cdi.standalone.volumes import snapshotkinds, snapshotting
from cdi.standalone.volumes.caches import Caches
from cdi.standalone.volumes.copies import Copies
from cdi.standalone.volumes.snapshotting import Step
from cdi.storage import local
from cdi.volumes import errors
from cdi.volumes.pool import Mode, Pool
from cdi.volumes.snapshots import Snapshot, Snapshots

_RETRY: Final = 15.0  # seconds until a snapshot that could not be taken is tried again
_NANO: Final = 1_000_000_000


async def ensure_class(client: Client) -> None:
    """Create our class of snapshots where it is missing."""
    await apply.ensure_created(client, kinds.SNAPSHOT_CLASSES, snapshotkinds.snapshot_class())


class Snapshotter:
    """Takes snapshots of local volumes, and erases them."""

    def __init__(self, client: Client, seen: Caches, pool: Pool, recorder: Recorder) -> None:
        self._client, self._seen, self._recorder = client, seen, recorder
        self._snapshots = Snapshots(pool)
        self._copies = Copies()
        self._enqueue: Callable[[Key], None] = lambda _: None

    def register(self, manager: Manager) -> None:
        """Add the controller; the informers of `Caches` are added by whoever made them."""
        controller = Controller("snapshots", self.reconcile, workers=2)
        controller.watch(self._seen.snapshots)
        controller.watch(self._seen.snapshot_contents, _key_of_content)
        controller.watch(self._seen.claims, self._of_claim)
        self._enqueue = controller.queue.add
        manager.add(Group.SUPPORT, self._copies)
        manager.add(Group.CONTROLLERS, controller)

    def _of_claim(self, claim: Object) -> Iterator[Key]:
        """Snapshots that wait for a claim."""
        for each in self._seen.snapshots.cache.list(objects.namespace(claim)):
            named = objects.get(each, "spec", "source", "persistentVolumeClaimName")
            if named == objects.name(claim) and not objects.get(each, "status", "readyToUse"):
                yield objects.key(each)

    async def reconcile(self, key: Key) -> Result | None:
        """Take one snapshot one step further."""
        snapshot = self._seen.snapshots.cache.get(key)
        if snapshot is None:
            return None
        seen = self._observe(snapshot)
        plan = snapshotting.decide(seen)
        match plan.step:
            case Step.FAIL:
                return await self._fail(snapshot, plan.why)
            case Step.CREATE:
                await self._create(seen)
            case Step.TAKE:
                return await self._take(seen)
            case Step.ERASE:
                await self._erase(seen)
        return None

    def _observe(self, snapshot: Object) -> snapshotting.Seen:
        seen = self._seen
        name = objects.get(snapshot, "spec", "source", "persistentVolumeClaimName", default="")
        claim = seen.claim(Key(objects.namespace(snapshot), name))
        named = objects.get(snapshot, "spec", "volumeSnapshotClassName") or snapshotkinds.CLASS
        return snapshotting.Seen(
            snapshot=snapshot,
            content=seen.snapshot_contents.cache.get(Key("", snapshotting.name_for(snapshot))),
            snapshot_class=seen.snapshot_classes.cache.get(Key("", named)),
            claim=claim,
            volume=seen.volume(facts.volume_name(claim or {})),
        )

    async def _fail(self, snapshot: Object, why: str) -> Result | None:
        said = objects.get(snapshot, "status", "error", "message")
        if said != why:
            error = {"message": why, "time": _moment(time.time())}
            status = {**(snapshot.get("status") or {}), "error": error, "readyToUse": False}
            await apply.ensure_status(self._client, kinds.SNAPSHOTS, snapshot, status)
            self._recorder.warning(snapshot, "SnapshotCreationFailed", why)
        return Result(again_in=_RETRY)

    async def _create(self, seen: snapshotting.Seen) -> None:
        held = copy.deepcopy(seen.snapshot)
        finalizers = held["metadata"].setdefault("finalizers", [])
        if snapshotting.BOUND not in finalizers:
            finalizers.append(snapshotting.BOUND)
        if not objects.get(held, "spec", "volumeSnapshotClassName"):
            held["spec"]["volumeSnapshotClassName"] = objects.name(seen.snapshot_class or {})
        await apply.ensure_state(self._client, kinds.SNAPSHOTS, seen.snapshot, held)
        await apply.ensure_created(
            self._client, kinds.SNAPSHOT_CONTENTS, snapshotting.content_for(seen)
        )

    async def _take(self, seen: snapshotting.Seen) -> Result | None:
        content, key = seen.content or {}, objects.key(seen.snapshot)
        name = objects.name(content)
        volume = str(objects.get(content, "spec", "source", "volumeHandle"))
        mode = Mode(str(objects.get(content, "spec", "sourceVolumeMode")))
        size = facts.capacity(seen.volume or {})
        take = partial(
            self._snapshots.take, volume, name, mode, size, time.time(), self._copies.cancel
        )
        try:
            if not self._copies.done(name, take, lambda: self._enqueue(key)):
                return None  # we are called again
            taken = await asyncio.to_thread(self._snapshots.get, name)
        except errors.Cancelled:
            return None
        except OSError as error:
            return await self._fail(seen.snapshot, str(error))
        await self._say_ready(seen.snapshot, content, taken)
        return None

    async def _say_ready(self, snapshot: Object, content: Object, taken: Snapshot) -> None:
        of_content = {
            "snapshotHandle": taken.name,
            "creationTime": int(taken.taken * _NANO),
            "restoreSize": taken.size,
            "readyToUse": True,
        }
        await apply.ensure_status(self._client, kinds.SNAPSHOT_CONTENTS, content, of_content)
        status = {
            "boundVolumeSnapshotContentName": objects.name(content),
            "creationTime": _moment(taken.taken),
            "restoreSize": str(taken.size),
            "readyToUse": True,
        }
        await apply.ensure_status(self._client, kinds.SNAPSHOTS, snapshot, status)
        self._recorder.normal(snapshot, "SnapshotReady", "the snapshot is ready to use")

    async def _erase(self, seen: snapshotting.Seen) -> None:
        name = snapshotting.name_for(seen.snapshot)
        if not self._copies.ended(name):
            return  # we are called again when it has ended
        policy = objects.get(seen.content, "spec", "deletionPolicy", default="Delete")
        if policy == facts.DELETE:
            await asyncio.to_thread(self._snapshots.erase, name)
        if seen.content is not None:
            await apply.ensure_no_finalizer(
                self._client, kinds.SNAPSHOT_CONTENTS, seen.content, snapshotting.CONTENT_BOUND
            )
            if policy == facts.DELETE:
                await apply.ensure_absent(self._client, kinds.SNAPSHOT_CONTENTS, seen.content)
        await apply.ensure_no_finalizer(
            self._client, kinds.SNAPSHOTS, seen.snapshot, snapshotting.BOUND
        )


def _key_of_content(content: Object) -> Iterator[Key]:
    reference = objects.get(content, "spec", "volumeSnapshotRef", default={})
    if objects.get(content, "spec", "driver") == local.PROVISIONER and reference.get("name"):
        yield Key(str(reference.get("namespace", "")), str(reference["name"]))


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
