"""
Carrying out a plan: writes, events, and the HostPathProvisioner itself last.

A step that fails is remembered and holds up none of the others; the object says so, and the pass is
repeated. Safe to repeat and to stop anywhere.
"""

from __future__ import annotations

import copy
from datetime import datetime

from cdi.hostpath.operator import kinds, status
from cdi.hostpath.operator.plan import Plan
from cdi.kube import apply, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.installing.steps import Event
from cdi.kube.installing.writer import Failed, Writer, attempted, summary
from cdi.kube.objects import Object


class Actor:
    """Writes, in the name of one operator."""

    def __init__(self, client: Client, writer: Writer, clock: Clock) -> None:
        self._client, self._writer, self._clock = client, writer, clock

    async def act(self, plan: Plan, provisioner: Object) -> Result:
        """Carry out the plan. Raises Failed after everything that can be done was done, and
        errors.Conflict where the object was changed meanwhile."""
        if plan.finalizer:
            held = await apply.ensure_finalizer(
                self._client, kinds.PROVISIONERS, provisioner, kinds.FINALIZER
            )
            provisioner = held.object
        tried = [
            await attempted(step, self._writer.write(step, provisioner)) for step in plan.steps
        ]
        failures = [text for text in tried if text]
        wanted, events = plan.status, plan.events
        if failures:
            wanted = status.failed(summary(failures))
            events = (Event("ReconcileFailed", summary(failures), warning=True),)
        for event in events:
            self._writer.tell(provisioner, event)
        after = _after(provisioner, plan, wanted, self._clock.wall(), complete=not failures)
        if after != provisioner:
            await apply.ensure_state(self._client, kinds.PROVISIONERS, provisioner, after)
        if failures:
            raise Failed("; ".join(failures))
        return Result(again_in=plan.again_in)


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
