"""
The controllers of claims and volumes: they observe, have the decision made, and carry it out.

Every write holds only for the state it was decided on, and every step may be repeated, so a
crash between any two of them is harmless. Data is removed only after the server, not a cache,
has said that the claim is gone.
"""

import asyncio
import copy
from collections.abc import Callable, Iterator
from functools import partial

from cdi.api import annotations, quantity
from cdi.binding import facts
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client
from cdi.kube.controller import Controller, Result
from cdi.kube.events import Recorder
from cdi.kube.manager import Group, Manager
from cdi.kube.objects import Key, Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS, STORAGE_CLASSES
from cdi.standalone.volumes import caches, claims, origins, persistent, reclaim
from cdi.standalone.volumes.caches import Caches
from cdi.standalone.volumes.claims import Step
from cdi.standalone.volumes.copies import Copies
from cdi.storage import classes, local
from cdi.volumes.pool import Mode, Pool
from cdi.volumes.snapshots import Snapshots

COMPONENT = local.PROVISIONER
_WORKERS = 4
_RETRY = 15.0  # seconds until a volume that could not be made is tried again


async def ensure_classes(client: Client) -> None:
    """Create our storage classes where they are missing; those that exist stay as they are."""
    for wanted in local.storage_classes():
        await apply.ensure_created(client, STORAGE_CLASSES, wanted)


class Binder:
    """Binds claims to volumes, makes local ones, and reclaims them."""

    def __init__(
        self, client: Client, seen: Caches, pool: Pool, recorder: Recorder, node: str
    ) -> None:
        self._client, self._seen, self._pool = client, seen, pool
        self._snapshots = Snapshots(pool)
        self._recorder, self._node = recorder, node
        # What was said last about each claim: a state is worth one event, not one a look.
        self._said: dict[str, claims.Event] = {}
        self._copies = Copies()
        # Volumes that are being made from others, by the claim for which they are made.
        self._begun: dict[Key, str] = {}
        self._enqueue: Callable[[Key], None] = lambda _: None

    def register(self, manager: Manager) -> None:
        """Add the two controllers; the informers of `Caches` are added by whoever made them."""
        of_claims = Controller("claims", self.reconcile_claim, workers=_WORKERS)
        of_claims.watch(self._seen.claims)
        of_claims.watch(self._seen.volumes, self._claims_about_volume)
        of_claims.watch(self._seen.classes, lambda _: self._unbound())
        of_claims.watch(self._seen.pods, caches.claim_keys)
        of_claims.watch(self._seen.claims, partial(self._made_from, origins.CLAIM))
        of_claims.watch(self._seen.snapshots, partial(self._made_from, origins.SNAPSHOT))
        self._enqueue = of_claims.queue.add
        of_volumes = Controller("volumes", self.reconcile_volume, workers=_WORKERS)
        of_volumes.watch(self._seen.volumes)
        of_volumes.watch(self._seen.claims, self._volumes_about_claim)
        manager.add(Group.SUPPORT, self._copies)
        manager.add(Group.CONTROLLERS, of_claims, of_volumes)

    # Which keys a change concerns.

    def _claims_about_volume(self, volume: Object) -> Iterator[Key]:
        # A volume that was handed on leaves its former claim behind, which has to notice.
        for claim in self._seen.claims_on(objects.name(volume)):
            yield objects.key(claim)
        if key := facts.claim_key_of(volume):
            yield key
        else:
            yield from self._unbound()

    def _made_from(self, kind: str, source: Object) -> Iterator[Key]:
        """Claims that wait for what they are made from."""
        for claim in self._seen.claims_from(kind, objects.key(source)):
            if not facts.is_bound(claim):
                yield objects.key(claim)

    def _unbound(self) -> Iterator[Key]:
        return map(objects.key, self._seen.unbound_claims())

    def _volumes_about_claim(self, claim: Object) -> Iterator[Key]:
        if name := facts.volume_name(claim):
            yield Key("", name)
        for volume in self._seen.volumes_of(objects.key(claim)):
            yield objects.key(volume)

    # Claims.

    async def reconcile_claim(self, key: Key) -> Result | None:
        """Take one claim one step further."""
        claim = self._seen.claim(key)
        begun = self._begun.get(key)
        if begun and (claim is None or persistent.name_for(claim) != begun):
            await self._forget(key, begun)
        if claim is None:
            return None
        plan = claims.decide(self._observe(claim))
        self._say(claim, plan.event)
        return await self._act(claim, plan)

    def _observe(self, claim: Object) -> claims.Seen:
        default = classes.default(self._seen.classes.cache.list())
        pods = self._seen.pods_of(objects.key(claim))
        return claims.Seen(
            claim=claim,
            volume=self._seen.volume(facts.volume_name(claim)),
            volumes=[] if facts.is_bound(claim) else self._choices(claim),
            storage_class=self._seen.storage_class(facts.class_name(claim)),
            default_class=objects.name(default) if default else "",
            source=None if facts.is_bound(claim) else self._seen.source_of(claim),
            in_use=any(map(caches.holds_claims, pods)),
        )

    def _choices(self, claim: Object) -> list[Object]:
        promised = self._seen.volumes_of(objects.key(claim))
        return promised + self._seen.unclaimed_volumes()

    def _say(self, claim: Object, event: claims.Event | None) -> None:
        uid = objects.uid(claim)
        if event is None:
            self._said.pop(uid, None)
        elif self._said.get(uid) != event:
            self._said[uid] = event
            self._recorder.event(claim, event.type, event.reason, event.message)

    async def _act(self, claim: Object, plan: claims.Plan) -> Result | None:
        match plan.step:
            case Step.LET_GO:
                await self._let_go_of_claim(claim)
                return None
            case Step.CLASS:
                await self._give_class(claim)
                return None
            case Step.PROVISION:
                return await self._provision(claim, plan.source)
            case Step.BIND if plan.volume:
                await self._bind(claim, plan.volume)
                return None
            case Step.GROW if plan.volume:
                return await self._grow(claim, plan.volume)
        claim = await self._protected(claim)
        if plan.phase:
            await apply.ensure_status(
                self._client,
                PERSISTENT_VOLUME_CLAIMS,
                claim,
                _status(claim, plan.phase, plan.volume),
            )
        return None

    async def _protected(self, claim: Object) -> Object:
        ensured = await apply.ensure_finalizer(
            self._client, PERSISTENT_VOLUME_CLAIMS, claim, facts.CLAIM_PROTECTION
        )
        return ensured.object

    async def _let_go_of_claim(self, claim: Object) -> None:
        namespace = objects.namespace(claim)
        pods = await self._client.list(PODS, namespace)
        if any(
            objects.key(claim) in caches.claim_keys(pod) and caches.holds_claims(pod)
            for pod in pods
        ):
            return  # the cache is behind; the pod's end brings us back
        await apply.ensure_no_finalizer(
            self._client, PERSISTENT_VOLUME_CLAIMS, claim, facts.CLAIM_PROTECTION
        )
        self._said.pop(objects.uid(claim), None)

    async def _give_class(self, claim: Object) -> None:
        default = classes.default(self._seen.classes.cache.list())
        if default is None:
            return
        wanted = copy.deepcopy(claim)
        wanted["spec"]["storageClassName"] = objects.name(default)
        await apply.ensure_state(self._client, PERSISTENT_VOLUME_CLAIMS, claim, wanted)

    async def _provision(self, claim: Object, source: origins.DataSource | None) -> Result | None:
        name = persistent.name_for(claim)
        storage_class = self._seen.storage_class(facts.class_name(claim)) or {}
        mode, size = Mode(facts.volume_mode(claim)), facts.requested(claim)
        try:
            if source is not None:
                if not self._is_copied(claim, source):
                    return None  # we are called again
                directory = self._pool.existing(name)
            else:
                directory = await asyncio.to_thread(self._pool.make, name, mode, size)
        except OSError as error:
            event = claims.provisioning_failed(facts.class_name(claim), str(error))
            self._say(claim, event)
            return Result(again_in=_RETRY)
        wanted = persistent.volume_for(claim, storage_class, directory, self._node)
        made = await apply.ensure_created(self._client, PERSISTENT_VOLUMES, wanted)
        if made.changed:
            text = f"Successfully provisioned volume {name}"
            self._recorder.normal(claim, "ProvisioningSucceeded", text)
        self._begun.pop(objects.key(claim), None)
        if not facts.belongs_to(made.object, claim):
            return Result(again_in=_RETRY)  # handed on since; the caches will tell
        await self._bind(claim, made.object)
        return None

    def _is_copied(self, claim: Object, source: origins.DataSource) -> bool:
        """Whether the volume has its content; it is copied beside us. Raises OSError."""
        key, name, handle = (
            objects.key(claim),
            persistent.name_for(claim),
            origins.handle_of(source),
        )
        mode, size = Mode(facts.volume_mode(claim)), facts.requested(claim)
        cancel = self._copies.cancel

        def copy() -> None:
            if source.kind == origins.CLAIM:
                self._pool.clone(handle, name, mode, size, cancel)
            else:
                self._snapshots.restore(handle, name, size, cancel)

        self._begun[key] = name
        return self._copies.done(name, copy, lambda: self._enqueue(key))

    async def _forget(self, key: Key, name: str) -> None:
        """A claim has gone while its volume was made: the volume goes, too."""
        if not self._copies.ended(name):
            return  # we are called again when it has ended
        await asyncio.to_thread(self._pool.erase, name)
        self._begun.pop(key, None)

    async def _bind(self, claim: Object, volume: Object) -> None:
        """Bind both ends, the volume first: it can be promised to one claim only."""
        if not objects.get(volume, "spec", "claimRef", "uid"):
            wanted = copy.deepcopy(volume)
            if facts.claim_key_of(volume) is None:
                _annotate(wanted, facts.BOUND_BY_CONTROLLER)
            wanted["spec"]["claimRef"] = facts.reference_to(claim)
            ensured = await apply.ensure_state(self._client, PERSISTENT_VOLUMES, volume, wanted)
            volume = ensured.object
        wanted = copy.deepcopy(claim)
        if not facts.volume_name(claim):
            _annotate(wanted, facts.BOUND_BY_CONTROLLER)
            wanted["spec"]["volumeName"] = objects.name(volume)
        _annotate(wanted, annotations.BIND_COMPLETED)
        if provisioner := objects.annotations(volume).get(facts.PROVISIONED_BY):
            _annotate(wanted, facts.STORAGE_PROVISIONER, provisioner)
        if facts.CLAIM_PROTECTION not in objects.finalizers(claim):
            wanted["metadata"].setdefault("finalizers", []).append(facts.CLAIM_PROTECTION)
        bound = await apply.ensure_state(self._client, PERSISTENT_VOLUME_CLAIMS, claim, wanted)
        await apply.ensure_status(
            self._client,
            PERSISTENT_VOLUME_CLAIMS,
            bound.object,
            _status(bound.object, facts.BOUND, volume),
        )

    async def _grow(self, claim: Object, volume: Object) -> Result | None:
        size = facts.requested(claim)
        name, mode = objects.name(volume), Mode(facts.volume_mode(volume))
        try:
            await asyncio.to_thread(self._pool.grow, name, mode, size)
        except OSError as error:
            self._recorder.warning(claim, "VolumeResizeFailed", str(error))
            return Result(again_in=_RETRY)
        wanted = copy.deepcopy(volume)
        wanted["spec"]["capacity"]["storage"] = claim["spec"]["resources"]["requests"]["storage"]
        await apply.ensure_state(self._client, PERSISTENT_VOLUMES, volume, wanted)
        self._recorder.normal(claim, "VolumeResizeSuccessful", f"Resized volume {name}")
        return None

    # Volumes.

    async def reconcile_volume(self, key: Key) -> Result | None:
        """Take one volume one step further."""
        volume = self._seen.volumes.cache.get(key)
        if volume is None:
            return None
        claim_key = facts.claim_key_of(volume)
        claim = self._seen.claim(claim_key) if claim_key else None
        plan = reclaim.decide(reclaim.Seen(volume, claim))
        if plan.erase or plan.delete:
            # Bytes are at stake: ask the server, whose answer no cache delays.
            plan = reclaim.decide(reclaim.Seen(volume, await self._claim_now(claim_key)))
        return await self._act_on_volume(volume, plan)

    async def _claim_now(self, key: Key | None) -> Object | None:
        if key is None:
            return None
        try:
            return await self._client.get(PERSISTENT_VOLUME_CLAIMS, key.name, key.namespace)
        except errors.NotFound:
            return None

    async def _act_on_volume(self, volume: Object, plan: reclaim.Plan) -> Result | None:
        if plan.unbind:
            wanted = copy.deepcopy(volume)
            del wanted["spec"]["claimRef"]
            wanted["metadata"]["annotations"].pop(facts.BOUND_BY_CONTROLLER, None)
            await apply.ensure_state(self._client, PERSISTENT_VOLUMES, volume, wanted)
            return None
        if plan.phase and plan.phase != facts.phase(volume):
            status = {**(volume.get("status") or {}), "phase": plan.phase}
            ensured = await apply.ensure_status(self._client, PERSISTENT_VOLUMES, volume, status)
            volume = ensured.object
        if plan.erase:
            try:
                await asyncio.to_thread(self._pool.erase, objects.name(volume))
            except OSError as error:
                self._recorder.warning(volume, "VolumeFailedDelete", str(error))
                return Result(again_in=_RETRY)
        if plan.let_go:
            await self._let_go_of_volume(volume)
        if plan.delete:
            await apply.ensure_absent(self._client, PERSISTENT_VOLUMES, volume)
        return None

    async def _let_go_of_volume(self, volume: Object) -> None:
        ours = (facts.VOLUME_PROTECTION, facts.DATA_PROTECTION)
        rest = [name for name in objects.finalizers(volume) if name not in ours]
        wanted = copy.deepcopy(volume)
        wanted["metadata"]["finalizers"] = rest
        try:
            await apply.ensure_state(self._client, PERSISTENT_VOLUMES, volume, wanted)
        except errors.NotFound:
            return


def _annotate(obj: Object, key: str, value: str = facts.YES) -> None:
    obj["metadata"].setdefault("annotations", {})[key] = value


def _status(claim: Object, phase: str, volume: Object | None) -> Object:
    status = dict(claim.get("status") or {})
    status["phase"] = phase
    if volume is not None:
        status["accessModes"] = facts.access_modes(volume)
        size = objects.get(volume, "spec", "capacity", "storage")
        status["capacity"] = {"storage": str(quantity.parse(str(size)))}
    return status
