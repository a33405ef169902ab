"""
The status of a StorageProfile: what a StorageClass can do, and how that is known.

What the administrator says in the profile's spec or on the class wins over the table of
capabilities, which wins over general rules. `profile_for` decides everything at once and
raises where the administrator's word makes no sense; the profile then stays as it was.

Elsewhere: the table (`capabilities`), the metric about a profile (`profileinfo`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cdi.api import annotations, reasons
from cdi.storage import (
    capabilities,
    conditions,
    documents,
    legacydefaults,
    modes,
    provisioners,
    snapshots,
    volumes,
)

Object = dict[str, Any]

# Snapshots of these can be images of their own, and such images have to be imported RWO.
_IMAGE_SNAPSHOTS: Final = frozenset({"pd.csi.storage.gke.io", "pd.csi.storage.gke.io/hyperdisk"})


class IncompleteProperties(ValueError):
    """A claim property set of the profile's spec lacks its access modes or its volume mode."""

    def __init__(self, profile: str) -> None:
        super().__init__(
            f"StorageProfile {profile}: every entry of spec.claimPropertySets needs a volumeMode "
            "and at least one of accessModes"
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What a profile follows from."""

    storage_class: Object
    profile: Object | None  # as it is now
    snapshot_classes: Sequence[Object] = ()  # none where the snapshot API is not served
    volumes: Sequence[Object] = ()  # read for classes whose volumes are made by hand
    legacy_defaults: Mapping[str, str] = field(default_factory=dict)  # see `legacydefaults`


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the profile should be. An annotation that should go is None."""

    status: Object
    annotations: Mapping[str, str | None]
    warnings: tuple[str, ...] = ()  # for Warning events on the profile


def profile_for(seen: Seen, now: str) -> Wanted:
    """Return what the profile of a class should be; `now` is a time as RFC 3339 writes it.

    Raises SnapshotClassNotFound or IncompleteProperties: nothing is to be written then.
    """
    key = provisioners.key_for(seen.storage_class)
    capability = capabilities.capability_of(key)
    spec = documents.at(seen.profile, "spec") or {}
    provisioner = str(seen.storage_class.get("provisioner") or "")
    snapshot_class = snapshots.choose(
        seen.snapshot_classes, provisioner, spec.get("snapshotClass") or ""
    )
    strategy, warnings = _clone_strategy(seen, spec, capability, snapshot_class)
    status: Object = {
        "storageClass": documents.name(seen.storage_class),
        "provisioner": provisioner,
        "claimPropertySets": _claim_property_sets(seen, spec, key, capability),
        "cloneStrategy": strategy,
        "dataImportCronSourceFormat": _cron_format(spec, capability, snapshot_class),
        "conditions": conditions.with_condition(
            documents.at(seen.profile, "status", "conditions") or [], *_recognized(key), now=now
        ),
    }
    if snapshot_class:
        status["snapshotClass"] = snapshot_class
    return Wanted(status, _annotations(seen, key, capability, provisioner), warnings)


def is_complete(status: Mapping[str, Any]) -> bool:
    """Tell whether a claim that names no modes can be completed from this status."""
    sets = status.get("claimPropertySets") or []
    return bool(sets) and all(each.get("accessModes") and each.get("volumeMode") for each in sets)


def _clone_strategy(
    seen: Seen, spec: Mapping[str, Any], capability: capabilities.Capability, snapshot_class: str
) -> tuple[str, tuple[str, ...]]:
    if spec.get("cloneStrategy"):
        return str(spec["cloneStrategy"]), ()
    said = documents.annotation(seen.storage_class, annotations.CLONE_STRATEGY)
    if said in capabilities.CLONE_STRATEGIES:
        return said, ()
    warnings: tuple[str, ...] = ()
    if said is not None:
        known = ", ".join(capabilities.CLONE_STRATEGIES)
        text = f"StorageClass annotation {annotations.CLONE_STRATEGY} is {said!r} and has no effect"
        warnings = (f"{text}; known are {known}",)
    advised = capability.clone_strategy or capabilities.SNAPSHOT
    if advised == capabilities.SNAPSHOT and not snapshot_class:
        advised = capabilities.COPY
    return advised, warnings


def _cron_format(
    spec: Mapping[str, Any], capability: capabilities.Capability, snapshot_class: str
) -> str:
    if spec.get("dataImportCronSourceFormat"):
        return str(spec["dataImportCronSourceFormat"])
    if capability.cron_format == capabilities.SNAPSHOT_FORMAT and snapshot_class:
        return capabilities.SNAPSHOT_FORMAT
    return capabilities.PVC_FORMAT


def _claim_property_sets(
    seen: Seen, spec: Mapping[str, Any], key: str, capability: capabilities.Capability
) -> list[Object]:
    corrected: list[Object] = spec.get("claimPropertySets") or []
    if corrected:
        if not is_complete(spec):
            raise IncompleteProperties(documents.name(seen.storage_class))
        return corrected
    class_name = documents.name(seen.storage_class)
    known: Sequence[modes.ClaimProperties] = capability.claims
    if key == provisioners.NO_PROVISIONER:
        known = volumes.properties_of(seen.volumes, class_name)
    if not known:
        known = legacydefaults.properties_for(seen.legacy_defaults, class_name)
    return [properties.as_document() for properties in known]


def _recognized(key: str) -> tuple[str, str, str, str]:
    """Return type, status, reason and message of the condition."""
    if key == provisioners.UNKNOWN:
        status, reason = reasons.Status.FALSE, reasons.UNRECOGNIZED_PARAMETERS
        message = "The parameters of the StorageClass are not known; set spec.claimPropertySets"
    elif capabilities.capability_of(key).recognized:
        status, reason = reasons.Status.TRUE, reasons.RECOGNIZED_PROVISIONER
        message = "The provisioner is known"
    else:
        status, reason = reasons.Status.FALSE, reasons.UNRECOGNIZED_PROVISIONER
        message = "The provisioner is not known; set spec.claimPropertySets"
    return reasons.Condition.RECOGNIZED.value, status.value, reason, message


def _annotations(
    seen: Seen, key: str, capability: capabilities.Capability, provisioner: str
) -> dict[str, str | None]:
    """Return the annotations to write. Those set by hand, even to nothing, are left alone."""
    wanted: dict[str, str | None] = {}
    if capability.minimum:
        wanted[annotations.MINIMUM_PVC_SIZE] = capability.minimum
    if key in _IMAGE_SNAPSHOTS:
        wanted[annotations.USE_RWO_FOR_CRON] = annotations.TRUE
    wanted = {
        name: value
        for name, value in wanted.items()
        if documents.annotation(seen.profile, name) is None
    }
    for_images = (
        snapshots.choose_for_images(seen.snapshot_classes, provisioner)
        if key in _IMAGE_SNAPSHOTS
        else ""
    )
    wanted[annotations.SNAPSHOT_CLASS_FOR_CRON] = for_images or None
    return wanted
