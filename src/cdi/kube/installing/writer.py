"""
Carrying out the steps of a plan, and saying on the object that wants them how it went.

A step that fails is told and holds up none of the others. Safe to repeat and to stop anywhere.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from cdi.kube import apply, errors, managed, objects
from cdi.kube.client import Client, Propagation
from cdi.kube.events import Recorder
from cdi.kube.installing.kinds import Kinds
from cdi.kube.installing.steps import Create, Event, Remove, Step, Update
from cdi.kube.managed import Marks
from cdi.kube.objects import Object
from cdi.kube.owners import AlreadyControlledError
from cdi.kube.resource import Resource

log = logging.getLogger(__name__)

_NAMED: Final = 3  # failures that one sentence names
_WITH_PODS: Final = frozenset({"DaemonSet", "Deployment", "Job"})
_MISREAD: Final = (errors.KubeError, AlreadyControlledError)


class Failed(Exception):
    """Some steps failed; says which and why."""


def summary(failures: list[str]) -> str:
    """A sentence for a condition."""
    said = "; ".join(failures[:_NAMED])
    return said if len(failures) <= _NAMED else f"{said}; and {len(failures) - _NAMED} more"


async def attempted(step: object, work: Awaitable[None]) -> str:
    """Do the work of a step; return what went wrong, empty if nothing did."""
    try:
        await work
    except errors.Conflict:
        return "an object was changed while it was looked at"
    except _MISREAD as error:
        log.warning("step failed", extra={"step": type(step).__name__, "cause": str(error)})
        return str(error)
    return ""


class Writer:
    """Writes, in the name of one operator. `released` makes what another operator has installed
    ready to be adopted."""

    def __init__(
        self,
        client: Client,
        kinds: Kinds,
        version: str,
        recorder: Recorder,
        released: Callable[[Object], Object] = lambda obj: obj,
    ) -> None:
        self._client, self._kinds = client, kinds
        self._version, self._recorder = version, recorder
        self._released = released

    async def write(self, step: Step, owner: Object) -> None:
        """Carry out one step. Raises errors.KubeError and AlreadyControlledError."""
        match step:
            case Create(obj, adopts):
                await self._create(obj, owner, adopts=adopts)
            case Update(wanted):
                await self._update(wanted, owner)
            case Remove(seen):
                # Waiting for what an object owns is for the garbage collector, which may be busy
                # with other things for long: only pods are worth it.
                waits = seen["kind"] in _WITH_PODS
                propagation = Propagation.FOREGROUND if waits else Propagation.BACKGROUND
                await self.remove(self._kinds.resource_of(seen), seen, owner, propagation)

    async def remove(
        self,
        resource: Resource,
        seen: Object,
        owner: Object,
        propagation: Propagation = Propagation.BACKGROUND,
    ) -> None:
        """Take away an object of any kind."""
        removal = apply.ensure_absent(self._client, resource, seen, propagation=propagation)
        await self._told(owner, "Delete", {"kind": resource.kind, **seen}, removal)

    def tell(self, owner: Object, event: Event) -> None:
        """Say something about the object that the operator works for."""
        say = self._recorder.warning if event.warning else self._recorder.normal
        say(owner, event.reason, event.message)

    async def _create(self, obj: Object, owner: Object, *, adopts: bool) -> None:
        resource = self._kinds.resource_of(obj)
        try:
            await self._told(owner, "Create", obj, self._client.create(resource, obj))
        except errors.AlreadyExists:
            if adopts:
                await self._adopt(resource, obj, owner)

    async def _adopt(self, resource: Resource, obj: Object, owner: Object) -> None:
        """Somebody made it, or our picture is old: bring it to what is wanted."""
        namespace, name = objects.key(obj)
        found = await self._client.get(resource, name, namespace or None)
        found = {"apiVersion": resource.api_version, "kind": resource.kind, **found}
        marks = self._kinds.marks
        wanted = managed.restored(
            self._released(found), _unmarked(obj, marks), owner, self._version, marks
        )
        if wanted is not None:
            await self._update(wanted, owner)

    async def _update(self, wanted: Object, owner: Object) -> None:
        update = self._client.update(self._kinds.resource_of(wanted), wanted)
        await self._told(owner, "Update", wanted, update)

    async def _told(self, owner: Object, verb: str, obj: Object, work: Awaitable[object]) -> None:
        """Do the work, and say on the owner how it went."""
        what = f"{obj['kind']} {objects.key(obj)}"
        try:
            await work
        except (errors.Conflict, errors.AlreadyExists):
            raise
        except errors.KubeError as error:
            message = f"Failed to {verb.lower()} {what}: {error}"
            self._recorder.warning(owner, f"{verb}ResourceFailed", message)
            raise
        past = f"{verb.lower()}d"
        self._recorder.normal(owner, f"{verb}ResourceSuccess", f"Successfully {past} {what}")
        log.info("object is written", extra={"verb": verb.lower(), "object": what})


def _unmarked(obj: Object, marks: Marks) -> Object:
    """What was wanted, of what was to be created."""
    made = copy.deepcopy(obj)
    metadata = made["metadata"]
    metadata.pop("ownerReferences", None)
    for label in (marks.created, marks.updated):
        metadata["labels"].pop(label, None)
    annotations = metadata.get("annotations") or {}
    annotations.pop(marks.last_applied, None)
    if not annotations:
        metadata.pop("annotations", None)
    return made
