"""Jobs and CronJobs, kept going through the API alone."""

from __future__ import annotations

from cdi.kube import apply, errors, objects, owners
from cdi.kube.client import Client
from cdi.kube.clock import Clock, SystemClock
from cdi.kube.controller import Controller, KeysOf, Result
from cdi.kube.informer import Informer
from cdi.kube.manager import Group, Manager
from cdi.kube.objects import Key, Object
from cdi.kube.resource import CRON_JOBS, JOBS, PODS, Resource
from cdi.standalone.jobs import cronjobs, jobs

_BY_OWNER = "owner"  # UID of the controller


class Runner:
    """Starts Jobs of CronJobs, and pods of Jobs. Add it to a manager with `register`."""

    def __init__(self, client: Client, pods: Informer, *, clock: Clock | None = None) -> None:
        """`pods` are watched by whoever called."""
        self._client, self._pods = client, pods
        self._clock = clock or SystemClock()
        indexes = {_BY_OWNER: _owner}
        self.cron_jobs = Informer(client, CRON_JOBS)
        self.jobs = Informer(client, JOBS, indexes=indexes)
        pods.cache.add_index(_BY_OWNER, _owner)
        self._of_cron_jobs = Controller("cronjobs", self.reconcile_cron_job, clock=clock)
        self._of_jobs = Controller("jobs", self.reconcile_job, workers=2, clock=clock)

    def register(self, manager: Manager) -> None:
        """Add the informers and the controllers."""
        self._of_cron_jobs.watch(self.cron_jobs)
        self._of_cron_jobs.watch(self.jobs, _controlled_by(CRON_JOBS.kind))
        self._of_jobs.watch(self.jobs)
        self._of_jobs.watch(self._pods, _controlled_by(JOBS.kind))
        manager.add(Group.CACHES, self.cron_jobs, self.jobs)
        manager.add(Group.CONTROLLERS, self._of_cron_jobs, self._of_jobs)

    async def reconcile_cron_job(self, key: Key) -> Result | None:
        """Take one CronJob one step further."""
        found = self.cron_jobs.cache.get(key)
        if found is None or objects.is_deleting(found):
            return None
        own = self.jobs.cache.by_index(_BY_OWNER, objects.uid(found))
        decided = cronjobs.decide(found, own, self._clock.wall())
        if decided.create is not None:
            await self._create(JOBS, decided.create)
        for each in decided.remove:
            await apply.ensure_absent(self._client, JOBS, each)
        await self._show(CRON_JOBS, found, decided.status)
        return None if decided.again_in is None else Result(again_in=decided.again_in)

    async def reconcile_job(self, key: Key) -> Result | None:
        """Take one Job one step further."""
        found = self.jobs.cache.get(key)
        if found is None or objects.is_deleting(found):
            return None
        pods = self._pods.cache.by_index(_BY_OWNER, objects.uid(found))
        decided = jobs.decide(found, pods, self._clock.wall())
        if decided.remove:
            await apply.ensure_absent(self._client, JOBS, found)
            return None
        if decided.create is not None:
            await self._create(PODS, decided.create)
        await self._show(JOBS, found, decided.status)
        return None if decided.again_in is None else Result(again_in=decided.again_in)

    async def _create(self, resource: Resource, wanted: Object) -> None:
        try:
            await self._client.create(resource, wanted)
        except errors.AlreadyExists:
            return

    async def _show(self, resource: Resource, found: Object, status: Object) -> None:
        if status != (found.get("status") or {}):
            await apply.ensure_status(self._client, resource, found, status)


def _owner(obj: Object) -> tuple[str, ...]:
    owner = owners.controller_of(obj)
    return (str(owner["uid"]),) if owner else ()


def _controlled_by(kind: str) -> KeysOf:
    def keys(obj: Object) -> list[Key]:
        owner = owners.controller_of(obj)
        if owner is None or owner.get("kind") != kind:
            return []
        return [Key(objects.namespace(obj), str(owner["name"]))]

    return keys
