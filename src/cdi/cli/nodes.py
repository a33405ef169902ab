"""What nodes say of themselves that concerns whoever imports there."""

from __future__ import annotations

from typing import Final

from cdi.kube import errors, objects
from cdi.kube.client import Client
from cdi.kube.resource import NODES

CONFINED: Final = "Confined"  # condition of a node of `cdi up`


async def unconfined(client: Client) -> list[str]:
    """Say which nodes lack walls around workers, and which; nothing to whoever may not ask."""
    try:
        found = await client.list(NODES)
    except errors.Forbidden:
        return []
    return [
        f"node {objects.name(node)}: {condition.get('message', '')}"
        for node in found
        for condition in objects.get(node, "status", "conditions", default=[])
        if condition.get("type") == CONFINED and condition.get("status") == "False"
    ]
