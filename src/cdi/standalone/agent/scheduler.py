"""
Give a pod to this node, or tell why it waits.

What `scheduling` decides is done here: claims that wait for their first consumer get this node as
its, and a pod whose volumes are there is bound to the node.
"""

from __future__ import annotations

from typing import Final

from cdi.api.annotations import SELECTED_NODE
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client
from cdi.kube.clock import Clock
from cdi.kube.controller import Result
from cdi.kube.events import Recorder
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS
from cdi.standalone.agent import containers, node, podstatus, roles, scheduling
from cdi.standalone.agent.settings import Settings
from cdi.standalone.volumes import caches
from cdi.standalone.volumes.caches import Caches

_NEW: Final = 3.0  # seconds; the API keeps whole ones


class Scheduler:
    """Takes pods that have no node."""

    def __init__(
        self, client: Client, seen: Caches, recorder: Recorder, settings: Settings, clock: Clock
    ) -> None:
        self._client, self._seen, self._recorder = client, seen, recorder
        self._settings, self._clock = settings, clock

    async def schedule(self, pod: Object) -> Result | None:
        """Take a pod one step closer to this node; say why it waits."""
        if caches.has_ended(pod) or objects.is_deleting(pod):
            return None
        plan = scheduling.decide(self._observe(pod))
        for claim_key in plan.select:
            claim = self._seen.claim(claim_key)
            if claim is not None:
                await apply.ensure_metadata(
                    self._client,
                    PERSISTENT_VOLUME_CLAIMS,
                    claim,
                    annotations={SELECTED_NODE: node.NAME},
                )
        if plan.waits:
            if plan.passing and (young := self._is_young_for(pod)):
                return Result(again_in=young)
            await self._tell_unscheduled(pod, plan.waits)
            return None
        if plan.assign:
            await self._assign(pod)
        return None

    def _is_young_for(self, pod: Object) -> float:
        """For how many seconds more a pod is so new that nobody wonders why it waits."""
        created = containers.read(objects.metadata(pod).get("creationTimestamp"))
        left = _NEW - (self._clock.wall() - created).total_seconds()
        return left if 0.0 < left <= _NEW else 0.0  # more only after a clock that was ahead

    def _observe(self, pod: Object) -> scheduling.Seen:
        return scheduling.Seen(
            pod=pod,
            node=self._seen.node(node.NAME) or node.bare(),
            claims={key: self._seen.claim(key) for key in caches.claim_keys(pod)},
            storage_classes={
                objects.name(found): found for found in self._seen.classes.cache.list()
            },
            refusal=roles.refusal(pod, self._settings.images, self._settings.vddk_library),
        )

    async def _tell_unscheduled(self, pod: Object, why: str) -> None:
        status = podstatus.unscheduled(pod, why, self._clock.wall())
        if (await apply.ensure_status(self._client, PODS, pod, status)).changed:
            self._recorder.warning(pod, "FailedScheduling", why)

    async def _assign(self, pod: Object) -> None:
        namespace, name = objects.key(pod)
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": name, "namespace": namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node.NAME},
        }
        try:
            await self._client.create_subresource(PODS, name, namespace, "binding", binding)
        except errors.NotFound:
            return
        text = f"Successfully assigned {namespace}/{name} to {node.NAME}"
        self._recorder.normal(pod, "Scheduled", text)
