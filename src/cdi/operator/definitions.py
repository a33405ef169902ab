"""
Definitions whose stored objects are in a version that goes: which versions stay until when. Pure.

First the old version stays served, but nothing new is stored in it; then every object is written
once more (`Migrate` in `plan`), which stores it in the newest version; then the definition says
that nothing else is stored, and the old version goes with the next pass.
"""

from __future__ import annotations

from cdi.kube import objects
from cdi.kube.objects import Object


def storage_version_of(definition: Object) -> str:
    """The version in which new objects are stored."""
    versions: list[Object] = objects.get(definition, "spec", "versions", default=[])
    return next((str(each["name"]) for each in versions if each.get("storage")), "")


def stored_versions_of(definition: Object) -> list[str]:
    """Versions in which objects may be stored."""
    return list(objects.get(definition, "status", "storedVersions", default=[]))


def with_stored_versions(desired: Object, current: Object | None) -> Object:
    """`desired`, and the versions that objects are still stored in, as they are."""
    wanted = objects.get(desired, "spec", "versions", default=[])
    named = {each["name"] for each in wanted}
    stored = set(stored_versions_of(current or {}))
    kept = [
        {**each, "storage": False}
        for each in objects.get(current, "spec", "versions", default=[])
        if each["name"] in stored - named
    ]
    if not kept:
        return desired
    return {**desired, "spec": {**desired["spec"], "versions": [*wanted, *kept]}}


def needs_migration(current: Object) -> bool:
    """Whether objects may be stored in another version than new ones are."""
    newest = storage_version_of(current)
    return bool(newest) and any(each != newest for each in stored_versions_of(current))
