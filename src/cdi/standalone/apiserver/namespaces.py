"""
Namespaces: what each one is born with, and the removal of its content before it goes.

Here: the `default` service account and the CA config map of every namespace; emptying a namespace
that is being deleted, and letting it go once it is empty. Elsewhere: refusing new content
(`objects`), marking (`deletion`).
"""

from typing import Any

from cdi.standalone.apiserver import purge, status
from cdi.standalone.apiserver.admission import AdmissionRequest
from cdi.standalone.apiserver.objects import Objects
from cdi.standalone.apiserver.options import DeleteOptions, WriteOptions
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.apiserver.status import ApiError
from cdi.standalone.apiserver.timestamps import rfc3339
from cdi.standalone.schema.registry import KindInfo
from cdi.standalone.store.record import Key

Document = dict[str, Any]

RESOURCE = "namespaces"
SYSTEM = ("default", "kube-system", "kube-public", "cdi")
CA_CONFIG_MAP = "kube-root-ca.crt"

_OPTIONS = WriteOptions(manager="kube-controller-manager", validation="Ignore")


async def keep_system(request: AdmissionRequest) -> None:
    """Refuse to delete what must always be there, with all that is in it; a rule for Admission."""
    if request.operation == "DELETE" and request.name in SYSTEM:
        raise status.forbidden(request.kind, request.name, "this namespace may not be deleted")


class Namespaces:
    """Brings namespaces to where they should be; every step is safe to repeat."""

    def __init__(self, objects: Objects, authority: str) -> None:
        self._objects = objects
        self._authority = authority

    async def ensure_system(self) -> None:
        """The namespaces that are always there."""
        for name in SYSTEM:
            document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            await self._ensure("namespaces", "", document)

    def terminating(self, name: str) -> bool:
        """Whether a namespace is being deleted."""
        entry = self._objects.store.get(Key(RESOURCE, "", name))
        return entry is not None and "deletionTimestamp" in entry.document()["metadata"]

    async def settle(self, name: str) -> None:
        """Furnish a namespace that stays, empty one that goes."""
        entry = self._objects.store.get(Key(RESOURCE, "", name))
        if entry is None:
            return
        if "deletionTimestamp" in entry.document()["metadata"]:
            await self._empty(name)
        else:
            await self._furnish(name)

    async def _furnish(self, name: str) -> None:
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": name},
        }
        authority = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CA_CONFIG_MAP, "namespace": name},
            "data": {"ca.crt": self._authority},
        }
        await self._ensure("serviceaccounts", name, account)
        await self._ensure("configmaps", name, authority)
        await self._publish(name)

    async def _publish(self, name: str) -> None:
        """Have the config map show the authority that there is, which may be issued anew."""
        kind = self._objects.catalog.find("", "v1", "configmaps")
        entry = self._objects.store.get(Key("configmaps", name, CA_CONFIG_MAP))
        wanted = {"ca.crt": self._authority}
        if kind is None or entry is None or entry.document().get("data") == wanted:
            return
        try:
            await self._objects.modify(
                ObjectRef(kind, name, CA_CONFIG_MAP),
                lambda live: {**live, "data": wanted},
                _OPTIONS,
            )
        except ApiError as error:
            if error.code != 404:
                raise

    async def _ensure(self, plural: str, namespace: str, document: Document) -> None:
        kind = self._objects.catalog.find("", "v1", plural)
        if kind is None or self._objects.store.get(
            Key(plural, namespace, document["metadata"]["name"])
        ):
            return
        try:
            await self._objects.create(ObjectRef(kind, namespace, ""), document, _OPTIONS)
        except ApiError as error:
            if error.code not in (403, 404, 409):  # going, gone, or there already
                raise

    async def _empty(self, name: str) -> None:
        refs = [ObjectRef(kind, name, key.name) for kind, key in self._content(name)]
        await purge.delete_all(self._objects, refs, DeleteOptions(policy="Background"))
        left = self._content(name)
        own = self._objects.catalog.find("", "v1", "namespaces")
        if own is None:
            return
        try:
            if left:
                ref = ObjectRef(own, "", name, "status")
                await self._objects.modify(ref, lambda live: self._remaining(live, left), _OPTIONS)
            else:
                ref = ObjectRef(own, "", name, "finalize")
                await self._objects.modify(ref, _finalized, _OPTIONS)
        except ApiError as error:
            if error.code != 404:
                raise

    def _content(self, name: str) -> list[tuple[KindInfo, Key]]:
        store, catalog = self._objects.store, self._objects.catalog
        found = []
        for resource in store.resources():
            kind = catalog.of_resource(resource)
            if kind is not None and kind.namespaced:
                found += [(kind, key) for key, _ in store.entries(resource, name)]
        return found

    def _remaining(self, live: Document, left: list[tuple[KindInfo, Key]]) -> Document:
        """The namespace with a condition that says what it still waits for."""
        counts: dict[str, int] = {}
        for kind, _ in left:
            counts[kind.resource] = counts.get(kind.resource, 0) + 1
        listed = ", ".join(f"{name} has {n} resource instances" for name, n in counts.items())
        message = f"Some resources are remaining: {listed}"
        state = live.setdefault("status", {})
        others = [
            c for c in state.get("conditions") or () if c["type"] != "NamespaceContentRemaining"
        ]
        before = [
            c for c in state.get("conditions") or () if c["type"] == "NamespaceContentRemaining"
        ]
        since = before[0]["lastTransitionTime"] if before else rfc3339(self._objects.clock())
        condition = {
            "type": "NamespaceContentRemaining",
            "status": "True",
            "reason": "SomeResourcesRemain",
            "message": message,
            "lastTransitionTime": since,
        }
        state["conditions"] = [*others, condition]
        return live


def _finalized(live: Document) -> Document:
    spec = live.get("spec") or {}
    kept = [name for name in spec.get("finalizers") or () if name != "kubernetes"]
    return {**live, "spec": {**spec, "finalizers": kept}}
