"""
Create, read, update, patch and delete objects: what every request ends in, without HTTP.

Here: the order of the steps (decode, prune, default, admit, validate, manage fields, store) and
the retry when somebody else was faster. Elsewhere: each step itself (`checks`, `metadata`,
`deletion`, `patching`, `schema`), lists and watches (`listing`, `watching`).

The commit point of each operation is its one write to the store; before it nothing is visible,
after it everything is durable. Raises ApiError; errors of the store are translated here.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakValueDictionary

from cdi.kube.generatename import generated_name
from cdi.standalone.apiserver import checks, conversion, deletion, metadata, status
from cdi.standalone.apiserver.admission import Admission, admission_of
from cdi.standalone.apiserver.catalog import Catalog, resource_of
from cdi.standalone.apiserver.identity import ADMIN, User
from cdi.standalone.apiserver.options import DeleteOptions, WriteOptions
from cdi.standalone.apiserver.quota import Quotas
from cdi.standalone.apiserver.reference import ObjectRef
from cdi.standalone.apiserver.timestamps import Clock, rfc3339, system_clock
from cdi.standalone.schema import admit, fields
from cdi.standalone.schema.registry import KindInfo
from cdi.standalone.store import errors
from cdi.standalone.store.record import Entry, Key
from cdi.standalone.store.store import Store

Document = dict[str, Any]
Produce = Callable[[Document], Document]

# Attempts of a change. Changes of one object queue up, so only writes past this class collide.
RETRIES = 5
NAME_RETRIES = 8  # attempts to find a free name for generateName


@dataclass(slots=True)
class Result:
    """What an operation left behind, and what the client should be told besides."""

    document: Document
    warnings: list[str] = field(default_factory=list)
    created: bool = False
    removed: bool = False


class Objects:
    """All objects of all kinds that the catalog serves."""

    def __init__(
        self,
        store: Store,
        catalog: Catalog,
        admission: Admission,
        clock: Clock = system_clock,
    ) -> None:
        self.store = store
        self.catalog = catalog
        self.admission = admission
        self.clock = clock
        self.quotas = Quotas(store)
        self._turns: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()

    def get(self, ref: ObjectRef) -> Document:
        """The object, in the version that the reference names. Raises ApiError (404)."""
        return self.document_of(ref.kind, self._entry(ref))

    def raw(self, ref: ObjectRef) -> bytes | None:
        """The object as JSON when it is stored just as the client wants it."""
        entry = self._entry(ref)
        return entry.body if conversion.is_stored_as(ref.kind, entry.body) else None

    def document_of(self, kind: KindInfo, entry: Entry) -> Document:
        """A stored object in the version of `kind`."""
        return conversion.document_of(kind, entry.body)

    async def create(
        self,
        ref: ObjectRef,
        document: Document,
        options: WriteOptions,
        user: User = ADMIN,
    ) -> Result:
        """Store a new object; the name may come from generateName."""
        checks.check_type(ref.kind, document)
        given = document["metadata"]
        if given.get("resourceVersion"):
            raise status.bad_request("resourceVersion should not be set on objects to be created")
        checks.check_namespace(ref, given)
        prefix = "" if given.get("name") else given.get("generateName", "")
        for _ in range(NAME_RETRIES):
            if prefix:
                given["name"] = generated_name(prefix)
            try:
                return await self._create(ref, copy.deepcopy(document), options, user)
            except status.ApiError as error:
                if not prefix or error.reason != "AlreadyExists":
                    raise
        raise status.already_exists(ref.kind, given["name"])

    async def update(
        self, ref: ObjectRef, document: Document, options: WriteOptions, user: User = ADMIN
    ) -> Result:
        """Replace an object, or its status through the status subresource."""
        checks.check_type(ref.kind, document)
        checks.check_name(ref, document["metadata"])
        checks.check_names_revision(ref, document["metadata"])
        return await self.modify(ref, lambda _: copy.deepcopy(document), options, user)

    async def modify(
        self, ref: ObjectRef, produce: Produce, options: WriteOptions, user: User = ADMIN
    ) -> Result:
        """
        Change an object by a function from its live state to the wanted one.

        The function runs again, on the new state, when somebody else was faster.
        """
        async with self._turn(ref.key):
            return await self._modify(ref, produce, options, user)

    async def _modify(
        self, ref: ObjectRef, produce: Produce, options: WriteOptions, user: User
    ) -> Result:
        for _ in range(RETRIES):
            entry = self._entry(ref)
            live = self.document_of(ref.kind, entry)
            wanted = produce(copy.deepcopy(live))
            checks.check_identity(ref, live, wanted)
            try:
                return await self._replace(ref, entry, live, wanted, options, user)
            except errors.Changed:
                continue  # a request that names a revision meets its conflict in the next round
        raise status.conflict(ref.kind, ref.name)

    async def apply(
        self, ref: ObjectRef, patch: Document, options: WriteOptions, user: User = ADMIN
    ) -> Result:
        """Server-side apply: create the object or merge what the manager wants into it."""
        checks.check_type(ref.kind, patch)
        given = patch["metadata"]
        checks.check_name(ref, given)
        given["name"] = ref.name
        checks.check_namespace(ref, given)
        warnings = checks.unknown_fields(ref.kind, patch, options)
        async with self._turn(ref.key):
            for _ in range(RETRIES):
                try:
                    return await self._apply_once(ref, patch, options, user, warnings)
                except errors.Changed:
                    continue
                except status.ApiError as error:
                    if error.reason != "AlreadyExists":
                        raise
        raise status.conflict(ref.kind, ref.name)

    async def delete(self, ref: ObjectRef, options: DeleteOptions, user: User = ADMIN) -> Result:
        """Remove an object, or mark it when somebody has to finish first."""
        async with self._turn(ref.key):
            return await self._delete(ref, options, user)

    async def _delete(self, ref: ObjectRef, options: DeleteOptions, user: User) -> Result:
        for _ in range(RETRIES):
            entry = self._entry(ref)
            live = entry.document()
            checks.check_preconditions(ref, live, options)
            request = admission_of("DELETE", ref, None, live, user, options.dry_run)
            await self.admission.validate(ref.key.resource, request)
            warnings = request.warnings
            outcome = deletion.decide(
                ref.kind,
                live,
                options,
                self.clock(),
                bump=metadata.counts_generations(ref.kind),
            )
            try:
                return await self._finish_delete(ref, entry, live, outcome, options, warnings)
            except errors.Changed:
                continue
        raise status.conflict(ref.kind, ref.name)

    async def _finish_delete(
        self,
        ref: ObjectRef,
        entry: Entry,
        live: Document,
        outcome: deletion.Outcome,
        options: DeleteOptions,
        warnings: list[str],
    ) -> Result:
        document = outcome.document
        if options.dry_run or (not outcome.removed and metadata.same_content(live, document)):
            pass
        elif outcome.removed:
            entry = await self._guarded(self.store.delete(ref.key, document, entry.revision))
        else:
            entry = await self._guarded(self.store.write(ref.key, document, entry.revision))
        if options.dry_run:
            return Result(document, warnings, removed=outcome.removed)
        return Result(self.document_of(ref.kind, entry), warnings, removed=outcome.removed)

    async def _create(
        self, ref: ObjectRef, document: Document, options: WriteOptions, user: User
    ) -> Result:
        kind = ref.kind
        warnings = checks.unknown_fields(kind, document, options)
        manager = options.manager
        ref = ObjectRef(kind, ref.namespace, document["metadata"].get("name", ""))

        def manage(made: Document) -> Document:
            return fields.track_update(kind, None, made, manager, rfc3339(self.clock()))

        return await self._insert(ref, document, manage, options, user, warnings)

    async def _insert(
        self,
        ref: ObjectRef,
        document: Document,
        manage: Produce,
        options: WriteOptions,
        user: User,
        warnings: list[str],
    ) -> Result:
        kind = ref.kind
        checks.check_home(ref, self._home_of(ref))
        document = checks.normal(kind, document)
        document = metadata.prepared_for_create(kind, document, self.clock())
        document, said = await self._admitted("CREATE", ref, document, None, options, user)
        warnings = [*warnings, *said]
        document = manage(document)
        async with self.quotas.locked(ref.namespace):
            self.quotas.check(ref, document, None)
            return await self._store_new(ref, document, options, warnings)

    async def _store_new(
        self, ref: ObjectRef, document: Document, options: WriteOptions, warnings: list[str]
    ) -> Result:
        kind = ref.kind
        if options.dry_run:
            if self.store.get(ref.key):
                raise status.already_exists(kind, ref.name)
            return Result(document, warnings, created=True)
        stored = self._as_stored(kind, document)
        # Again, with nothing awaited until the write is queued: a namespace that is marked later
        # finds the object when it counts its content.
        checks.check_home(ref, self._home_of(ref))
        try:
            entry = await self._guarded(self.store.write(ref.key, stored, 0))
        except errors.Exists as error:
            raise status.already_exists(kind, ref.name) from error
        return Result(self.document_of(kind, entry), warnings, created=True)

    async def _replace(
        self,
        ref: ObjectRef,
        entry: Entry,
        live: Document,
        wanted: Document,
        options: WriteOptions,
        user: User,
        manage: Produce | None = None,
    ) -> Result:
        kind = ref.kind
        warnings = [] if manage else checks.unknown_fields(kind, wanted, options)
        document = checks.normal(kind, wanted)
        document = metadata.prepared_for_update(kind, live, document, ref.subresource)
        document, said = await self._admitted("UPDATE", ref, document, live, options, user)
        warnings += said
        if manage:
            document = manage(document)
        else:
            document = fields.track_update(
                kind,
                live,
                document,
                options.manager,
                rfc3339(self.clock()),
                ref.subresource,
            )
        if metadata.same_content(live, document):
            return Result(live, warnings)
        async with self.quotas.locked(ref.namespace):
            self.quotas.check(ref, document, live)
            return await self._store_change(ref, entry, document, options, warnings)

    async def _store_change(
        self,
        ref: ObjectRef,
        entry: Entry,
        document: Document,
        options: WriteOptions,
        warnings: list[str],
    ) -> Result:
        kind = ref.kind
        if options.dry_run:
            document["metadata"]["resourceVersion"] = str(entry.revision)
            return Result(document, warnings)
        finished = deletion.is_finished(kind, document)
        change = self.store.delete if finished else self.store.write
        stored = self._as_stored(kind, document)
        written = await self._guarded(change(ref.key, stored, entry.revision))
        return Result(self.document_of(kind, written), warnings, removed=finished)

    async def _apply_once(
        self,
        ref: ObjectRef,
        patch: Document,
        options: WriteOptions,
        user: User,
        warnings: list[str],
    ) -> Result:
        kind, entry = ref.kind, self.store.get(ref.key)
        live = self.document_of(kind, entry) if entry else None
        if live is not None:
            checks.check_identity(ref, live, patch)
        elif patch["metadata"].get("uid") or ref.subresource:
            raise status.not_found(kind, ref.name)
        elif patch["metadata"].get("resourceVersion"):
            raise status.conflict(kind, ref.name)
        try:
            merged = fields.apply(
                kind,
                live,
                copy.deepcopy(patch),
                options.manager,
                options.force,
                rfc3339(self.clock()),
                ref.subresource,
            )
        except fields.ConflictError as error:
            raise status.apply_conflict(str(error), error.causes) from error
        managed = merged["metadata"].get("managedFields")

        def manage(document: Document) -> Document:
            document["metadata"]["managedFields"] = managed
            return document

        if entry is None or live is None:
            return await self._insert(ref, merged, manage, options, user, warnings)
        result = await self._replace(ref, entry, live, merged, options, user, manage)
        result.warnings = [*warnings, *result.warnings]
        return result

    async def _admitted(
        self,
        operation: str,
        ref: ObjectRef,
        document: Document,
        live: Document | None,
        options: WriteOptions,
        user: User,
    ) -> tuple[Document, list[str]]:
        """Return what to store, and what the client is to be told about it."""
        kind, resource = ref.kind, ref.key.resource
        request = admission_of(operation, ref, document, live, user, options.dry_run)
        mutated = await self.admission.mutate(resource, request)
        if mutated is not document and mutated is not None:
            document = checks.normal(kind, mutated)
        wrong = admit.validate(kind, document, live, ref.subresource)
        if wrong:
            raise status.invalid(kind, ref.name, wrong)
        request = replace(request, object=document)
        await self.admission.validate(resource, request)
        return document, request.warnings

    def _turn(self, key: Key) -> asyncio.Lock:
        """Held while one object is changed: without it, the slowest of many would starve."""
        lock = self._turns.get(key)
        if lock is None:
            lock = self._turns[key] = asyncio.Lock()
        return lock

    def _entry(self, ref: ObjectRef) -> Entry:
        entry = self.store.get(ref.key)
        if entry is None:
            raise status.not_found(ref.kind, ref.name)
        return entry

    def _as_stored(self, kind: KindInfo, document: Document) -> Document:
        stored = self.catalog.of_resource(resource_of(kind.group, kind.plural)) or kind
        return conversion.to_storage(kind, stored, document)

    def _home_of(self, ref: ObjectRef) -> Document | None:
        entry = self.store.get(Key("namespaces", "", ref.namespace))
        return None if entry is None else entry.document()

    async def _guarded(self, write: Awaitable[Entry]) -> Entry:
        try:
            return await write
        except errors.WriteFailed as error:
            raise status.internal(str(error)) from error
