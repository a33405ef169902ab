"""
`status.used` of ResourceQuotas, kept in step with what their namespaces hold.

It is for people and programs that look; what is enforced is counted anew (`quota`).
"""

from collections.abc import Iterable
from typing import Any

from cdi.standalone.apiserver import quota
from cdi.standalone.apiserver.objects import Objects
from cdi.standalone.apiserver.options import WriteOptions
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.apiserver.status import ApiError
from cdi.standalone.store.record import Change, Verb

Document = dict[str, Any]

_OPTIONS = WriteOptions(manager="kube-controller-manager", validation="Ignore")


class QuotaStatus:
    """Brings the quotas of a namespace up to date; safe to repeat."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def namespaces(self) -> set[str]:
        """The namespaces that have a quota."""
        return self._objects.quotas.namespaces()

    def forget(self, batch: Iterable[Change]) -> None:
        """Keep no measure of what these changes removed."""
        self._objects.quotas.forget(c.key for c in batch if c.verb is Verb.DELETED)

    async def settle(self, namespace: str) -> None:
        """Write what has changed."""
        kind = self._objects.catalog.of_resource(quota.RESOURCE)
        if kind is None:
            return
        for key, entry in self._objects.store.entries(quota.RESOURCE, namespace):
            document = entry.document()
            if document.get("status") != self._wanted(document):
                ref = ObjectRef(kind, namespace, key.name, "status")
                await self._write(ref)

    async def _write(self, ref: ObjectRef) -> None:
        try:
            await self._objects.modify(
                ref, lambda live: {**live, "status": self._wanted(live)}, _OPTIONS
            )
        except ApiError as error:
            if error.code != 404:
                raise

    def _wanted(self, document: Document) -> Document:
        return quota.status_of(document, self._objects.quotas.used(document))
