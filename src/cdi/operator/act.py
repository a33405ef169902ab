"""
Carrying out a plan: writes, events, and the CDI object itself last.

A step that fails is remembered and holds up none of the others; the CDI object says so, and the
pass is repeated. Safe to repeat and to stop anywhere.
"""

from __future__ import annotations

import copy
import logging
from datetime import datetime
from typing import Any, Final

from cdi.api import annotations as known
from cdi.api import finalizers, labels
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client, Propagation
from cdi.kube.clock import Clock
from cdi.kube.conditions import Said
from cdi.kube.controller import Result
from cdi.kube.events import Recorder
from cdi.kube.objects import Object
from cdi.kube.owners import AlreadyControlledError
from cdi.kube.resource import CUSTOM_RESOURCE_DEFINITIONS, PODS, SERVICES, Resource
from cdi.operator import definitions, kinds, managed, status, takeover
from cdi.operator.certificates.sync import Certificates
from cdi.operator.plan import Create, Migrate, Plan, Remove, RemoveWorkers, Step, Update
from cdi.operator.settings import Settings
from cdi.storage import lifetimes
from cdi.storage.lifetimes import InvalidCertConfig

log = logging.getLogger(__name__)

_WORKERS: Final = (
    f"{labels.COMPONENT} in ({labels.IMPORTER},{labels.UPLOAD_SERVER},{labels.CLONE_SOURCE})"
)
_NAMED: Final = 3  # failures that a condition names
_MISREAD: Final = (errors.KubeError, AlreadyControlledError)


class Failed(Exception):
    """Some steps failed; says which and why."""


class Actor:
    """Writes, in the name of one operator."""

    def __init__(
        self, client: Client, settings: Settings, recorder: Recorder, clock: Clock
    ) -> None:
        self._client = client
        self._settings = settings
        self._recorder = recorder
        self._clock = clock

    async def act(self, plan: Plan, cdi: Object) -> Result:
        """Carry out the plan. Raises Failed after everything that can be done was done, and
        errors.Conflict where the CDI object was changed meanwhile."""
        if plan.finalizer:
            cdi = await self._hold(cdi)
        failures = [text for step in plan.steps if (text := await self._tried(step, cdi))]
        again = plan.again_in
        if plan.certificates:
            again = await self._certify(cdi, failures, again)
        wanted = plan.status
        if failures and wanted is not None:
            wanted = _failed(wanted, cdi, failures)
        for event in plan.events if not failures else ():
            say = self._recorder.warning if event.warning else self._recorder.normal
            say(cdi, event.reason, event.message)
        after = _after(cdi, plan, wanted, self._clock.wall(), complete=not failures)
        if after != cdi:
            await apply.ensure_state(self._client, kinds.CDIS, cdi, after)
        if failures:
            raise Failed("; ".join(failures))
        return Result(again_in=again)

    async def report(self, cdi: Object, error: Exception) -> None:
        """Let the CDI object say that a pass failed before it came to a plan."""
        phase = objects.get(cdi, "status", "phase", default="")
        wanted = _failed(status.Status(phase), cdi, [str(error)])
        before = objects.get(cdi, "status", default={})
        after = {**cdi, "status": status.rendered(before, wanted, {}, self._clock.wall())}
        if after != cdi:
            await apply.ensure_state(self._client, kinds.CDIS, cdi, after)

    async def _hold(self, cdi: Object) -> Object:
        """Nothing is made before the object is held: it must not vanish unnoticed."""
        held = await apply.ensure_finalizer(self._client, kinds.CDIS, cdi, finalizers.OPERATOR)
        return held.object

    # Steps

    async def _tried(self, step: Step, cdi: Object) -> str:
        """Carry out one step; return what went wrong, empty if nothing did."""
        try:
            match step:
                case Create():
                    await self._create(step.obj, cdi)
                case Update():
                    await self._update(step.wanted, cdi)
                case Remove():
                    await self._remove(step.seen, cdi)
                case Migrate():
                    await self._migrate(step.definition)
                case RemoveWorkers():
                    await self._remove_workers(cdi)
        except errors.Conflict:
            return "an object was changed while it was looked at"
        except _MISREAD as error:
            log.warning("step failed", extra={"step": type(step).__name__, "cause": str(error)})
            return str(error)
        return ""

    async def _create(self, obj: Object, cdi: Object) -> None:
        try:
            await self._told(cdi, "Create", obj, self._client.create(kinds.resource_of(obj), obj))
        except errors.AlreadyExists:
            await self._adopt(obj, cdi)

    async def _adopt(self, obj: Object, cdi: Object) -> None:
        """Somebody made it, or our picture is old: bring it to what is wanted."""
        resource = kinds.resource_of(obj)
        namespace, name = objects.key(obj)
        found = await self._client.get(resource, name, namespace or None)
        found = {"apiVersion": resource.api_version, "kind": resource.kind, **found}
        found = takeover.released(found)
        desired = _unmarked(obj)
        wanted = managed.restored(found, desired, cdi, self._settings.version)
        if wanted is not None:
            await self._update(wanted, cdi)

    async def _update(self, wanted: Object, cdi: Object) -> None:
        resource = kinds.resource_of(wanted)
        await self._told(cdi, "Update", wanted, self._client.update(resource, wanted))

    async def _remove(self, seen: Object, cdi: Object) -> None:
        removal = apply.ensure_absent(
            self._client, kinds.resource_of(seen), seen, propagation=Propagation.FOREGROUND
        )
        await self._told(cdi, "Delete", seen, removal)

    async def _told(self, cdi: Object, verb: str, obj: Object, work: Any) -> None:
        """Do the work, and say on the CDI object how it went."""
        what = f"{obj['kind']} {objects.key(obj)}"
        try:
            await work
        except (errors.Conflict, errors.AlreadyExists):
            raise
        except errors.KubeError as error:
            message = f"Failed to {verb.lower()} {what}: {error}"
            self._recorder.warning(cdi, f"{verb}ResourceFailed", message)
            raise
        past = f"{verb.lower()}d"
        self._recorder.normal(cdi, f"{verb}ResourceSuccess", f"Successfully {past} {what}")
        log.info("object is written", extra={"verb": verb.lower(), "object": what})

    async def _migrate(self, definition: Object) -> None:
        """Objects first, then the definition says that there is nothing in older versions."""
        newest = definitions.storage_version_of(definition)
        spec = definition["spec"]
        resource = Resource(
            spec["group"],
            newest,
            spec["names"]["plural"],
            spec["names"]["kind"],
            namespaced=spec["scope"] == "Namespaced",
        )
        for found in await self._client.list(resource):
            # One that is changed or deleted meanwhile is stored anew, or gone.
            await _ignoring(self._client.update(resource, found), errors.Conflict, errors.NotFound)
        seen = await self._client.get(CUSTOM_RESOURCE_DEFINITIONS, objects.name(definition))
        stored = {**(seen.get("status") or {}), "storedVersions": [newest]}
        await self._client.update(
            CUSTOM_RESOURCE_DEFINITIONS, {**seen, "status": stored}, subresource="status"
        )
        log.info(
            "objects are stored in the newest version",
            extra={"object": objects.name(definition), "version": newest},
        )

    async def _remove_workers(self, cdi: Object) -> None:
        for resource in (PODS, SERVICES):
            for found in await self._client.list(resource, labels=_WORKERS):
                removal = apply.ensure_absent(self._client, resource, found)
                await self._told(cdi, "Delete", found, removal)

    async def _certify(self, cdi: Object, failures: list[str], again: float | None) -> float | None:
        """Bring certificates up to date; return when to look again at the latest."""
        identity = {"labels": {labels.COMPONENT: ""}}
        keeper = Certificates(self._client, self._settings.namespace, identity, self._clock)
        asked = lifetimes.DEFAULT
        try:
            asked = lifetimes.parse_lifetimes(cdi)
        except InvalidCertConfig as error:
            failures.append(f"{error}; certificates live as long as usual")
        try:
            due = await keeper.sync(asked)
        except errors.KubeError as error:
            failures.append(f"certificates: {error}")
            return again
        return due if again is None else min(again, max(due, 1.0))


async def _ignoring(work: Any, *ignored: type[Exception]) -> None:
    try:
        await work
    except ignored as error:
        log.debug("nothing to be done", extra={"cause": str(error)})


def _unmarked(obj: Object) -> Object:
    """What was wanted, of what was to be created."""
    made = copy.deepcopy(obj)
    metadata = made["metadata"]
    metadata.pop("ownerReferences", None)
    for label in (labels.CREATE_VERSION, labels.UPDATE_VERSION):
        metadata["labels"].pop(label, None)
    annotations = metadata.get("annotations") or {}
    annotations.pop(known.LAST_APPLIED_CONFIGURATION, None)
    if not annotations:
        metadata.pop("annotations", None)
    return made


def _failed(wanted: status.Status, cdi: Object, failures: list[str]) -> status.Status:
    """What is said where something failed: what worked goes on working."""
    message = "; ".join(failures[:_NAMED])
    if len(failures) > _NAMED:
        message += f"; and {len(failures) - _NAMED} more"
    available = status.is_true(cdi, status.AVAILABLE)
    before = objects.get(cdi, "status", "phase", default="")
    phase = (
        before if wanted.phase == status.DEPLOYED and before != status.DEPLOYED else wanted.phase
    )
    return status.Status(
        phase or before,
        Said(True, "DeployCompleted", "Deployment Completed")
        if available
        else Said(False, "CreateResources", message),
        wanted.progressing
        if wanted.progressing.holds
        else Said(not available, "CreateResources", message),
        Said(True, "CreateResources", message),
    )


def _after(
    cdi: Object,
    plan: Plan,
    wanted: status.Status | None,
    now: datetime,
    *,
    complete: bool,
) -> Object:
    """The CDI object as it should be after the pass."""
    after = copy.deepcopy(cdi)
    metadata = after["metadata"]
    if wanted is not None:
        versions = dict(plan.versions)
        if not complete:
            versions.pop("observedVersion", None)
        before = objects.get(cdi, "status", default={})
        after["status"] = status.rendered(before, wanted, versions, now)
    if plan.finalizer is False and complete:
        rest = [each for each in objects.finalizers(cdi) if each != finalizers.OPERATOR]
        metadata["finalizers"] = rest
    if plan.config is not None:
        after.setdefault("spec", {})["config"] = plan.config
    if plan.authority:
        metadata["annotations"] = {**objects.annotations(cdi), known.CONFIG_AUTHORITY: ""}
    return after
