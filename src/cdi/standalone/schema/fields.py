"""
Server-side apply, and the managedFields of every other write.

Here: the two operations and conflicts. Elsewhere: sets of paths (`fieldset`), comparing and merging
(`merging`), managedFields entries (`managers`). Objects that come in are never changed. The caller
fills in defaults and validates what comes out. `now` is RFC 3339 with whole seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cdi.standalone.schema import fieldset, managers, merging
from cdi.standalone.schema.causes import FieldError
from cdi.standalone.schema.fieldset import FieldSet, Path
from cdi.standalone.schema.kinds import KindInfo
from cdi.standalone.schema.managers import APPLY, UPDATE, Manager, Managers, Owned

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

_BEFORE = "before-first-apply"
_KUBECTL = "kubectl"

Object = dict[str, Any]

# Nobody owns these: the server sets them, or they name the object.
_UNOWNED: FieldSet = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {
        ("f:metadata", f"f:{name}")
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    }
)


class ConflictError(Exception):
    """Applying would change what others own: `causes` has an entry a field, `str()` tells all."""

    def __init__(self, conflicts: list[tuple[Manager, Path]]) -> None:
        self.conflicts = sorted(conflicts)
        self.causes = [
            FieldError(
                "FieldManagerConflict", fieldset.text_of(path), None, f"conflict with {manager}"
            )
            for manager, path in self.conflicts
        ]
        super().__init__(_conflict_message(self.conflicts))


def _conflict_message(conflicts: list[tuple[Manager, Path]]) -> str:
    if len(conflicts) == 1:
        ((manager, path),) = conflicts
        where = fieldset.text_of(path)
        return f"Apply failed with 1 conflict: conflict with {manager}: {where}"
    by_manager: dict[Manager, list[str]] = {}
    for manager, path in conflicts:
        by_manager.setdefault(manager, []).append(f"- {fieldset.text_of(path)}")
    parts = (
        f"conflicts with {manager}:\n" + "\n".join(by_manager[manager]) for manager in by_manager
    )
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(parts)


def apply(
    info: KindInfo,
    live: Object | None,
    applied: Object,
    manager: str,
    force: bool,
    now: str,
    subresource: str = "",
) -> Object:
    """`live` as it is after `manager` applied `applied`. Raises ConflictError.

    When nothing changes, times stay too, so that the caller can see that there is nothing to write.
    """
    request = _Request(info, Manager(manager, APPLY, info.api_version, subresource), now)
    config = request.config(applied)
    try:
        return request.apply(live, config, force)
    except ConflictError as error:
        if live is None or not _came_from_kubectl(request, live, error):
            raise
        return request.apply(live, config, force=True)


def _came_from_kubectl(request: _Request, live: Object, error: ConflictError) -> bool:
    """Moving from client-side apply: kubectl may take over what it applied itself before."""
    if request.manager.name != _KUBECTL or request.manager.subresource:
        return False
    text = (live.get("metadata", {}).get("annotations") or {}).get(LAST_APPLIED)
    try:
        before = json.loads(text or "")
    except ValueError:
        return False
    if not isinstance(before, dict):
        return False
    allowed = fieldset.set_of(request.schema, before)
    changed = merging.compare(request.schema, before, live)
    untouched = allowed - changed.added - changed.modified
    return {path for _, path in error.conflicts} <= untouched


def track_update(
    info: KindInfo,
    old: Object | None,
    new: Object,
    manager: str,
    now: str,
    subresource: str = "",
) -> Object:
    """`new` with the managedFields of a create, update or patch by `manager`."""
    request = _Request(info, Manager(manager, UPDATE, info.api_version, subresource), now)
    return request.update(old, new)


class _Request:
    """One write: what kind, by whom, when."""

    def __init__(self, info: KindInfo, manager: Manager, now: str) -> None:
        self.info = info
        self.schema = info.schema
        self.manager = manager
        self.now = now

    def config(self, applied: Object) -> Object:
        """What of the applied object counts: no nulls, no managedFields, not the other half."""
        kept = {key: value for key, value in applied.items() if not self._is_foreign(key)}
        meta = {k: v for k, v in (applied.get("metadata") or {}).items() if k != "managedFields"}
        if self.manager.subresource == "status":
            meta = {
                key: value for key, value in meta.items() if key in ("name", "namespace", "uid")
            }
        found: Object = _without_nulls({**kept, "metadata": meta})
        return found

    def _is_foreign(self, key: str) -> bool:
        """The status is written through its subresource, and nothing else is."""
        if self.manager.subresource == "status":
            return key not in ("apiVersion", "kind", "metadata", "status")
        return key == "status" and "status" in self.info.subresources

    def apply(self, live: Object | None, config: Object, force: bool) -> Object:
        found = managers.read(live)
        if live is not None and not found:
            found = self._before_first_apply(live)
        last = found.get(self.manager, Owned(fieldset.EMPTY, None)).paths
        mine = self._owned(fieldset.set_of(self.schema, config))
        base = live if live is not None else _identity(config)
        merged = merging.merge(self.schema, base, config)
        claimed = mine.union(*(owned.paths for who, owned in found.items() if who != self.manager))
        merged = merging.without(self.schema, merged, last - mine, claimed)
        change = merging.compare(self.schema, base, merged)
        if not force:
            self._refuse_conflicts(found, change.taken)
        updated = self._yielded(found, change)
        before = found.get(self.manager)
        unchanged = before is not None and before.paths == mine and not change
        time = before.time if before is not None and unchanged else self.now
        if mine:
            updated[self.manager] = Owned(mine, time)
        return self._written(self._with_last_applied(merged, config), updated)

    def update(self, old: Object | None, new: Object) -> Object:
        found = managers.read(new)
        if not found and not _is_reset(new):
            found = managers.read(old)
        base = old if old is not None else _identity(new)
        change = merging.compare(self.schema, base, new)
        updated = self._yielded(found, change)
        if taken := self._owned(change.taken):
            before = updated.get(self.manager, Owned(fieldset.EMPTY, None)).paths
            updated[self.manager] = Owned(before | taken, self.now)
        return self._written(new, updated)

    def _before_first_apply(self, live: Object) -> Managers:
        manager = Manager(_BEFORE, UPDATE, self.info.api_version)
        change = merging.compare(self.schema, _identity(live), live)
        paths = self._owned(change.taken)
        return {manager: Owned(paths, self.now)} if paths else {}

    def _owned(self, paths: Iterable[Path]) -> FieldSet:
        return frozenset(
            path for path in paths if path not in _UNOWNED and not self._is_foreign(path[0][2:])
        )

    def _refuse_conflicts(self, found: Managers, taken: FieldSet) -> None:
        conflicts = [
            (who, path)
            for who, owned in found.items()
            if who != self.manager
            for path in owned.paths & taken
        ]
        if conflicts:
            raise ConflictError(conflicts)

    def _yielded(self, found: Managers, change: merging.Difference) -> Managers:
        """What others still own: not what was taken or is gone."""
        left: Managers = {}
        for who, owned in found.items():
            taken = fieldset.EMPTY if who == self.manager else change.taken
            if paths := owned.paths - taken - change.removed:
                left[who] = replace(owned, paths=paths)
        return left

    def _written(self, obj: Object, updated: Managers) -> Object:
        meta = {k: v for k, v in (obj.get("metadata") or {}).items() if k != "managedFields"}
        if entries := managers.write(updated):
            meta["managedFields"] = entries
        return {**obj, "metadata": meta}

    def _with_last_applied(self, merged: Object, config: Object) -> Object:
        """kubectl may go back to client-side apply: what it applies stays in its annotation."""
        annotations = merged["metadata"].get("annotations") or {}
        if (
            self.manager.name != _KUBECTL
            or self.manager.subresource
            or LAST_APPLIED not in annotations
        ):
            return merged
        text = json.dumps(config, separators=(",", ":"), sort_keys=True) + "\n"
        meta = {**merged["metadata"], "annotations": {**annotations, LAST_APPLIED: text}}
        return {**merged, "metadata": meta}


def _identity(obj: Object) -> Object:
    """An object of the same kind and name with nothing in it."""
    meta = obj.get("metadata") or {}
    kept = {key: meta[key] for key in ("name", "namespace") if key in meta}
    return {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), "metadata": kept}


def _is_reset(obj: Object) -> bool:
    """A list with one empty entry asks for the managers to be forgotten."""
    return (obj.get("metadata") or {}).get("managedFields") == [{}]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
