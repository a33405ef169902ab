"""
CustomResourceDefinitions: users' kinds come and go with these objects.

Here: from each definition to served kinds, its conditions and stored versions, and the clean-up
of its objects when it is deleted. Elsewhere: schemas (`schema.registry`), storage and HTTP.

Safe to repeat at every step: after a crash the definitions in the store are read again and lead
to the same kinds; a half-done clean-up goes on.
"""

import copy
import logging
from typing import Any

from cdi.standalone.apiserver import purge
from cdi.standalone.apiserver.catalog import Catalog, resource_of
from cdi.standalone.apiserver.objects import Objects
from cdi.standalone.apiserver.options import DeleteOptions, WriteOptions
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.apiserver.status import ApiError
from cdi.standalone.apiserver.timestamps import rfc3339
from cdi.standalone.schema import registry
from cdi.standalone.schema.registry import KindInfo
from cdi.standalone.store.record import Key
from cdi.standalone.store.store import Store

Document = dict[str, Any]

RESOURCE = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP = "apiextensions.k8s.io/customresourcecleanup"
_INSTALL = WriteOptions(manager="cdi", force=True, validation="Ignore")
_OPTIONS = WriteOptions(manager="kube-apiserver", validation="Ignore")

_logger = logging.getLogger(__name__)


class Definitions:
    """Keeps the catalog in step with the definitions."""

    def __init__(self, objects: Objects, kind: KindInfo) -> None:
        self._objects = objects
        self._kind = kind
        self._specs: dict[str, Document] = {}  # what is served: parsing a schema takes a while

    @property
    def _store(self) -> Store:
        return self._objects.store

    @property
    def _catalog(self) -> Catalog:
        return self._objects.catalog

    def load(self) -> None:
        """Serve what the store holds; call before the first request."""
        for _, entry in self._store.entries(RESOURCE):
            self._serve(entry.document())

    async def ensure(self, definition: Document) -> None:
        """Have a definition that comes with the program, as it is in this version of it."""
        name = definition["metadata"]["name"]
        ref = ObjectRef(self._kind, "", name)
        await self._objects.apply(ref, copy.deepcopy(definition), _INSTALL)
        await self.settle(name)

    async def settle(self, name: str) -> None:
        """Bring one definition to where it should be."""
        entry = self._store.get(Key(RESOURCE, "", name))
        if entry is None:
            self._catalog.forget(name)
            self._specs.pop(name, None)
            return
        document = entry.document()
        if "deletionTimestamp" in document["metadata"]:
            await self._clean_up(document)
            return
        if self._serve(document):
            await self._publish(document)

    def waiting(self, name: str) -> bool:
        """Whether a definition of this name is being deleted."""
        entry = self._store.get(Key(RESOURCE, "", name))
        # The text is looked at first: this is asked for every deleted object.
        return (
            entry is not None
            and b'"deletionTimestamp"' in entry.body
            and "deletionTimestamp" in entry.document()["metadata"]
        )

    def _serve(self, document: Document) -> bool:
        """Serve the kinds of a definition; whether that is possible."""
        name, spec = document["metadata"]["name"], document["spec"]
        if self._specs.get(name) == spec:
            return True
        try:
            # Rules grow, and what was accepted once stays served, with its objects.
            kinds = registry.kinds_of_stored(document)
        except (LookupError, TypeError, AttributeError) as error:
            _logger.warning("definition %s cannot be served: %s", name, error)
            return False
        self._specs[name] = spec
        self._catalog.define(name, tuple(kinds))
        return True

    async def _publish(self, document: Document) -> None:
        """Write the finalizer and the status, where they are not yet as they should be."""
        name = document["metadata"]["name"]
        ref = ObjectRef(self._kind, "", name)
        if CLEANUP not in (document["metadata"].get("finalizers") or ()):
            await self._modify(ref, _with_cleanup)
        wanted = _status(document, rfc3339(self._objects.clock()))
        if wanted != document.get("status"):
            status_place = ObjectRef(self._kind, "", name, "status")
            await self._modify(status_place, lambda live: {**live, "status": wanted})

    async def _clean_up(self, document: Document) -> None:
        """Delete the objects of a definition; once none is left, let it go."""
        names = document["spec"]["names"]
        resource = resource_of(document["spec"]["group"], names["plural"])
        name = document["metadata"]["name"]
        kind = self._catalog.of_resource(resource)
        if kind is not None:
            going = [
                ObjectRef(kind, key.namespace, key.name)
                for key, entry in self._store.entries(resource)
                if "deletionTimestamp" not in entry.document()["metadata"]
            ]
            await purge.delete_all(self._objects, going, DeleteOptions())
        if not self._store.entries(resource):
            await self._modify(ObjectRef(self._kind, "", name), _without_cleanup)

    async def _modify(self, ref: ObjectRef, produce: Any) -> None:
        try:
            await self._objects.modify(ref, produce, _OPTIONS)
        except ApiError as error:
            if error.code != 404:
                raise


def _status(document: Document, now: str) -> Document:
    spec, old = document["spec"], document.get("status") or {}
    names = spec["names"]
    accepted = {
        **names,
        "singular": names.get("singular") or names["kind"].lower(),
        "listKind": names.get("listKind") or f"{names['kind']}List",
    }
    stored = next(v["name"] for v in spec["versions"] if v.get("storage"))
    versions = list(old.get("storedVersions") or ())
    if stored not in versions:
        versions.append(stored)
    return {
        "acceptedNames": accepted,
        "conditions": [
            _condition(old, "NamesAccepted", "NoConflicts", "no conflicts found", now),
            _condition(
                old,
                "Established",
                "InitialNamesAccepted",
                "the initial names have been accepted",
                now,
            ),
        ],
        "storedVersions": versions,
    }


def _condition(old: Document, kind: str, reason: str, message: str, now: str) -> Document:
    for condition in old.get("conditions") or ():
        if condition["type"] == kind and condition["status"] == "True":
            return dict(condition)
    return {
        "lastTransitionTime": now,
        "message": message,
        "reason": reason,
        "status": "True",
        "type": kind,
    }


def _with_cleanup(live: Document) -> Document:
    finalizers = live["metadata"].get("finalizers") or []
    if CLEANUP not in finalizers:
        live["metadata"]["finalizers"] = [*finalizers, CLEANUP]
    return live


def _without_cleanup(live: Document) -> Document:
    finalizers = live["metadata"].get("finalizers") or []
    live["metadata"]["finalizers"] = [name for name in finalizers if name != CLEANUP]
    return live
