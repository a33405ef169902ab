"""
Carrying out a plan: writes, events, and the HostPathProvisioner itself last.

A step that fails is remembered and holds up none of the others; the object says so, and the pass is
repeated. Safe to repeat and to stop anywhere.
"""

from __future__ import annotations

import copy
import logging
from datetime import datetime
from typing import Any, Final

from cdi.hostpath.operator import kinds, status
from cdi.hostpath.operator.plan import Create, Plan, Remove, Step, Update
from cdi.hostpath.operator.settings import Settings
from cdi.kube import apply, errors, managed, objects
from cdi.kube.client import Client, Propagation
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.events import Recorder
from cdi.kube.objects import Object
from cdi.kube.owners import AlreadyControlledError

log = logging.getLogger(__name__)

_NAMED: Final = 3  # failures that a condition names


class Failed(Exception):
    """Some steps failed; says which and why."""


class Actor:
    """Writes, in the name of one operator."""

    def __init__(
        self, client: Client, settings: Settings, recorder: Recorder, clock: Clock
    ) -> None:
        self._client, self._settings = client, settings
        self._recorder, self._clock = recorder, clock

    async def act(self, plan: Plan, provisioner: Object) -> Result:
        """Carry out the plan. Raises Failed after everything that can be done was done, and
        errors.Conflict where the object was changed meanwhile."""
        if plan.finalizer:
            held = await apply.ensure_finalizer(
                self._client, kinds.PROVISIONERS, provisioner, kinds.FINALIZER
            )
            provisioner = held.object
        failures = [text for step in plan.steps if (text := await self._tried(step, provisioner))]
        for event in plan.events if not failures else ():
            say = self._recorder.warning if event.warning else self._recorder.normal
            say(provisioner, event.reason, event.message)
        wanted = plan.status
        if failures:
            why = "; ".join(failures[:_NAMED])
            wanted = status.failed(why)
            self._recorder.warning(provisioner, "ReconcileFailed", why)
        after = _after(provisioner, plan, wanted, self._clock.wall(), complete=not failures)
        if after != provisioner:
            await apply.ensure_state(self._client, kinds.PROVISIONERS, provisioner, after)
        if failures:
            raise Failed("; ".join(failures))
        return Result(again_in=plan.again_in)

    async def _tried(self, step: Step, provisioner: Object) -> str:
        """Carry out one step; return what went wrong, empty if nothing did."""
        try:
            match step:
                case Create(obj):
                    await self._create(obj, provisioner)
                case Update(wanted):
                    await self._update(wanted, provisioner)
                case Remove(seen):
                    resource = kinds.resource_of(seen)
                    removal = apply.ensure_absent(
                        self._client, resource, seen, propagation=Propagation.FOREGROUND
                    )
                    await self._told(provisioner, "Delete", seen, removal)
        except errors.Conflict:
            return "an object was changed while it was looked at"
        except (errors.KubeError, AlreadyControlledError) as error:
            log.warning("step failed", extra={"step": type(step).__name__, "cause": str(error)})
            return str(error)
        return ""

    async def _create(self, obj: Object, provisioner: Object) -> None:
        resource = kinds.resource_of(obj)
        try:
            await self._told(provisioner, "Create", obj, self._client.create(resource, obj))
        except errors.AlreadyExists:
            await self._adopt(obj, provisioner)

    async def _adopt(self, obj: Object, provisioner: Object) -> None:
        """Somebody made it, or our picture is old: bring it to what is wanted."""
        resource = kinds.resource_of(obj)
        namespace, name = objects.key(obj)
        found = await self._client.get(resource, name, namespace or None)
        found = {"apiVersion": resource.api_version, "kind": resource.kind, **found}
        wanted = managed.restored(
            found, _unmarked(obj), provisioner, self._settings.version, kinds.MARKS
        )
        if wanted is not None:
            await self._update(wanted, provisioner)

    async def _update(self, wanted: Object, provisioner: Object) -> None:
        update = self._client.update(kinds.resource_of(wanted), wanted)
        await self._told(provisioner, "Update", wanted, update)

    async def _told(self, provisioner: Object, verb: str, obj: Object, work: Any) -> None:
        """Do the work, and say on the HostPathProvisioner how it went."""
        what = f"{obj['kind']} {objects.key(obj)}"
        try:
            await work
        except (errors.Conflict, errors.AlreadyExists):
            raise
        except errors.KubeError as error:
            message = f"Failed to {verb.lower()} {what}: {error}"
            self._recorder.warning(provisioner, f"{verb}ResourceFailed", message)
            raise
        past = f"{verb.lower()}d"
        self._recorder.normal(provisioner, f"{verb}ResourceSuccess", f"Successfully {past} {what}")


def _unmarked(obj: Object) -> Object:
    """What was wanted, of what was to be created."""
    made = copy.deepcopy(obj)
    metadata = made["metadata"]
    metadata.pop("ownerReferences", None)
    for label in (kinds.MARKS.created, kinds.MARKS.updated):
        metadata["labels"].pop(label, None)
    annotations = metadata.get("annotations") or {}
    annotations.pop(kinds.MARKS.last_applied, None)
    if not annotations:
        metadata.pop("annotations", None)
    return made


def _after(
    provisioner: Object,
    plan: Plan,
    wanted: status.Status | None,
    now: datetime,
    *,
    complete: bool,
) -> Object:
    """The object as it should be after this pass."""
    after = copy.deepcopy(provisioner)
    if wanted is not None:
        versions = {
            name: value for name, value in plan.versions if complete or name != "observedVersion"
        }
        after["status"] = status.rendered(provisioner, wanted, versions, now)
    if plan.finalizer is False and complete:
        kept = [each for each in objects.finalizers(provisioner) if each != kinds.FINALIZER]
        after["metadata"]["finalizers"] = kept
    return after
