"""Other operators that do the same work: where one is there, it has its way."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from cdi.kube import errors
from cdi.kube.client import Client
from cdi.kube.resource import DEPLOYMENTS

log = logging.getLogger(__name__)

HYPERCONVERGED: Final = ("hyperconverged-cluster-operator", "hco-operator")
SSP: Final = ("ssp-operator",)
LOOK_AGAIN: Final = 300.0  # seconds; for an operator that comes or goes, which nobody tells of


async def at_work(client: Client, deployments: Sequence[str], namespace: str) -> bool:
    """Whether one of these Deployments is in a namespace."""
    for name in deployments:
        try:
            await client.get(DEPLOYMENTS, name, namespace)
        except errors.NotFound:
            continue
        log.info("another operator keeps boot images", extra={"deployment": name})
        return True
    return False
