"""
The controllers of claims and volumes: they observe, have the decision made, and carry it out.

Every write holds only for the state it was decided on, and every step may be repeated, so a crash
between any two of them is harmless. Data is removed only after the server, not a cache, has said
that the claim is gone.
"""

import contextlib
import copy
import errno
from collections.abc import Iterator
from typing import Final

from cdi.api import annotations, quantity
from cdi.binding import facts
from cdi.hostpath.csi.codes import message_of
from cdi.hostpath.keeper import Busy
from cdi.hostpath.pools import Content
from cdi.hostpath.provisioning import claims, reclaim, sources
from cdi.hostpath.provisioning.backend import Backend
from cdi.hostpath.provisioning.claims import Rules, Step
from cdi.hostpath.provisioning.sources import NotYet
from cdi.hostpath.provisioning.watches import Watches
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.controller import Controller, Metrics, Result
from cdi.kube.events import Recorder
from cdi.kube.manager import Group, Manager
from cdi.kube.objects import Key, Object
from cdi.kube.resource import NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from cdi.volumes import errors as volume_errors

_WORKERS: Final = 4
_RETRY: Final = 15.0  # seconds until a volume that could not be made is tried again
_SOON: Final = 1.0  # the same for one that is on its way
_GONE: Final = 600.0  # seconds after which a node that is gone is not expected back
_FAILED: Final = "ProvisioningFailed"


class Provisioner:
    """Makes, grows and reclaims the volumes of one provisioner on one node."""

    def __init__(
        self,
        client: Client,
        watches: Watches,
        backend: Backend,
        rules: Rules,
        recorder: Recorder,
        clock: Clock | None = None,
    ) -> None:
        self._client, self._watches, self._backend = client, watches, backend
        self._rules, self._recorder = rules, recorder
        self._clock = clock or SystemClock()
        self._unowned = dict[str, float]()  # volumes of other nodes that are to go, and since when

    def register(self, manager: Manager, metrics: Metrics | None = None) -> None:
        """Add the two controllers; informers are added by whoever made them."""
        name = self._rules.provisioner
        of_claims = Controller(
            f"claims of {name}", self.reconcile_claim, workers=_WORKERS, metrics=metrics
        )
        of_claims.watch(self._watches.claims)
        of_claims.watch(self._watches.volumes, _claim_of)
        of_claims.watch(self._watches.classes, self._claims_of_class)
        of_volumes = Controller(
            f"volumes of {name}", self.reconcile_volume, workers=_WORKERS, metrics=metrics
        )
        of_volumes.watch(self._watches.volumes)
        of_volumes.watch(self._watches.claims, _volume_of)
        manager.add(Group.CONTROLLERS, of_claims, of_volumes)

    def _claims_of_class(self, storage_class: Object) -> Iterator[Key]:
        return map(objects.key, self._watches.claims_of(storage_class))

    # Claims.

    async def reconcile_claim(self, key: Key) -> Result | None:
        """Take one claim one step further."""
        claim = self._watches.claim(key)
        if claim is None:
            return None
        seen = claims.Seen(
            claim,
            self._watches.storage_class(facts.class_name(claim)),
            self._watches.volume(facts.volume_name(claim)),
        )
        plan = claims.decide(seen, self._rules)
        match plan.step:
            case Step.CLAIM:
                return await self._take(claim)
            case Step.PROVISION:
                return await self._provision(claim, seen.storage_class or {})
            case Step.GROW if seen.volume is not None:
                return await self._grow(claim, seen.volume)
            case Step.WARN:
                self._recorder.warning(claim, _FAILED, plan.why)
        return None

    async def _take(self, claim: Object) -> Result | None:
        """Write our name on a claim that no node has, if we could make its volume."""
        try:
            content = await self._content(claim)
        except NotYet as error:
            return self._waiting(claim, str(error))
        if content is not None and not await self._backend.has(content):
            return None
        await apply.ensure_metadata(
            self._client,
            PERSISTENT_VOLUME_CLAIMS,
            claim,
            annotations={annotations.SELECTED_NODE: self._rules.node},
        )
        return None

    async def _content(self, claim: Object) -> Content | None:
        return await sources.content_of(claim, self._client, self._watches, self._rules.provisioner)

    def _waiting(self, claim: Object, why: str) -> Result:
        self._recorder.normal(claim, "Provisioning", f"waiting: {why}")
        return Result(again_in=_RETRY)

    async def _provision(self, claim: Object, storage_class: Object) -> Result | None:
        named = facts.class_name(claim)
        self._recorder.normal(
            claim,
            "Provisioning",
            f'External provisioner is provisioning volume for claim "{objects.key(claim)}"',
        )
        try:
            content = await self._content(claim)
            wanted = await self._backend.make(claim, storage_class, content)
        except NotYet as error:
            return self._waiting(claim, str(error))
        except Busy:
            return Result(again_in=_SOON)
        except (OSError, ValueError) as error:
            why = message_of(error)
            self._recorder.warning(
                claim, _FAILED, f'failed to provision volume with StorageClass "{named}": {why}'
            )
            return await self._give_back(claim, error)
        made = await apply.ensure_created(self._client, PERSISTENT_VOLUMES, wanted)
        if made.changed:
            text = f"Successfully provisioned volume {objects.name(wanted)}"
            self._recorder.normal(claim, "ProvisioningSucceeded", text)
        return None

    async def _give_back(self, claim: Object, error: Exception) -> Result:
        """Where another node could do better, let the scheduler choose again."""
        if _is_of_this_node(error) and facts.selected_node(claim) == self._rules.node:
            await apply.ensure_metadata(
                self._client,
                PERSISTENT_VOLUME_CLAIMS,
                claim,
                annotations={annotations.SELECTED_NODE: None},
            )
        return Result(again_in=_RETRY)

    async def _grow(self, claim: Object, volume: Object) -> Result | None:
        size, name = facts.requested(claim), objects.name(volume)
        if size > facts.capacity(volume):
            try:
                size = max(size, await self._backend.grow(volume, size))
            except (OSError, ValueError) as error:
                self._recorder.warning(claim, "VolumeResizeFailed", message_of(error))
                return Result(again_in=_RETRY)
            wanted = copy.deepcopy(volume)
            wanted["spec"]["capacity"]["storage"] = str(quantity.of_bytes(size))
            await apply.ensure_state(self._client, PERSISTENT_VOLUMES, volume, wanted)
            self._recorder.normal(claim, "VolumeResizeSuccessful", f"Resized volume {name}")
        text = str(quantity.of_bytes(max(size, facts.capacity(volume))))
        status = copy.deepcopy(claim.get("status") or {})
        status["capacity"] = {**(status.get("capacity") or {}), "storage": text}
        await apply.ensure_status(self._client, PERSISTENT_VOLUME_CLAIMS, claim, status)
        return None

    # Volumes.

    async def reconcile_volume(self, key: Key) -> Result | None:
        """Take one volume one step further."""
        volume = self._watches.volume(key.name)
        if volume is None:
            self._unowned.pop(key.name, None)
            return None
        if not claims.is_on_node(volume, self._rules):
            return await self._look_after_orphan(volume)
        claim_key = facts.claim_key_of(volume)
        plan = reclaim.decide(volume, self._watches.claim(claim_key))
        if plan.erase or plan.delete:
            # Bytes are at stake: ask the server, whose answer no cache delays.
            plan = reclaim.decide(volume, await self._claim_now(claim_key))
        if plan.erase:
            try:
                await self._backend.erase(volume)
            except (OSError, ValueError) as error:
                self._recorder.warning(volume, "VolumeFailedDelete", message_of(error))
                return Result(again_in=_RETRY)
        if plan.let_go:
            await apply.ensure_no_finalizer(
                self._client, PERSISTENT_VOLUMES, volume, facts.DATA_PROTECTION
            )
        if plan.delete:
            await apply.ensure_absent(self._client, PERSISTENT_VOLUMES, volume)
        return None

    async def _look_after_orphan(self, volume: Object) -> Result | None:
        """Let go of a volume of ours whose node is gone, and with it its data.

        Nodes come back after a repair, and look after their volumes themselves: they have time.
        """
        name, nodes = objects.name(volume), claims.nodes_of(volume)
        plan = reclaim.decide(volume, self._watches.claim(facts.claim_key_of(volume)))
        if not claims.is_ours(volume, self._rules) or not nodes or not plan.let_go:
            self._unowned.pop(name, None)
            return None
        since = self._unowned.setdefault(name, self._clock.now())
        if self._clock.now() - since < _GONE:
            return Result(again_in=_GONE)
        if await self._any_exists(nodes):
            return Result(again_in=_GONE)
        if not reclaim.decide(volume, await self._claim_now(facts.claim_key_of(volume))).let_go:
            return None
        self._recorder.warning(
            volume, "NodeGone", f"node {nodes[0]} is gone, and the data of the volume with it"
        )
        await apply.ensure_no_finalizer(
            self._client, PERSISTENT_VOLUMES, volume, facts.DATA_PROTECTION
        )
        await apply.ensure_absent(self._client, PERSISTENT_VOLUMES, volume)
        return None

    async def _any_exists(self, nodes: list[str]) -> bool:
        for each in nodes:
            with contextlib.suppress(errors.NotFound):
                await self._client.get(NODES, each)
                return True
        return False

    async def _claim_now(self, key: Key | None) -> Object | None:
        if key is None:
            return None
        try:
            return await self._client.get(PERSISTENT_VOLUME_CLAIMS, key.name, key.namespace)
        except errors.NotFound:
            return None


def _is_of_this_node(error: Exception) -> bool:
    """Whether it might go well elsewhere: there is no room here, or not what is to be copied."""
    if isinstance(error, volume_errors.TooLarge | volume_errors.Missing):
        return True
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _claim_of(volume: Object) -> Iterator[Key]:
    if key := facts.claim_key_of(volume):
        yield key


def _volume_of(claim: Object) -> Iterator[Key]:
    if name := facts.volume_name(claim):
        yield Key("", name)
