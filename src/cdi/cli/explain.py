"""
`cdi explain dv NAME`: what a volume is waiting for, since when, and what to do.

Here: collecting what there is to know. Elsewhere: what follows from it (`explanation`).
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from cdi.api import annotations
from cdi.cli import explanation, rows
from cdi.cli.explanation import Seen
from cdi.controllers import kinds
from cdi.kube import errors, objects
from cdi.kube.client import Client
from cdi.kube.objects import Object
from cdi.kube.resource import (
    EVENTS,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    STORAGE_CLASSES,
    Resource,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for. An empty namespace stands for that of the kubeconfig."""

    name: str
    namespace: str = ""
    json_output: bool = False


async def show(asked: Asked, client: Client, default_namespace: str) -> None:
    """Print the explanation of one DataVolume. Raises KubeError."""
    seen = await observe(client, asked.name, asked.namespace or default_namespace)
    _print(seen, json_output=asked.json_output)


async def observe(client: Client, name: str, namespace: str) -> Seen:
    """Collect what concerns one DataVolume. Raises KubeError."""
    volume = await client.get(kinds.DATA_VOLUMES, name, namespace)
    claim = await _found(client, PERSISTENT_VOLUME_CLAIMS, name, namespace)
    prime_name = objects.annotations(claim or {}).get(annotations.PVC_PRIME, "")
    prime = await _found(client, PERSISTENT_VOLUME_CLAIMS, prime_name, namespace)
    worker = rows.worker_of(volume, claim)
    pod = await _found(client, PODS, worker, namespace)
    of_class = str(objects.get(claim, "spec", "storageClassName", default=""))
    concerned = {name, prime_name, worker}
    events = [
        event
        for event in await client.list(EVENTS, namespace)
        if objects.get(event, "involvedObject", "name") in concerned
    ]
    return Seen(
        volume=volume,
        now=datetime.now(UTC),
        claim=claim,
        prime=prime,
        pod=pod,
        storage_class=await _found(client, STORAGE_CLASSES, of_class, None),
        events=events,
    )


async def _found(
    client: Client, resource: Resource, name: str, namespace: str | None
) -> Object | None:
    if not name:
        return None
    try:
        return await client.get(resource, name, namespace)
    except errors.NotFound:
        return None


def _print(seen: Seen, *, json_output: bool) -> None:
    found = explanation.explanation_for(seen)
    row = rows.row_for(seen.volume, seen.claim, seen.pod, seen.now)
    if json_output:
        since = None if found.since is None else found.since.isoformat()
        said = {"waitsFor": found.waits_for, "since": since, "whatToDo": found.do}
        print(json.dumps({**row.as_document(), **said}, indent=2))
        return
    progress = "" if row.progress is None else f", {row.progress:.1f}%"
    print(f"DataVolume:  {row.namespace}/{row.name}, {row.phase or 'no phase yet'}{progress}")
    print("\n".join(found.lines(seen.now)))
