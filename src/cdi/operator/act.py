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
from cdi.api import finalizers, labels, reasons
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.conditions import Said
from cdi.kube.controller import Result
from cdi.kube.installing.steps import Event, Update
from cdi.kube.installing.writer import Failed, Writer, attempted, summary
from cdi.kube.objects import Object
from cdi.kube.resource import CUSTOM_RESOURCE_DEFINITIONS, PODS, SERVICES, Resource
from cdi.operator import definitions, kinds, lettinggo, status
from cdi.operator.certificates.sync import Certificates
from cdi.operator.plan import Inject, LetGo, Migrate, Plan, RemoveWorkers, Step
from cdi.operator.settings import Settings
from cdi.storage import lifetimes
from cdi.storage.lifetimes import InvalidCertConfig

log = logging.getLogger(__name__)

_WORKERS: Final = (
    f"{labels.COMPONENT} in ({labels.IMPORTER},{labels.UPLOAD_SERVER},{labels.CLONE_SOURCE})"
)


_INJECTED: Final = Event(
    reasons.ROUTE_INJECT_SUCCESS, "the authority of the upload proxy was filled in"
)


class Actor:
    """Writes, in the name of one operator."""

    def __init__(self, client: Client, settings: Settings, writer: Writer, clock: Clock) -> None:
        self._client = client
        self._settings = settings
        self._writer = writer
        self._clock = clock

    async def act(self, plan: Plan, cdi: Object) -> Result:
        """Carry out the plan. Raises Failed after everything that can be done was done, and
        errors.Conflict where the CDI object was changed meanwhile."""
        if plan.finalizer:
            cdi = await self._hold(cdi)
        tried = [await attempted(step, self._do(step, cdi)) for step in plan.steps]
        failures = [text for text in tried if text]
        again = plan.again_in
        if plan.certificates:
            again = await self._certify(cdi, failures, again)
        wanted = plan.status
        if failures and wanted is not None:
            wanted = _failed(wanted, cdi, failures)
        for event in plan.events if not failures else ():
            self._writer.tell(cdi, event)
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

    async def _do(self, step: Step, cdi: Object) -> None:
        match step:
            case Migrate():
                await self._migrate(step.definition)
            case RemoveWorkers():
                await self._remove_workers(cdi)
            case LetGo():
                await lettinggo.let_go(self._client)
            case Inject():
                await self._writer.write(Update(step.route), cdi)
                self._writer.tell(step.route, _INJECTED)
            case _:
                await self._writer.write(step, cdi)

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
                await self._writer.remove(resource, found, cdi)

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


def _failed(wanted: status.Status, cdi: Object, failures: list[str]) -> status.Status:
    """What is said where something failed: what worked goes on working."""
    message = summary(failures)
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
