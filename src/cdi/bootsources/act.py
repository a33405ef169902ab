"""Carry out a plan: what should exist, what should go, and the object itself. Decides nothing."""

from __future__ import annotations

import contextlib
from typing import Final

from cdi.bootsources import kinds, plan
from cdi.bootsources.overwriting import Overwriting
from cdi.bootsources.plan import Plan
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client
from cdi.kube.mergepatch import merged
from cdi.kube.objects import Object
from cdi.kube.resource import NAMESPACES, Resource

RESOURCES: Final = {
    each.kind: each
    for each in (
        NAMESPACES,
        kinds.SSPS,
        kinds.CDIS,
        kinds.CRONS,
        kinds.DATA_SOURCES,
        kinds.ROLES,
        kinds.ROLE_BINDINGS,
        kinds.CLUSTER_ROLES,
        kinds.NETWORK_POLICIES,
        kinds.IMAGE_STREAMS,
        kinds.PROMETHEUS_RULES,
    )
}


async def act(
    client: Client,
    resource: Resource,
    found: Object,
    wanted: Plan,
    now: str,
    overwriting: Overwriting | None = None,
) -> None:
    """First the object itself, which is held, then its children, its status, and last its end.

    What the server refuses is told in the status and holds up nothing else. `now` as in RFC 3339;
    `overwriting` hears which children had to be changed.
    """
    ending = objects.is_deleting(found)
    if wanted.itself is not None and not ending:
        done = await apply.ensure_state(client, resource, found, wanted.itself)
        found = done.object
    refused = [
        said for each in wanted.ensure if (said := await _refusal_of(client, each, overwriting))
    ]
    for doomed in wanted.remove:
        await apply.ensure_absent(client, RESOURCES[doomed["kind"]], doomed)
    status = wanted.status
    if refused:
        status = plan.outcome(status or found.get("status"), "; ".join(refused), now)
    if status is not None and status != found.get("status"):
        await apply.ensure_status(client, resource, found, status)
    if wanted.itself is not None and ending:
        with contextlib.suppress(errors.NotFound):  # it has been let go of before
            await apply.ensure_state(client, resource, found, wanted.itself)


async def _refusal_of(client: Client, wanted: Object, overwriting: Overwriting | None) -> str:
    """Ensure an object; return why the server does not take it."""
    try:
        differed = await _ensure(client, RESOURCES[wanted["kind"]], wanted)
    except errors.ApiError as error:
        if error.transient or isinstance(error, errors.Conflict):
            raise
        return f"{wanted['kind']} {objects.name(wanted)}: {error}"
    if overwriting is not None:
        overwriting.wrote(wanted, differed=differed)
    return ""


async def _ensure(client: Client, resource: Resource, wanted: Object) -> bool:
    """Return whether it was there, and was not as it is wanted.

    What was chosen from a certain state of the object is not wanted in any other.
    """
    namespace, name = objects.key(wanted)
    chosen_from = objects.resource_version(wanted)
    try:
        found = await client.get(resource, name, namespace or None)
    except errors.NotFound:
        if chosen_from:
            return False
        await apply.ensure_created(client, resource, merged({}, wanted))
        return False
    if objects.is_deleting(found) or resource == NAMESPACES:
        return False  # a namespace that somebody else has made stays theirs
    if chosen_from:  # the server refuses the change if there is a later state
        version = {"metadata": {"resourceVersion": chosen_from}}
        found = merged(found, version)
    return (await apply.ensure_state(client, resource, found, merged(found, wanted))).changed
