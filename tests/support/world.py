"""
A cluster as plain data: controllers run on it for real, and everybody else is scripted.

`World` holds objects in the caches that controllers read; its client writes to them at once, with
UIDs, resourceVersions, conflicts, ownership and finalizers as a server has them. Binder, volume
controller and kubelet are functions that make one move each. `settle` lets all of them take turns
until nobody moves any more. A world can be told to crash the controllers at any write.
"""

import base64
import copy
import itertools
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cdi import pki
from cdi.api import annotations as known
from cdi.api.quantity import parse
from cdi.controllers import cdiconfig, storageprofile
from cdi.controllers.act import Actor
from cdi.controllers.cloning import inplace
from cdi.controllers.cloning import reconciler as cloning
from cdi.controllers.cluster import Cluster, cron_of, empty_cluster, resource_of
from cdi.controllers.dataimportcron import reconciler as dataimportcron
from cdi.controllers.dataimportcron.metrics import NotCounted
from cdi.controllers.datasource import reconciler as datasource
from cdi.controllers.datavolume import reconciler as datavolume
from cdi.controllers.datavolume.operations.registry import OPERATIONS
from cdi.controllers.importing import reconciler as importing
from cdi.controllers.populating import reconciler as populating
from cdi.controllers.populating.registry import POPULATORS
from cdi.controllers.settings import Settings
from cdi.controllers.uploading import reconciler as uploading
from cdi.kube import errors, objects
from cdi.kube.mergepatch import merge_patch_for, merged
from cdi.kube.objects import Key, Object
from cdi.kube.resource import SECRETS, Resource

SETTINGS = Settings(worker_image="registry.example/cdi:1", installer_labels={})
START = datetime(2030, 1, 1, tzinfo=UTC)
CACHES = tuple(Cluster.__dataclass_fields__)
DRIVER = "disk.example"

Script = Iterable[Object]  # states of one importer, in order


class Crash(Exception):
    """The controllers' process dies."""


class Turning:
    """A clock that moves a little with every round."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class SilentProgress:
    """No importer answers; keeps which were asked, by UID."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def of(self, pod: Object, owner_uid: str, tell: Callable[[], None]) -> None:
        self.asked.append(objects.uid(pod))


class Storage:
    """A driver: it makes volumes, empty or from a claim or a snapshot, grows them, and takes
    snapshots. `broken` are the kinds of data source from which it never makes anything."""

    def __init__(self, broken: Iterable[str] = ()) -> None:
        self.broken = frozenset(broken)

    def can_make(self, world: "World", claim: Object) -> bool:
        source = objects.get(claim, "spec", "dataSourceRef")
        if not source:
            return True
        if source["kind"] in self.broken:
            return False
        found = self._source(world, claim)
        if found is None:
            return False
        if source["kind"] == "PersistentVolumeClaim":
            return objects.get(found, "status", "phase") == "Bound"
        return objects.get(found, "status", "readyToUse") is True

    def content_of(self, world: "World", claim: Object) -> str:
        """What a volume holds: the words under which its first claim or snapshot holds it."""
        found = self._source(world, claim)
        if found is None:
            return f"empty, of {objects.name(claim)}"
        if found["kind"] == "VolumeSnapshot":
            return str(found["content"])
        name = str(objects.get(found, "spec", "volumeName"))
        return str((world.get_one("volumes", name) or {})["content"])

    def _source(self, world: "World", claim: Object) -> Object | None:
        source = objects.get(claim, "spec", "dataSourceRef") or {}
        cache = {"PersistentVolumeClaim": "claims", "VolumeSnapshot": "snapshots"}.get(
            str(source.get("kind"))
        )
        return cache and world.get_one(cache, source["name"], objects.namespace(claim))

    def copy(self, world: "World", pod: Object) -> None:
        """What a pod that has two claims has done: one now holds what the other one holds."""
        volumes = objects.get(pod, "spec", "volumes", default=[])
        named = {each["name"]: objects.get(each, "persistentVolumeClaim", "claimName")
                 for each in volumes}  # fmt: skip
        if not named.get("cdi-source-vol"):
            return
        found = [
            world.get_one("claims", named[each], objects.namespace(pod)) or {}
            for each in ("cdi-source-vol", "cdi-data-vol")
        ]
        source, target = (
            world.get_one("volumes", str(objects.get(each, "spec", "volumeName"))) or {}
            for each in found
        )
        world.put("volumes", {**target, "content": source["content"]})

    def move(self, world: "World") -> bool:
        return self._grow(world) or self._take_snapshot(world)

    def _grow(self, world: "World") -> bool:
        for claim in world.cluster.claims.list():
            asked = objects.get(claim, "spec", "resources", "requests", "storage")
            had = objects.get(claim, "status", "capacity", "storage")
            if had is not None and parse(str(asked)).value() > parse(str(had)).value():
                world.put("claims", merged(claim, {"status": {"capacity": {"storage": asked}}}))
                name = str(objects.get(claim, "spec", "volumeName"))
                volume = world.get_one("volumes", name) or {}
                size = {"spec": {"capacity": {"storage": asked}}}
                world.put("volumes", merged(volume, size))
                return True
        return False

    def _take_snapshot(self, world: "World") -> bool:
        for snapshot in world.cluster.snapshots.list():
            if objects.get(snapshot, "status") or "taken" in self.broken:
                continue
            name = objects.get(snapshot, "spec", "source", "persistentVolumeClaimName")
            claim = world.get_one("claims", name, objects.namespace(snapshot))
            if claim is None:
                continue
            content = f"content-{objects.uid(snapshot)}"
            mode = objects.get(claim, "spec", "volumeMode") or "Filesystem"
            world.put("snapshot_contents", {
                "metadata": {"name": content},
                "spec": {"driver": DRIVER, "sourceVolumeMode": mode},
            })  # fmt: skip
            volume = world.get_one("volumes", str(objects.get(claim, "spec", "volumeName")))
            status = {
                "creationTime": "2030-01-01T00:00:00Z", "readyToUse": True,
                "boundVolumeSnapshotContentName": content,
                "restoreSize": objects.get(claim, "status", "capacity", "storage"),
            }  # fmt: skip
            held = {"status": status, "content": (volume or {})["content"]}
            world.put("snapshots", merged(snapshot, held))
            return True
        return False


@dataclass
class World:
    """See the module. `scripts` are taken by importer pods in the order of their creation."""

    scripts: list[list[Object]] = field(default_factory=list)
    crash_at: int | None = None  # the number of the write before which the controllers die
    refuse: Callable[[str, Resource, Object], errors.ApiError | None] | None = None
    tokens: Any = None  # signs and reads clone tokens
    storage: Any = field(default_factory=Storage)

    def __post_init__(self) -> None:
        self.cluster = empty_cluster()
        self.clock = Turning()
        self.told: list[tuple[str, str, str, str, str]] = []  # kind, name, type, reason, message
        self.phases: dict[str, list[str]] = {}
        self.writes: list[tuple[str, str, str]] = []  # verb, kind, name
        self.pods_made = 0
        self._versions = itertools.count(1)
        self._uids = itertools.count(1)
        self._crashed = False
        self._plays: dict[str, list[Object]] = {}
        self.secrets: dict[Key, Object] = {}  # which no controller watches
        client: Any = self  # what controllers need of one is here
        actor = Actor(client, self)
        progress: Any = SilentProgress()
        self.progress = progress
        make = (self.cluster, SETTINGS, actor)
        self._populating = [populating.Reconciler(each, *make, progress) for each in POPULATORS]
        self._volumes = [
            datavolume.Reconciler(each, *make, progress, self.clock, self.tokens)
            for each in OPERATIONS
        ]
        self._cloning = cloning.Reconciler(*make, progress, self.clock, self.tokens)
        self._in_place = inplace.Reconciler(*make)
        self._importing = importing.Reconciler(self.cluster, SETTINGS, client, actor, self.clock)
        self._uploading = uploading.Reconciler(self.cluster, SETTINGS, client, actor, self.clock)
        self._profiles = storageprofile.Reconciler(*make, self.clock)
        self._config = cdiconfig.Reconciler(*make, client, self.clock)
        self._sources = datasource.Reconciler(self.cluster, actor, self.clock)
        self._crons = dataimportcron.Reconciler(
            self.cluster, SETTINGS, client, actor, self.clock, NotCounted()
        )

    # Objects.

    def put(self, cache: str, obj: Object) -> Object:
        """Add or replace an object, as anybody but the controllers."""
        stored = copy.deepcopy(obj)
        meta = stored.setdefault("metadata", {})
        resource = resource_of(cache)
        stored.setdefault("apiVersion", resource.api_version)
        stored.setdefault("kind", resource.kind)
        if resource.namespaced:
            meta.setdefault("namespace", "ns")
        meta.setdefault("uid", f"uid-{next(self._uids)}")
        meta["resourceVersion"] = str(next(self._versions))
        if cache == "data_volumes":
            self._note_phase(stored)
        getattr(self.cluster, cache).upsert(stored)
        return stored

    def get_one(self, cache: str, name: str, namespace: str = "ns") -> Object | None:
        resource = resource_of(cache)
        key = Key(namespace if resource.namespaced else "", name)
        found: Object | None = getattr(self.cluster, cache).get(key)
        return found

    def patch_one(self, cache: str, name: str, change: Object) -> Object:
        found = self.get_one(cache, name)
        assert found is not None, name
        return self.put(cache, merged(found, change))

    def drop(self, cache: str, obj: Object) -> None:
        """Delete, as the server does: finalizers are waited for, dependents go too.

        A pod that is not over is only marked; the kubelet ends it, shows how it ended, and then
        lets it go.
        """
        at_work = cache == "pods" and objects.get(obj, "status", "phase") in ("Running", "Unknown")
        if objects.is_deleting(obj) and at_work:
            return
        named = cache == "claims" and self._is_named(obj)
        if objects.is_deleting(obj) and named:
            return
        if objects.finalizers(obj) or at_work or named:
            marked = {"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}}
            self.put(cache, merged(obj, marked))
            return
        getattr(self.cluster, cache).remove(obj)
        self.collect_garbage()

    def _is_named(self, claim: Object) -> bool:
        """Whether a pod has a claim, which the server then keeps, however it goes with the pod."""
        return bool(self.cluster.pods_using(claim))

    def _let_go(self) -> None:
        """Let claims go whose last pod went."""
        for each in self.cluster.claims.list():
            over = objects.is_deleting(each) and not objects.finalizers(each)
            if over and not self._is_named(each):
                self.cluster.claims.remove(each)

    def collect_garbage(self) -> None:
        self._let_go()
        alive = {
            objects.uid(each) for cache in CACHES for each in getattr(self.cluster, cache).list()
        }
        for cache in CACHES:
            for each in getattr(self.cluster, cache).list():
                owners = objects.metadata(each).get("ownerReferences") or []
                orphaned = owners and not any(owner["uid"] in alive for owner in owners)
                if orphaned and not objects.is_deleting(each):
                    self.drop(cache, each)
                    return
        for key, secret in list(self.secrets.items()):
            owners = objects.metadata(secret).get("ownerReferences") or []
            if owners and not any(owner["uid"] in alive for owner in owners):
                del self.secrets[key]

    def _note_phase(self, volume: Object) -> None:
        phase = objects.get(volume, "status", "phase", default="")
        seen = self.phases.setdefault(objects.name(volume), [])
        if not seen or seen[-1] != phase:
            seen.append(phase)

    # A client's verbs, as the controllers use them.

    async def create(self, resource: Resource, obj: Object) -> Object:
        self._write("create", resource, objects.name(obj))
        cache = self._cache_of(resource)
        if self.refuse is not None and (error := self.refuse("create", resource, obj)):
            raise error
        if resource == SECRETS:
            return self._new_secret(obj)
        if cache is None:
            return obj
        if getattr(self.cluster, cache).get(objects.key(obj)) is not None:
            raise errors.from_status({"code": 409, "reason": "AlreadyExists", "message": "exists"})
        wanted = copy.deepcopy(obj)
        if cache in ("claims", "pods"):
            wanted["status"] = {"phase": "Pending"}
        if cache == "snapshots":
            wanted.pop("status", None)
        if cache == "pods":
            self.pods_made += 1
        if cache in ("data_volumes", "profiles"):
            wanted.pop("status", None)
        wanted["metadata"]["creationTimestamp"] = self.clock.wall().strftime("%Y-%m-%dT%H:%M:%SZ")
        return self.put(cache, wanted)

    def _new_secret(self, obj: Object) -> Object:
        if objects.key(obj) in self.secrets:
            raise errors.from_status({"code": 409, "reason": "AlreadyExists", "message": "exists"})
        self.secrets[objects.key(obj)] = obj
        return obj

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        cache = self._cache_of(resource)
        key = Key(namespace or "", name)
        if resource == SECRETS and key in self.secrets:
            return self.secrets[key]
        found = None if cache is None else getattr(self.cluster, cache).get(key)
        if found is None:
            raise errors.from_status({"code": 404, "reason": "NotFound", "message": name})
        return dict(found)

    async def patch(
        self,
        resource: Resource,
        name: str,
        namespace: str | None,
        body: Object,
        *,
        subresource: str = "",
    ) -> Object:
        self._write(f"patch {subresource}".strip(), resource, name)
        found = await self.get(resource, name, namespace)
        version = objects.get(body, "metadata", "resourceVersion")
        if version and version != objects.resource_version(found):
            raise errors.from_status({"code": 409, "reason": "Conflict", "message": name})
        if subresource:
            assert set(body) <= {"status", "metadata"}, body
        cache = self._cache_of(resource)
        assert cache is not None
        wanted = merged(found, body)
        named = cache == "claims" and self._is_named(wanted)
        if not objects.finalizers(wanted) and objects.is_deleting(wanted) and not named:
            getattr(self.cluster, cache).remove(wanted)
            return dict(wanted)
        return self.put(cache, wanted)

    async def update(self, resource: Resource, obj: Object) -> Object:
        namespace, name = objects.key(obj)
        found = await self.get(resource, name, namespace)
        version = objects.resource_version(obj)
        change = merge_patch_for(found, obj)
        change["metadata"] = {**change.get("metadata", {}), "resourceVersion": version}
        return await self.patch(resource, name, namespace, change)

    async def delete_all(
        self, resource: Resource, namespace: str, *, fields: str, uid: str, **_: Any
    ) -> None:
        name = fields.removeprefix("metadata.name=")
        if await self._has(resource, name, namespace):
            await self.delete(resource, name, namespace, uid=uid)

    async def _has(self, resource: Resource, name: str, namespace: str) -> bool:
        try:
            await self.get(resource, name, namespace)
        except errors.NotFound:
            return False
        return True

    async def delete(
        self, resource: Resource, name: str, namespace: str | None = None, *, uid: str, **_: Any
    ) -> Object:
        self._write("delete", resource, name)
        found = await self.get(resource, name, namespace)
        assert objects.uid(found) == uid
        cache = self._cache_of(resource)
        assert cache is not None
        self.drop(cache, found)
        return found

    def _cache_of(self, resource: Resource) -> str | None:
        return next((cache for cache in CACHES if resource_of(cache) == resource), None)

    def _write(self, verb: str, resource: Resource, name: str) -> None:
        if self.crash_at is not None and len(self.writes) == self.crash_at and not self._crashed:
            self._crashed = True
            raise Crash
        self.writes.append((verb, resource.kind, name))

    # A recorder's.

    def event(self, obj: Object, type_: str, reason: str, message: str) -> None:
        self.told.append((obj["kind"], objects.name(obj), type_, reason, message))

    def reasons_told(self, kind: str) -> list[str]:
        return [reason for told, _, _, reason, _ in self.told if told == kind]

    # Everybody else.

    def bind_claims(self) -> bool:
        """Bind one claim that waits for nothing but a volume."""
        for claim in self.cluster.claims.list():
            if objects.get(claim, "status", "phase") != "Pending" or self._waits(claim):
                continue
            if objects.is_deleting(claim) or not self.storage.can_make(self, claim):
                continue
            name = f"pv-{objects.uid(claim)}"
            size = objects.get(claim, "spec", "resources", "requests", "storage")
            self.put("volumes", {
                "metadata": {"name": name},
                "spec": {"claimRef": {
                    "namespace": objects.namespace(claim), "name": objects.name(claim),
                    "uid": objects.uid(claim),
                }, "capacity": {"storage": size}},
                "status": {"phase": "Bound"},
                "content": self.storage.content_of(self, claim),
            })  # fmt: skip
            status = {"phase": "Bound", "capacity": {"storage": size}}
            bound = {"spec": {"volumeName": name}, "status": status}
            self.put("claims", merged(claim, bound))
            return True
        return False

    def _waits(self, claim: Object) -> bool:
        name = objects.get(claim, "spec", "storageClassName", default="")
        found = self.cluster.classes.get(Key("", name)) or {}
        if found.get("volumeBindingMode") != "WaitForFirstConsumer":
            return False
        users = self.cluster.pods_using(claim)
        return known.SELECTED_NODE not in objects.annotations(claim) and not users

    def follow_claim_references(self) -> bool:
        """Bind a claim that a volume names; the claim that it named before is lost."""
        for volume in self.cluster.volumes.list():
            ref = objects.get(volume, "spec", "claimRef", default={})
            claim = self.cluster.claims.get(Key(ref.get("namespace", ""), ref.get("name", "")))
            name = objects.name(volume)
            for other in self.cluster.claims.list():
                had = objects.get(other, "spec", "volumeName") == name
                phase = objects.get(other, "status", "phase")
                if had and phase == "Bound" and objects.uid(other) != ref.get("uid"):
                    self.put("claims", merged(other, {"status": {"phase": "Lost"}}))
                    return True
            if claim is None or objects.uid(claim) != ref.get("uid"):
                continue
            if objects.get(claim, "status", "phase") == "Pending":
                size = objects.get(volume, "spec", "capacity", "storage")
                status = {"phase": "Bound", "capacity": {"storage": size}}
                bound = {"spec": {"volumeName": name}, "status": status}
                self.put("claims", merged(claim, bound))
                return True
        return False

    def run_pods(self) -> bool:
        """Take one worker's pod one state further in its script."""
        for pod in self.cluster.pods.list():
            uid = objects.uid(pod)
            if objects.labels(pod).get("cdi.kubevirt.io") not in _WORKERS:
                continue
            if objects.is_deleting(pod):
                self._end(pod)
                return True
            if uid not in self._plays:
                self._plays[uid] = list(self.scripts.pop(0) if self.scripts else _usual(pod))
            if self._plays[uid] and self._can_start(pod):
                done = self.put("pods", merged(pod, {"status": self._plays[uid].pop(0)}))
                if objects.get(done, "status", "phase") == "Succeeded":
                    self.storage.copy(self, done)
                return True
        return False

    def _end(self, pod: Object) -> None:
        """Take a pod that is being deleted one state further: stopped, shown as over, gone."""
        if objects.get(pod, "status", "phase") not in ("Running", "Unknown"):
            self.cluster.pods.remove(pod)
            self.collect_garbage()
            return
        status = copy.deepcopy(pod["status"])
        for container in status.get("containerStatuses") or []:
            if "terminated" not in container["state"]:
                container["state"] = {"terminated": ended(STOPPED, 143)}
        ends = [each["state"]["terminated"] for each in status.get("containerStatuses") or []]
        status["phase"] = "Failed" if any(each["exitCode"] for each in ends) else "Succeeded"
        self.put("pods", {**pod, "status": status})

    def _can_start(self, pod: Object) -> bool:
        for volume in objects.get(pod, "spec", "volumes", default=[]):
            secret = objects.get(volume, "secret", "secretName")
            if secret and Key(objects.namespace(pod), secret) not in self.secrets:
                return False
            name = objects.get(volume, "persistentVolumeClaim", "claimName")
            if name is None:
                continue
            claim = self.get_one("claims", name, objects.namespace(pod))
            if objects.get(claim, "status", "phase") != "Bound":
                return False
        return True

    # Taking turns.

    def reconcile_all(self) -> None:
        """Let every controller look at everything once."""
        for each in (Key("", objects.name(found)) for found in self.cluster.classes.list()):
            self._once(self._profiles.reconcile, each)
        self._once(self._config.reconcile, cdiconfig.KEY)
        for key in list(self.cluster.data_volumes.keys()):
            for controller in self._volumes:
                self._once(controller.reconcile, key)
        for uid in self._owners_of_temporaries():
            self._once(self._cloning.reconcile, Key("", uid))
        for key in list(self.cluster.claims.keys()):
            self._once(self._cloning.reconcile, key)
            self._once(self._in_place.reconcile, key)
            for populator in self._populating:
                self._once(populator.reconcile, key)
            self._once(self._importing.reconcile, key)
            self._once(self._uploading.reconcile, key)
        for key in [*self.cluster.crons.keys(), *sorted(self._named_crons())]:
            self._once(self._crons.reconcile, key)
        for key in list(self.cluster.data_sources.keys()):
            self._once(self._sources.reconcile, key)

    def _named_crons(self) -> set[Key]:
        """Those for which something was made."""
        caches = ("cron_jobs", "data_sources", "data_volumes", "claims", "snapshots")
        found = (each for cache in caches for each in getattr(self.cluster, cache).list())
        named = {key for each in found for key in cron_of(each)}
        return named - set(self.cluster.crons.keys())

    def _owners_of_temporaries(self) -> set[str]:
        found = (each for cache in ("claims", "pods", "snapshots")
                 for each in getattr(self.cluster, cache).list())  # fmt: skip
        named = (objects.labels(each).get("cdi.kubevirt.io/OwnedByUID") for each in found)
        return {uid for uid in named if uid}

    def _once(self, reconcile: Any, key: Key) -> None:
        # Nothing here ever waits, so a coroutine runs to its end at once, without an event loop.
        try:
            reconcile(key).send(None)
        except (StopIteration, errors.KubeError, Crash):
            return
        raise AssertionError("a reconciler waits for something outside the world")

    def settle(self, rounds: int = 200) -> None:
        """Take turns until nobody moves."""
        for _ in range(rounds):
            if not self.take_turns():
                return
        raise AssertionError(f"never settles: {self.writes[-6:]}")

    def take_turns(self) -> bool:
        """Let everybody have one turn; return whether anybody moved."""
        before = len(self.writes), self._crashed
        self.reconcile_all()
        self.collect_garbage()
        self.clock.seconds += 11  # longer than any pause of a controller
        moved = (
            self.run_pods()
            or self.bind_claims()
            or self.follow_claim_references()
            or self.storage.move(self)
        )
        return moved or before != (len(self.writes), self._crashed)

    @property
    def has_crashed(self) -> bool:
        return self._crashed

    def picture(self) -> dict[str, Any]:
        """Everything there is, without what differs from run to run."""
        found = {}
        for cache in CACHES:
            for each in getattr(self.cluster, cache).list():
                found[f"{cache}/{objects.key(each)}"] = _plain(each)
        # UIDs depend on the order in which objects were made; their numbers say nothing.
        named: dict[str, Any] = json.loads(re.sub(r"uid-\d+", "uid", json.dumps(found)))
        return named


_WORKERS = frozenset({"importer", "cdi-upload-server", "cdi-clone-source", "cdi-populator-prep"})


def _usual(pod: Object) -> list[Object]:
    """What a worker goes through where nothing else is scripted."""
    role = str(objects.labels(pod).get("cdi.kubevirt.io"))
    return {"cdi-upload-server": TAKES_A_DISK, "cdi-clone-source": COPIES}.get(role, SUCCEEDS)


_PASSING = frozenset(
    {"resourceVersion", "creationTimestamp", "lastTransitionTime", "lastHeartbeatTime"}
)


def _plain(obj: Any) -> Any:
    """An object without versions and times."""
    if isinstance(obj, dict):
        return {key: _plain(value) for key, value in obj.items() if key not in _PASSING}
    return [_plain(each) for each in obj] if isinstance(obj, list) else obj


# States of importer pods.


def state(phase: str, restarts: int = 0, **container: Any) -> Object:
    """The status of a pod whose importer container is in this state."""
    last = container.pop("last", None)
    status: Object = {
        "name": "importer", "image": "registry.example/cdi:1", "restartCount": restarts,
        "state": container, "lastState": {"terminated": last} if last else {},
    }  # fmt: skip
    return {"phase": phase, "containerStatuses": [status], "podIP": "10.0.0.1"}


def ended(message: str, code: int = 0, reason: str = "") -> Object:
    """How a container ended."""
    return {
        "exitCode": code, "reason": reason or ("Error" if code else "Completed"),
        "message": message, "finishedAt": "2030-01-01T00:00:00Z",
    }  # fmt: skip


CREATING = state("Pending", waiting={"reason": "ContainerCreating"})
RUNNING = state("Running", running={"startedAt": "2030-01-01T00:00:00Z"})
COMPLETE = json.dumps({"scratchSpaceRequired": False, "preallocationApplied": False,
                       "message": "Import Complete"})  # fmt: skip
STOPPED = json.dumps({"message": "stopped; another start continues", "reason": "Cancelled"})
SUCCEEDED = state("Succeeded", terminated=ended(COMPLETE))
SUCCEEDS = [CREATING, RUNNING, SUCCEEDED]


def copier(of: Object) -> Object:
    """The same of a pod that copies."""
    status = copy.deepcopy(of)
    status["containerStatuses"][0]["name"] = "cdi-clone-source"
    return status


COPIED = json.dumps({"message": "Clone Complete", "preallocationApplied": False})
COPIES = [
    copier(CREATING),
    copier(RUNNING),
    copier(state("Succeeded", terminated=ended(COPIED))),
]


# States of upload servers' pods.


def served(phase: str, restarts: int = 0, *, ready: bool = False, **container: Any) -> Object:
    """The status of a pod whose upload server is in this state."""
    found = state(phase, restarts, **container)
    found["containerStatuses"][0] |= {"name": "cdi-upload-server", "ready": ready}
    return found


UP = served("Running", running={"startedAt": "2030-01-01T00:00:00Z"})
READY = served("Running", ready=True, running={"startedAt": "2030-01-01T00:00:00Z"})
UPLOAD_COMPLETE = json.dumps({"preallocationApplied": False, "message": "Upload Complete"})
UPLOADED = served("Succeeded", terminated=ended(UPLOAD_COMPLETE))
TAKES_A_DISK = [served("Pending", waiting={"reason": "ContainerCreating"}), UP, READY, UPLOADED]
SIGNER = pki.make_authority("ns_signer@1", START, timedelta(days=365))


def with_certificates(found: "World") -> "World":
    """What the operator makes, in the installation's namespace."""
    data = {"tls.crt": SIGNER.certificate, "tls.key": SIGNER.key}
    named = {"name": "cdi-uploadserver-signer", "namespace": SETTINGS.namespace}
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    found.secrets[Key(SETTINGS.namespace, named["name"])] = {"metadata": named, "data": encoded}
    found.put("config_maps", {
        "metadata": {**named, "name": "cdi-uploadserver-client-signer-bundle"},
        "data": {"ca-bundle.crt": SIGNER.certificate},
    })  # fmt: skip
    return found


def mendable(reason: str, message: str, restarts: int = 0, **when: str) -> Object:
    """The importer cannot go on until somebody mends something elsewhere; it is started again."""
    told = {"message": message, "reason": reason, "permanent": True, "mendable": True}
    stopped = {**ended(json.dumps(told), 1), **when}
    waiting = {
        "reason": "CrashLoopBackOff",
        "message": "back-off 10s restarting failed container=importer pod=importer-disk_ns(p)",
    }
    if restarts:
        return state("Running", restarts, waiting=waiting, last=stopped)
    return state("Running", terminated=stopped)


def final(reason: str, message: str, code: int = 1) -> Object:
    """The importer has given up for good; the kubelet does not know that yet."""
    text = json.dumps({"message": message, "reason": reason, "permanent": True})
    phase = "Running" if code else "Succeeded"
    return state(phase, terminated=ended(text, code))


def crashed(message: str, restarts: int = 1, back_off: str = "10s") -> Object:
    """The importer has failed and will be started again."""
    text = json.dumps({"message": message, "reason": "ConnectionFailed"})
    waiting = {
        "reason": "CrashLoopBackOff",
        "message": f"back-off {back_off} restarting failed container=importer pod=x",
    }
    return state("Running", restarts, waiting=waiting, last=ended(text, 1))


# Objects of users and administrators.


def storage_class(name: str = "fast", **fields: Any) -> Object:
    marked = {known.DEFAULT_STORAGE_CLASS: "true"}
    meta = {"name": name, "annotations": marked if name == "fast" else {}}
    return {"metadata": meta, "provisioner": DRIVER, "volumeBindingMode": "Immediate", **fields}


def pvc_spec(**fields: Any) -> Object:
    return {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
        "resources": {"requests": {"storage": "1Gi"}}, **fields,
    }  # fmt: skip


HTTP = {"http": {"url": "http://images.example/disk.qcow2"}}


def data_volume(name: str = "dv", *, source: Object | None = None, **meta: Any) -> Object:
    spec = meta.pop("spec", None) or {"source": source or HTTP, "pvc": pvc_spec()}
    return {"metadata": {"name": name, "namespace": "ns", **meta}, "spec": spec}


def with_classes(world: World) -> World:
    """A world with a class, and another that waits for consumers."""
    world.put("classes", storage_class())
    world.put("classes", storage_class("late", volumeBindingMode="WaitForFirstConsumer"))
    return world
