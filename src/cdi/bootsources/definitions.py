"""
The definitions of HyperConverged and SSP, where nobody else has brought them.

A HyperConverged operator brings its own, with everything that it knows; those are left alone.
"""

from __future__ import annotations

from typing import Final

from cdi.api import crds, labels
from cdi.kube import apply, errors, objects
from cdi.kube.client import Client
from cdi.kube.objects import Object
from cdi.kube.resource import CUSTOM_RESOURCE_DEFINITIONS

KINDS: Final = ("HyperConverged", "SSP")
OURS: Final = "cdi-bootsources"  # value of the label of those that this has made


async def ensure(client: Client) -> None:
    """Make them, and bring those that an earlier version of this has made up to date."""
    for wanted in crds.named(KINDS):
        name = objects.name(wanted)
        try:
            found = await client.get(CUSTOM_RESOURCE_DEFINITIONS, name, None)
        except errors.NotFound:
            await apply.ensure_created(client, CUSTOM_RESOURCE_DEFINITIONS, _marked(wanted))
            continue
        if objects.labels(found).get(labels.MANAGED_BY) == OURS:
            after = {**found, "spec": {**found["spec"], **wanted["spec"]}}
            await apply.ensure_state(client, CUSTOM_RESOURCE_DEFINITIONS, found, after)


async def are_ours(client: Client) -> bool:
    """Whether this has made both."""
    for wanted in crds.named(KINDS):
        found = await client.get(CUSTOM_RESOURCE_DEFINITIONS, objects.name(wanted), None)
        if objects.labels(found).get(labels.MANAGED_BY) != OURS:
            return False
    return True


def _marked(definition: Object) -> Object:
    meta = {**definition["metadata"], "labels": {labels.MANAGED_BY: OURS}}
    return {**definition, "metadata": meta}
