"""
Snapshots that a cluster asks for: VolumeSnapshotContents, as a snapshot controller makes them.

The node that has the volume takes the snapshot and writes its name on the content: only that node
removes it. What has never been taken is let go of by whoever has its volume, or had it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cdi.binding import facts
from cdi.hostpath.csi.codes import message_of
from cdi.hostpath.csi.requests import STORAGE_POOL
from cdi.hostpath.keeper import Keeper, Taken
from cdi.hostpath.provisioning.claims import Rules, is_on_node
from cdi.hostpath.provisioning.sources import CONTENTS
from cdi.hostpath.provisioning.watches import Watches
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Controller, Result
from cdi.kube.events import Recorder
from cdi.kube.informer import Informer
from cdi.kube.manager import Group, Manager
from cdi.kube.objects import Key, Object
from cdi.kube.resource import Resource

PROTECTION: Final = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"
_CLASSES: Final = Resource(
    "snapshot.storage.k8s.io",
    "v1",
    "volumesnapshotclasses",
    "VolumeSnapshotClass",
    namespaced=False,
)
_GOING: Final = "snapshot.storage.kubernetes.io/volumesnapshot-being-deleted"
_NANOSECONDS: Final = 1_000_000_000
_SOON: Final = 1.0  # seconds until one that takes its time is looked at again
_RETRY: Final = 15.0


class Step(StrEnum):
    """What to do for a content."""

    NONE = "none"
    TAKE = "take"
    FIND = "find"  # it was taken by somebody else, and is only to be described
    ERASE = "erase"  # and let go
    LET_GO = "let-go"


@dataclass(frozen=True, slots=True)
class Seen:
    """One content, and where its volume is."""

    content: Object
    here: bool  # its volume is on this node
    nowhere: bool  # nobody knows of its volume


def decide(seen: Seen, rules: Rules) -> Step:
    """Choose the next step for a content."""
    content, node = seen.content, rules.node
    if objects.get(content, "spec", "driver") != rules.provisioner:
        return Step.NONE
    taken_by = objects.annotations(content).get(facts.PROVISION_ON_NODE, "")
    if objects.is_deleting(content):
        return _going(seen, taken_by, node)
    if objects.get(content, "status", "readyToUse", default=False):
        return Step.NONE
    if objects.get(content, "spec", "source", "snapshotHandle"):
        return Step.FIND
    return Step.TAKE if seen.here and taken_by in ("", node) else Step.NONE


def _going(seen: Seen, taken_by: str, node: str) -> Step:
    content = seen.content
    bound = objects.get(content, "spec", "volumeSnapshotRef", "uid")
    if bound and _GOING not in objects.annotations(content):
        return Step.NONE  # its snapshot is still there
    if not taken_by:
        return Step.LET_GO if seen.here or seen.nowhere else Step.NONE
    if taken_by != node:
        return Step.NONE
    deletes = objects.get(content, "spec", "deletionPolicy") == facts.DELETE
    return Step.ERASE if deletes else Step.LET_GO


class SnapshotTaker:
    """Takes and removes snapshots of the volumes of one node."""

    def __init__(
        self,
        client: Client,
        watches: Watches,
        keeper: Keeper,
        rules: Rules,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._client, self._watches, self._keeper = client, watches, keeper
        self._rules, self._recorder = rules, recorder
        self._contents = Informer(client, CONTENTS, optional=True, clock=clock)

    def register(self, manager: Manager) -> None:
        """Add the controller with what it watches, which not every cluster has."""
        controller = Controller("snapshots", self.reconcile)
        controller.watch(self._contents)
        controller.watch(self._watches.volumes, self._contents_of)
        manager.add(Group.CACHES, self._contents)
        manager.add(Group.CONTROLLERS, controller)

    def _contents_of(self, volume: Object) -> Iterator[Key]:
        handle = objects.get(volume, "spec", "csi", "volumeHandle")
        for content in self._contents.cache.list() if handle else ():
            if objects.get(content, "spec", "source", "volumeHandle") == handle:
                yield objects.key(content)

    async def reconcile(self, key: Key) -> Result | None:
        """Take one content one step further."""
        content = self._contents.cache.get(key)
        if content is None:
            return None
        try:
            return await self._act(decide(self._observe(content), self._rules), content)
        except (OSError, ValueError) as error:
            why = message_of(error)
            self._recorder.warning(content, "SnapshotFailed", why)
            await self._report(content, why)
            return Result(again_in=_RETRY)

    def _observe(self, content: Object) -> Seen:
        handle = objects.get(content, "spec", "source", "volumeHandle", default="")
        volumes = [
            each
            for each in self._watches.volumes.cache.list()
            if objects.get(each, "spec", "csi", "driver") == self._rules.provisioner
            and objects.get(each, "spec", "csi", "volumeHandle") == handle
        ]
        here = any(is_on_node(each, self._rules) for each in volumes)
        return Seen(content, here=here, nowhere=not volumes)

    async def _act(self, step: Step, content: Object) -> Result | None:
        handle = _handle_of(content)
        match step:
            case Step.TAKE:
                return await self._take(content, handle)
            case Step.FIND:
                if found := await self._found(handle):
                    await self._note(content, found)
            case Step.ERASE:
                await self._keeper.erase_snapshot(handle)
                await self._let_go(content)
            case Step.LET_GO:
                await self._let_go(content)
        return None

    async def _take(self, content: Object, handle: str) -> Result | None:
        # First who takes it, then the snapshot: it is removed by whoever is named here.
        noted = await apply.ensure_metadata(
            self._client,
            CONTENTS,
            content,
            annotations={facts.PROVISION_ON_NODE: self._rules.node},
        )
        volume = objects.get(content, "spec", "source", "volumeHandle", default="")
        taken = await self._keeper.take(handle, volume, await self._pool(content))
        await self._note(noted.object, taken)
        return None if taken.ready else Result(again_in=_SOON)

    async def _pool(self, content: Object) -> str | None:
        name = objects.get(content, "spec", "volumeSnapshotClassName")
        if not name:
            return None
        try:
            found = await self._client.get(_CLASSES, name)
        except errors.NotFound:
            return None
        return (found.get("parameters") or {}).get(STORAGE_POOL)

    async def _found(self, handle: str) -> Taken | None:
        there = {each.snapshot.name: each for each in await self._keeper.snapshots()}
        return there.get(handle)

    async def _note(self, content: Object, taken: Taken) -> None:
        status = {
            **(content.get("status") or {}),
            "snapshotHandle": taken.snapshot.name,
            "creationTime": int(taken.snapshot.taken * _NANOSECONDS),
            "restoreSize": taken.snapshot.size,
            "readyToUse": taken.ready,
            "error": None,
        }
        await apply.ensure_status(
            self._client,
            CONTENTS,
            content,
            {key: value for key, value in status.items() if value is not None},
        )

    async def _report(self, content: Object, why: str) -> None:
        status = {
            **(content.get("status") or {}),
            "readyToUse": False,
            "error": {"message": why},
        }
        now = await self._client.get(CONTENTS, objects.name(content))
        await apply.ensure_status(self._client, CONTENTS, now, status)

    async def _let_go(self, content: Object) -> None:
        await apply.ensure_no_finalizer(self._client, CONTENTS, content, PROTECTION)


def _handle_of(content: Object) -> str:
    """The name of a snapshot: the one that was given, or the same at every attempt."""
    given = objects.get(content, "spec", "source", "snapshotHandle")
    return str(given or f"snapshot-{objects.get(content, 'spec', 'volumeSnapshotRef', 'uid')}")
