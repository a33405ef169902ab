"""
Carry a plan out, and decide nothing.

Steps run in order. A later step on an object that an earlier one has changed builds on the
result, so one plan may change an object's metadata and then its status. What was seen and is no
longer true ends in Conflict, and the key is looked at again. An object that has gone meanwhile
ends the plan quietly: the watch says so too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol, TypeAlias

from cdi.controllers import kinds, plan
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client
from cdi.kube.controller import Result
from cdi.kube.mergepatch import merge_patch_for, merged
from cdi.kube.objects import Key, Object
from cdi.kube.resource import CONFIG_MAPS, CRON_JOBS, JOBS, PERSISTENT_VOLUMES, Resource

# What the role of the controllers lets them do (spec/operator.md, section 3.4): of these, update
# and not patch; and of these, delete no single one by its name.
_REPLACED: Final = frozenset({CONFIG_MAPS, PERSISTENT_VOLUMES, kinds.SNAPSHOTS, CRON_JOBS})
_SELECTED: Final = frozenset({CRON_JOBS, JOBS})

Latest: TypeAlias = dict[tuple[Resource, Key], Object]  # objects as steps have left them


class Recorder(Protocol):
    """Takes events without waiting; `cdi.kube.events.Recorder` is one."""

    def event(self, obj: Mapping[str, Any], type_: str, reason: str, message: str) -> None: ...


class _Gone(Exception):
    """What a plan was about does not exist any more."""


class Actor:
    """Carries plans out for one controller, and tells its events."""

    def __init__(self, client: Client, recorder: Recorder) -> None:
        self._client = client
        self._recorder = recorder

    async def act(self, wanted: plan.Plan) -> Result | None:
        """Make it so. Raises KubeError, or the plan's own failure."""
        return await self._act(wanted, {})

    async def _act(self, wanted: plan.Plan, latest: Latest) -> Result | None:
        try:
            for step in wanted.steps:
                await self._take(step, latest)
        except _Gone:
            return None
        for event in wanted.events:
            self._recorder.event(event.about, event.type.value, event.reason, event.message)
        if wanted.failure is not None:
            raise wanted.failure
        return None if wanted.again_in is None else Result(again_in=wanted.again_in)

    async def _take(self, step: plan.Step, latest: Latest) -> None:
        if isinstance(step, plan.Create):
            await self._create(step, latest)
            return
        known = (step.resource, objects.key(step.seen))
        current = latest.get(known, step.seen)
        try:
            match step:
                case plan.Change(resource=resource, seen=seen, wanted=wanted):
                    target = merged(current, merge_patch_for(seen, wanted))
                    write = apply.ensure_replaced if resource in _REPLACED else apply.ensure_state
                    done = await write(self._client, resource, current, target)
                    latest[known] = done.object
                case plan.SetStatus(resource=resource, status=status):
                    done = await apply.ensure_status(self._client, resource, current, status)
                    latest[known] = done.object
                case plan.Remove():
                    await self._remove(step)
                case plan.Confirm():
                    await self._confirm(step)
        except errors.NotFound as error:
            raise _Gone from error

    async def _remove(self, step: plan.Remove) -> None:
        resource, seen = step.resource, step.seen
        if resource not in _SELECTED:
            await apply.ensure_absent(self._client, resource, seen, grace_seconds=step.grace)
            return
        try:
            await apply.ensure_absent_from_collection(self._client, resource, seen)
        except errors.Conflict:
            return  # another object has taken the name

    async def _create(self, step: plan.Create, latest: Latest) -> None:
        try:
            made = await self._client.create(step.resource, step.object)
        except errors.AlreadyExists:
            return
        except errors.ApiError as error:
            if error.namespace_is_ending:
                raise _Gone from error
            if step.refused is not None and not error.transient:
                await self._act(step.refused(error), latest)
            raise
        if step.made is not None:
            await self._act(step.made(made), latest)

    async def _confirm(self, step: plan.Confirm) -> None:
        namespace, name = objects.key(step.seen)
        found = await self._client.get(step.resource, name, namespace)
        if objects.uid(found) != objects.uid(step.seen) or objects.is_deleting(found):
            raise _Gone
        versions = objects.resource_version(found), objects.resource_version(step.seen)
        if step.unchanged and versions[0] != versions[1]:
            raise errors.from_status(
                {
                    "code": 409,
                    "reason": "Conflict",
                    "message": f"{step.resource} {name} has changed",
                }
            )
