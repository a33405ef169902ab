"""
metadata.managedFields: who owns what, read from objects and written back as Kubernetes sorts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cdi.standalone.schema import fieldset
from cdi.standalone.schema.fieldset import FieldSet

APPLY = "Apply"
UPDATE = "Update"

UPDATERS_LIMIT = 10
"""More managers of updates than this become one, `ancient-changes`."""

_ANCIENT = "ancient-changes"


@dataclass(frozen=True, slots=True, order=True)
class Manager:
    """One owner: the same client has one entry per operation, version and subresource."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    def __str__(self) -> str:
        """As conflict messages name it."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return f"{text} using {self.api_version}" if self.operation == UPDATE else text


@dataclass(frozen=True, slots=True)
class Owned:
    """What a manager owns, and since when (RFC 3339)."""

    paths: FieldSet
    time: str | None


Managers = dict[Manager, Owned]


def read(obj: dict[str, Any] | None) -> Managers:
    """The managers of an object. Entries that cannot be read count as absent."""
    entries = ((obj or {}).get("metadata") or {}).get("managedFields") or ()
    found: Managers = {}
    for entry in entries:
        if not entry or entry.get("fieldsType") != "FieldsV1" or not entry.get("operation"):
            continue
        manager = Manager(
            entry.get("manager", ""),
            entry["operation"],
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        try:
            paths = fieldset.parse_fields(entry.get("fieldsV1") or {})
        except (AttributeError, TypeError, ValueError, RecursionError):
            continue
        before = found.get(manager)
        merged = paths | before.paths if before else paths
        found[manager] = Owned(merged, entry.get("time"))
    return found


def write(managers: Managers) -> list[dict[str, Any]]:
    """managedFields: applied ones first, then by time, then by name."""
    bounded = _bounded(managers)
    order = sorted(
        bounded,
        key=lambda m: (m.operation, bounded[m].time or "", m.name, m.api_version, m.subresource),
    )
    return [_entry(manager, bounded[manager]) for manager in order if bounded[manager].paths]


def _entry(manager: Manager, owned: Owned) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": owned.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fieldset.fields_of(owned.paths),
    }
    if owned.time is None:
        del entry["time"]
    if manager.subresource:
        entry["subresource"] = manager.subresource
    return entry


def _bounded(managers: Managers) -> Managers:
    """Merge the oldest updaters of each version, so that the list stays short."""
    updaters = sorted(
        (m for m in managers if m.operation == UPDATE), key=lambda m: managers[m].time or ""
    )
    surplus = updaters[: max(0, len(updaters) - UPDATERS_LIMIT + 1)]
    if len(updaters) <= UPDATERS_LIMIT:
        return managers
    bounded = {m: owned for m, owned in managers.items() if m not in surplus}
    for manager in surplus:
        bucket = Manager(_ANCIENT, UPDATE, manager.api_version)
        before = bounded.get(bucket, Owned(fieldset.EMPTY, None))
        owned = managers[manager]
        bounded[bucket] = Owned(before.paths | owned.paths, owned.time)
    return bounded
