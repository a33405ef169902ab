"""What an installation's namespace holds on one machine: the account that pollers run as."""

from __future__ import annotations

from typing import Final

from cdi.controllers.dataimportcron import pollers
from cdi.controllers.settings import Settings
from cdi.kube import apply
from cdi.kube.client import Client
from cdi.kube.objects import Object
from cdi.kube.resource import NAMESPACES, SERVICE_ACCOUNTS

NAMESPACE: Final[str] = Settings(worker_image="").namespace


async def ensure(client: Client) -> None:
    """Have the namespace and the account. May be repeated."""
    namespace: Object = {
        "apiVersion": NAMESPACES.api_version,
        "kind": NAMESPACES.kind,
        "metadata": {"name": NAMESPACE},
    }
    account: Object = {
        "apiVersion": SERVICE_ACCOUNTS.api_version,
        "kind": SERVICE_ACCOUNTS.kind,
        "metadata": {"name": pollers.ACCOUNT, "namespace": NAMESPACE},
    }
    await apply.ensure_created(client, NAMESPACES, namespace)
    await apply.ensure_created(client, SERVICE_ACCOUNTS, account)
