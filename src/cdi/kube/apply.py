"""
Writes that may be repeated: make it so, and say whether anything changed.

Here: objects that should exist, fields that should have a value, finalizers, status, objects
that should be gone. Each reads first where that saves a write, sends the smallest change, and
either retries a conflict itself, where it reads from the server, or raises Conflict, where it
was handed a state that turned out to be old; a reconciler lets that through and is called again.
After a crash at any point, doing it again ends in the same state.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cdi.kube import errors, objects
from cdi.kube.client import Client, Propagation
from cdi.kube.mergepatch import merge_patch_for
from cdi.kube.objects import Object
from cdi.kube.resource import Resource

# Somebody else writing the same object five times while we try once is a fight, not a race.
CONFLICTS = 5


@dataclass(frozen=True, slots=True)
class Ensured:
    """The object as the server has it now, and whether this call changed that."""

    object: Object
    changed: bool


async def ensure_created(client: Client, resource: Resource, desired: Object) -> Ensured:
    """Create `desired` unless an object of that name exists, whatever it looks like."""
    try:
        return Ensured(await client.create(resource, desired), changed=True)
    except errors.AlreadyExists:
        namespace, name = objects.key(desired)
        return Ensured(await client.get(resource, name, namespace), changed=False)


async def create_or_update(
    client: Client, resource: Resource, base: Object, mutate: Callable[[Object], None]
) -> Ensured:
    """Bring one object into the state that `mutate` makes of it.

    `mutate` changes, in place, a copy of the server's object or, where there is none, of `base`,
    which holds the name and what has to be there from the start. It may be called several
    times. Raises Conflict only where somebody else keeps writing.
    """
    namespace, name = objects.key(base)
    for attempt in range(1, CONFLICTS + 1):
        try:
            try:
                seen = await client.get(resource, name, namespace)
            except errors.NotFound:
                wanted = copy.deepcopy(base)
                mutate(wanted)
                return Ensured(await client.create(resource, wanted), changed=True)
            wanted = copy.deepcopy(seen)
            mutate(wanted)
            if wanted == seen:
                return Ensured(seen, changed=False)
            return Ensured(await client.update(resource, wanted), changed=True)
        except (errors.Conflict, errors.AlreadyExists, errors.NotFound):
            # Changed, created or deleted between our look and our write.
            if attempt == CONFLICTS:
                raise
    raise AssertionError("the last attempt returns or raises")


async def ensure_state(
    client: Client, resource: Resource, seen: Object, wanted: Mapping[str, Any]
) -> Ensured:
    """Turn the object `seen` into `wanted`, its changed copy, by a merge patch of the difference.

    Raises Conflict where `seen` is no longer the current state.
    """
    return await _patched(client, resource, seen, merge_patch_for(seen, wanted))


async def ensure_replaced(
    client: Client, resource: Resource, seen: Object, wanted: Mapping[str, Any]
) -> Ensured:
    """As `ensure_state`, by writing the whole object: for whoever may `update` and not `patch`.

    Raises Conflict where `seen` is no longer the current state.
    """
    if wanted == seen:
        return Ensured(seen, changed=False)
    return Ensured(await client.update(resource, wanted), changed=True)


async def ensure_metadata(
    client: Client,
    resource: Resource,
    seen: Object,
    *,
    labels: Mapping[str, str | None] | None = None,
    annotations: Mapping[str, str | None] | None = None,
) -> Ensured:
    """Set these labels and annotations; None takes one off. Others stay as they are."""
    wanted = {"labels": labels or {}, "annotations": annotations or {}}
    change = {
        kind: differing
        for kind, values in wanted.items()
        if (differing := _differing(objects.get(seen, "metadata", kind, default={}), values))
    }
    return await _patched(client, resource, seen, {"metadata": change} if change else {})


async def ensure_status(
    client: Client, resource: Resource, seen: Object, status: Mapping[str, Any]
) -> Ensured:
    """Make `status` the object's whole status, by a merge patch to the status subresource."""
    change = merge_patch_for(objects.get(seen, "status", default={}), status)
    patch = {"status": change} if change else {}
    return await _patched(client, resource, seen, patch, subresource="status")


async def ensure_finalizer(
    client: Client, resource: Resource, seen: Object, finalizer: str
) -> Ensured:
    """Keep the object from vanishing before we have tidied up. Not added to one that is being
    deleted already: the server would refuse."""
    have = objects.finalizers(seen)
    if finalizer in have or objects.is_deleting(seen):
        return Ensured(seen, changed=False)
    return await _patched(client, resource, seen, {"metadata": {"finalizers": [*have, finalizer]}})


async def ensure_no_finalizer(
    client: Client, resource: Resource, seen: Object, finalizer: str
) -> bool:
    """Let go of the object; return whether this call did. One that is gone already is fine."""
    have = objects.finalizers(seen)
    if finalizer not in have:
        return False
    rest = [other for other in have if other != finalizer]
    try:
        await _patched(client, resource, seen, {"metadata": {"finalizers": rest or None}})
    except errors.NotFound:
        return False
    return True


async def ensure_absent(
    client: Client,
    resource: Resource,
    seen: Object,
    *,
    propagation: Propagation | None = Propagation.BACKGROUND,
    grace_seconds: int | None = None,
) -> bool:
    """Ask for the deletion of exactly this object, not of a namesake made since; return whether
    this call did. One that is gone, or going, is fine."""
    if objects.is_deleting(seen):
        return False
    namespace, name = objects.key(seen)
    uid = objects.uid(seen)
    try:
        await client.delete(
            resource, name, namespace,
            uid=uid, propagation=propagation, grace_seconds=grace_seconds,
        )  # fmt: skip
    except errors.NotFound:
        return False
    except errors.Conflict:
        if uid:
            return False  # another object has taken the name
        raise
    return True


async def ensure_absent_from_collection(client: Client, resource: Resource, seen: Object) -> bool:
    """As `ensure_absent`, for whoever may delete of a kind only what a selector selects."""
    if objects.is_deleting(seen):
        return False
    namespace, name = objects.key(seen)
    await client.delete_all(
        resource,
        namespace,
        fields=f"metadata.name={name}",
        uid=objects.uid(seen),
        propagation=Propagation.BACKGROUND,
    )
    return True


async def _patched(
    client: Client,
    resource: Resource,
    seen: Object,
    change: Mapping[str, Any],
    subresource: str = "",
) -> Ensured:
    """Send a merge patch that holds only for the state it was made from."""
    if not change:
        return Ensured(seen, changed=False)
    namespace, name = objects.key(seen)
    locked = dict(change)
    if version := objects.resource_version(seen):
        locked["metadata"] = {**change.get("metadata", {}), "resourceVersion": version}
    result = await client.patch(resource, name, namespace, locked, subresource=subresource)
    return Ensured(result, changed=True)


def _differing(have: Mapping[str, str], wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    return {key: value for key, value in wanted.items() if have.get(key) != value}
