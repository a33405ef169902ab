"""
Who asks CDI's API server about a HyperConverged and an SSP before they are written.

The rules are served by `cdi apiserver`; here Kubernetes is told of them, with the authorities that
the server's certificate is from, and again when those change. They go with the ClusterRole of
boot sources, that is with their manifest. Where the definitions are somebody else's, so is the
judgement, and nobody is asked. Whoever cannot be asked holds nobody up: the controllers judge
once more.
"""

from __future__ import annotations

import base64
import logging
from dataclasses import dataclass
from typing import Final

from cdi.api import labels, names, resources
from cdi.bootsources import definitions, kinds
from cdi.kube import apply, errors, objects, owners
from cdi.kube.client import Client
from cdi.kube.controller import Result
from cdi.kube.informer import Informer
from cdi.kube.mergepatch import merged
from cdi.kube.objects import Key, Object
from cdi.kube.resource import (
    CONFIG_MAPS,
    MUTATING_WEBHOOKS,
    VALIDATING_WEBHOOKS,
    Resource,
)

log = logging.getLogger(__name__)

OWNER: Final = "cdi-bootsources"  # the ClusterRole with which they go
AUTHORITIES: Final = "cdi-apiserver-signer-bundle"  # the ConfigMap
VALIDATING: Final = "cdi-bootsources-validate"
MUTATING: Final = "cdi-bootsources-mutate"
_SERVICE, _PORT = labels.API, 443
_TIMEOUT: Final = 10  # seconds
_LOOK_AGAIN: Final = 60.0  # seconds; for a manifest that is being applied


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the API server, and the kind that it is about."""

    path: str  # without the slash
    kind: str


_JUDGING: Final = (Rule("hyperconverged-validate", "HyperConverged"), Rule("ssp-validate", "SSP"))
_COMPLETING: Final = (Rule("hyperconverged-mutate", "HyperConverged"),)


def informer(client: Client, namespace: str) -> Informer:
    """Watches the authorities of the API server."""
    return Informer(client, CONFIG_MAPS, namespace, fields=f"metadata.name={AUTHORITIES}")


class Reconciler:
    """Keys are those of the ConfigMap with authorities."""

    def __init__(self, client: Client, authorities: Informer) -> None:
        self._client = client
        self._authorities = authorities

    async def reconcile(self, key: Key) -> Result | None:
        found = self._authorities.cache.get(key)
        bundle = str(objects.get(found, "data", names.BUNDLE_KEY, default=""))
        if not bundle:
            return None  # it is heard of when there is one
        if not await definitions.are_ours(self._client):
            log.info("the definitions are somebody else's, and so are their webhooks")
            return None
        try:
            owner = await self._client.get(kinds.CLUSTER_ROLES, OWNER, None)
        except errors.NotFound:
            return Result(again_in=_LOOK_AGAIN)
        for resource, wanted in configurations(key.namespace, bundle, owner):
            await self._ensure(resource, wanted)
        return None

    async def _ensure(self, resource: Resource, wanted: Object) -> None:
        try:
            found = await self._client.get(resource, objects.name(wanted), None)
        except errors.NotFound:
            await apply.ensure_created(self._client, resource, wanted)
            return
        await apply.ensure_state(self._client, resource, found, merged(found, wanted))


def configurations(
    namespace: str, bundle: str, owner: Object
) -> tuple[tuple[Resource, Object], ...]:
    """What Kubernetes is told; `bundle` is PEM, `owner` a ClusterRole."""
    authority = base64.b64encode(bundle.encode()).decode()
    owner = {"apiVersion": kinds.CLUSTER_ROLES.api_version, "kind": "ClusterRole", **owner}
    return tuple(
        (
            resource,
            {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": {
                    "name": name,
                    "labels": {labels.MANAGED_BY: definitions.OURS},
                    "ownerReferences": [owners.owner_reference(owner, controller=False)],
                },
                "webhooks": [
                    _webhook(each, namespace, authority, mutating=resource == MUTATING_WEBHOOKS)
                    for each in rules
                ],
            },
        )
        for resource, name, rules in (
            (VALIDATING_WEBHOOKS, VALIDATING, _JUDGING),
            (MUTATING_WEBHOOKS, MUTATING, _COMPLETING),
        )
    )


def _webhook(rule: Rule, namespace: str, authority: str, *, mutating: bool) -> Object:
    served = resources.find(rule.kind)
    made: Object = {
        "name": f"{rule.path}.{resources.CDI_GROUP}",
        "clientConfig": {
            "service": {
                "name": _SERVICE,
                "namespace": namespace,
                "path": f"/{rule.path}",
                "port": _PORT,
            },
            "caBundle": authority,
        },
        "rules": [
            {
                "apiGroups": [served.group],
                "apiVersions": [each.name for each in served.versions],
                "resources": [served.plural],
                "operations": ["CREATE", "UPDATE"],
                "scope": "*",
            }
        ],
        "failurePolicy": "Ignore",
        "matchPolicy": "Equivalent",
        "sideEffects": "None",
        "timeoutSeconds": _TIMEOUT,
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {},
        "objectSelector": {},
    }
    return {**made, "reinvocationPolicy": "Never"} if mutating else made
