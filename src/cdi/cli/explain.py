"""
`cdi explain`: what an object is waiting for, since when, and what to do.

Here: collecting what there is to know, and printing. Elsewhere: what follows from it, for volumes
(`explanation`), for claims without a DataVolume (`claims`), for all else (`dependents`).
"""

import json
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import click

from cdi.api import annotations, labels, names, phases
from cdi.cli import claims, dependents, explanation, nodes, provenance, rows
from cdi.cli.dependents import Needed
from cdi.cli.explanation import Explanation, Seen
from cdi.cli.references import Reference
from cdi.controllers import kinds
from cdi.controllers.cluster import claims_used_by
from cdi.kube import errors, objects, owners
from cdi.kube.client import Client
from cdi.kube.objects import Object
from cdi.kube.resource import (
    EVENTS,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    STORAGE_CLASSES,
    Resource,
)

EXIT_FAILED: Final = 1
_LABELS: Final = {"PersistentVolumeClaim": "Claim"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for. An empty namespace stands for that of the kubeconfig."""

    references: Sequence[Reference]
    namespace: str = ""
    json_output: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One object and its explanation."""

    reference: Reference
    namespace: str
    state: str  # its phase and what else says how far it is
    explanation: Explanation
    row: rows.Row | None = None  # of a volume
    provenance: Sequence[str] = ()  # where its claim's class, modes and size came from

    def lines(self, now: datetime) -> list[str]:
        label = _LABELS.get(self.reference.kind, self.reference.kind) + ":"
        state = f", {self.state}" if self.state else ""
        head = f"{label:<12} {self.namespace}/{self.reference.name}{state}"
        return [head, *self.explanation.lines(now), *self.provenance]

    def as_document(self) -> dict[str, Any]:
        """Return the answer as JSON shows it."""
        found = self.explanation
        row = {} if self.row is None else self.row.as_document()
        return {
            **row,
            "kind": self.reference.kind,
            "namespace": self.namespace,
            "name": self.reference.name,
            "waitsFor": found.waits_for,
            "since": None if found.since is None else found.since.isoformat(),
            "whatToDo": found.do,
            "claim": [" ".join(line.split()) for line in self.provenance],
        }


async def show(asked: Asked, client: Client, default_namespace: str) -> None:
    """Print an explanation of each object. Raises KubeError; exits with 1 if one is missing."""
    explainer = _Explainer(client, asked.namespace or default_namespace, datetime.now(UTC))
    answers, missing = [], False
    for reference in asked.references:
        try:
            answers.append(await explainer.explain(reference))
        except errors.NotFound as error:
            missing = True
            print(f"cdi: {error}", file=sys.stderr)
    if answers:
        _print(answers, asked, explainer.now)
    for note in (*explainer.notes, *await nodes.unconfined(client)):
        print(f"cdi explain: {note}", file=sys.stderr)
    if missing:
        raise click.exceptions.Exit(EXIT_FAILED)


def _print(answers: Sequence[Answer], asked: Asked, now: datetime) -> None:
    if asked.json_output:
        found = [answer.as_document() for answer in answers]
        print(json.dumps(found if len(asked.references) > 1 else found[0], indent=2))
    else:
        print("\n\n".join("\n".join(each.lines(now)) for each in answers))


Explain = Callable[[str], Awaitable[Answer]]


class _Explainer:
    """Explains objects of one namespace, as they are at one moment."""

    def __init__(self, client: Client, namespace: str, now: datetime) -> None:
        self._client, self._namespace, self.now = client, namespace, now
        self.notes: list[str] = []  # what could not be read
        self._hidden: set[str] = set()  # the same, as plural names
        self._by_kind: Mapping[str, Explain] = {
            "DataVolume": self._volume,
            "PersistentVolumeClaim": self._claim,
            "DataSource": self._source,
            "DataImportCron": self._cron,
            "Pod": self._pod,
        }

    async def explain(self, reference: Reference) -> Answer:
        """Raises NotFound, and KubeError for what has to be read and may not be."""
        return await self._by_kind[reference.kind](reference.name)

    async def _volume(self, name: str) -> Answer:
        volume = await self._client.get(kinds.DATA_VOLUMES, name, self._namespace)
        claim = await self._found(PERSISTENT_VOLUME_CLAIMS, name)
        seen = await self._observe(volume, claim, "DataVolume")
        found = self._answer(Reference("DataVolume", name), seen)
        return replace(found, provenance=await self._provenance(volume, claim))

    async def _provenance(self, volume: Object, claim: Object | None) -> list[str]:
        """Where class, modes and size of a claim came from, as far as may be read."""
        if claim is None or not owners.is_controlled_by(claim, volume):
            return []
        name = str(objects.get(claim, "spec", "storageClassName", default=""))
        return provenance.lines(
            provenance.Seen(
                volume,
                claim,
                await self._classes(),
                await self._optional(kinds.STORAGE_PROFILES, name),
                await self._optional(kinds.CDI_CONFIGS, names.CDI_CONFIG),
            )
        )

    async def _classes(self) -> list[Object]:
        try:
            return await self._client.list(STORAGE_CLASSES)
        except errors.Forbidden as error:
            self._hide(STORAGE_CLASSES, error)
            return []

    async def _claim(self, name: str) -> Answer:
        claim = await self._client.get(PERSISTENT_VOLUME_CLAIMS, name, self._namespace)
        reference = Reference("PersistentVolumeClaim", name)
        return await self._answer_for_claim(reference, claim)

    async def _answer_for_claim(self, reference: Reference, claim: Object) -> Answer:
        """Explain a claim by whatever it is there for."""
        name = objects.name(claim)
        pod = owners.controller_name(claim, PODS.kind, "")
        if pod:
            return _of(await self._pod(pod), reference, f"scratch space of pod {pod}")
        target = owners.controller_name(claim, PERSISTENT_VOLUME_CLAIMS.kind, "")
        if target and target != name:
            found = await self._claim(target)
            return _of(found, reference, f"fills claim {target}")
        owner = owners.controller_name(claim, kinds.DATA_VOLUMES.kind, kinds.DATA_VOLUMES.group)
        if owner:
            found = await self._volume(owner)
            return _of(found, reference, f"of DataVolume {owner}, {found.state}")
        if not claims.is_filled_by_us(claim) and _is_bound(claim):
            idle = Explanation(
                "nothing: it is bound, and not filled by CDI", "use it in a pod", settled=True
            )
            return Answer(reference, self._namespace, "Bound", idle)
        waits = await self._waits_for_consumer(claim)
        volume = claims.volume_of(claim, waits_for_consumer=waits)
        seen = await self._observe(volume, claim, "claim")
        return self._answer(reference, seen)

    async def _source(self, name: str) -> Answer:
        source = await self._client.get(kinds.DATA_SOURCES, name, self._namespace)
        claim = objects.get(source, "spec", "source", "pvc", "name", default="")
        elsewhere = objects.get(source, "spec", "source", "pvc", "namespace")
        local = claim and elsewhere in (None, "", self._namespace)
        needed = [await self._needed(claim, self._claim)] if local else []
        found = dependents.explanation_of_source(source, needed, self.now)
        return Answer(Reference("DataSource", name), self._namespace, "", found)

    async def _cron(self, name: str) -> Answer:
        cron = await self._client.get(kinds.DATA_IMPORT_CRONS, name, self._namespace)
        imports = objects.get(cron, "status", "currentImports", default=[])
        names = [each.get("DataVolumeName") for each in imports]
        needed = [await self._needed(each, self._volume) for each in names if each]
        found = dependents.explanation_of_cron(cron, needed, self.now)
        return Answer(Reference("DataImportCron", name), self._namespace, "", found)

    async def _pod(self, name: str) -> Answer:
        pod = await self._client.get(PODS, name, self._namespace)
        reference = Reference("Pod", name)
        phase = str(objects.get(pod, "status", "phase", default=""))
        claim = owners.controller_name(pod, PERSISTENT_VOLUME_CLAIMS.kind, "")
        if claim and objects.labels(pod).get(labels.APP) == labels.APP_VALUE:
            found = await self._claim(claim)
            return _of(found, reference, f"{phase}, works for claim {claim}")
        needed = [await self._needed(key.name, self._claim) for key in claims_used_by(pod)]
        answer = dependents.explanation_of_pod(pod, needed)
        return Answer(reference, self._namespace, phase, answer)

    async def _needed(self, name: str, explain: Explain) -> Needed:
        try:
            return Needed(name, (await explain(name)).explanation)
        except errors.NotFound:
            return Needed(name, None)

    def _answer(self, reference: Reference, seen: Seen) -> Answer:
        row = rows.row_for(seen.volume, seen.claim, seen.pod, seen.now)
        progress = "" if row.progress is None else f", {row.progress:.1f}%"
        state = f"{row.phase or 'no phase yet'}{progress}"
        found = explanation.explanation_for(seen)
        return Answer(reference, self._namespace, state, found, row)

    async def _observe(self, volume: Object, claim: Object | None, noun: str) -> Seen:
        """Collect what concerns one volume."""
        prime_name = objects.annotations(claim or {}).get(annotations.PVC_PRIME, "")
        worker = rows.worker_of(volume, claim)
        of_class = str(objects.get(claim, "spec", "storageClassName", default=""))
        concerned = {objects.name(volume), prime_name, worker}
        return Seen(
            volume=volume,
            now=self.now,
            claim=claim,
            prime=await self._found(PERSISTENT_VOLUME_CLAIMS, prime_name),
            pod=await self._optional(PODS, worker, self._namespace),
            storage_class=await self._optional(STORAGE_CLASSES, of_class),
            events=[
                event
                for event in await self._events()
                if objects.get(event, "involvedObject", "name") in concerned
            ],
            noun=noun,
            hidden=frozenset(self._hidden),
        )

    async def _waits_for_consumer(self, claim: Object) -> bool:
        name = str(objects.get(claim, "spec", "storageClassName", default=""))
        found = await self._optional(STORAGE_CLASSES, name)
        return bool(objects.get(found, "volumeBindingMode") == "WaitForFirstConsumer")

    async def _found(self, resource: Resource, name: str) -> Object | None:
        if not name:
            return None
        try:
            return await self._client.get(resource, name, self._namespace)
        except errors.NotFound:
            return None

    async def _optional(
        self, resource: Resource, name: str, namespace: str | None = None
    ) -> Object | None:
        """An object that others may be hidden from: None where it is missing, or hidden."""
        if not name:
            return None
        try:
            return await self._client.get(resource, name, namespace)
        except errors.NotFound:
            return None
        except errors.Forbidden as error:
            self._hide(resource, error)
            return None

    async def _events(self) -> list[Object]:
        try:
            return await self._client.list(EVENTS, self._namespace)
        except errors.Forbidden as error:
            self._hide(EVENTS, error)
            return []

    def _hide(self, resource: Resource, error: errors.Forbidden) -> None:
        if resource.plural not in self._hidden:
            self._hidden.add(resource.plural)
            self.notes.append(f"explained without {resource.plural}: {error}")


def _of(found: Answer, reference: Reference, state: str) -> Answer:
    """The answer for an object that waits for what another one waits for."""
    return replace(found, reference=reference, state=state)


def _is_bound(claim: Object) -> bool:
    return bool(objects.get(claim, "status", "phase") == phases.Claim.BOUND)
