"""
A claim as it has to be created, from what a DataVolume or a labelled claim says of it.

What is left out is completed from the StorageClass and its StorageProfile, and the size, which
is the size of the disk, grows by what a file system needs for itself. The same steps serve
DataVolumes (`render`) and the webhook for claims (`complete_modes`, `complete_size`).

Every failure is a ClaimNotValid: with the cluster as it is no claim can be made. Nothing helps
but a change of the DataVolume, of a class, a profile or a volume, so callers wait for one of
these to change rather than trying again. Sizes are in bytes.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cdi.api import annotations, features, labels, quantity, reasons
from cdi.storage import classes, documents, modes, overhead, sizes, volumes

Object = dict[str, Any]

MISSING_MODES: Final = "PVC spec is missing accessMode and no storageClass to choose profile"

_RENDERED: Final = (
    "accessModes", "selector", "resources", "volumeName", "storageClassName", "volumeMode",
    "dataSource", "dataSourceRef",
)  # fmt: skip


class ClaimNotValid(ValueError):
    """No claim can be made as things are. The text is for people and says what to do."""

    reason = reasons.ERR_CLAIM_NOT_VALID


@dataclass(frozen=True, slots=True)
class Cluster:
    """What rendering reads."""

    classes: Sequence[Object] = ()  # StorageClasses
    profiles: Mapping[str, Object] = field(default_factory=dict)  # StorageProfiles, by name
    volumes: Sequence[Object] = ()  # PersistentVolumes
    config: Object | None = None  # the CDIConfig


def is_left_to_webhook(volume_labels: Mapping[str, str], webhook_pvc_rendering: str) -> bool:
    """Tell whether the claim of a DataVolume with these labels is completed by the webhook."""
    labelled = volume_labels.get(labels.APPLY_STORAGE_PROFILE) == annotations.TRUE
    return labelled and features.renders_claims(webhook_pvc_rendering)


def render(
    spec: Mapping[str, Any],
    cluster: Cluster,
    *,
    size_follows: bool = False,
    left_to_webhook: bool = False,
) -> Object:
    """Return the spec of the claim of a new DataVolume with this spec. Raises ClaimNotValid.

    `size_follows` says that somebody measures the source, so that the size may be absent; it reads
    0 until that has been done. A claim that exists already is not
    rendered again: it is what it is.
    """
    if spec.get("pvc") is not None:
        return copy.deepcopy(spec["pvc"])
    storage = spec.get("storage")
    if storage is None:
        raise ClaimNotValid("DataVolume has neither pvc nor storage; give one of them")
    claim = {key: copy.deepcopy(storage[key]) for key in _RENDERED if storage.get(key) is not None}
    if left_to_webhook:
        claim.setdefault("volumeMode", modes.FROM_STORAGE_PROFILE)
        return claim
    content_type = spec.get("contentType") or ""
    if size_follows and sizes.requested(claim) is None:
        return sizes.with_request(complete_modes(claim, cluster, content_type), 0)
    return complete_size(complete_modes(claim, cluster, content_type), cluster)


def complete_modes(claim: Mapping[str, Any], cluster: Cluster, content_type: str = "") -> Object:
    """Return the spec of a claim with class, access modes and volume mode filled in."""
    claim = dict(claim)
    if claim.get("volumeMode") == modes.FROM_STORAGE_PROFILE:
        del claim["volumeMode"]
    if content_type == modes.ARCHIVE:
        if claim.get("volumeMode") == modes.BLOCK:
            raise ClaimNotValid(
                "contentType archive needs volumeMode Filesystem: a Block volume holds no files"
            )
        claim["volumeMode"] = modes.FILESYSTEM
    chosen = classes.choose(cluster.classes, claim.get("storageClassName"), content_type)
    if chosen is None:
        return _completed_from_volumes(claim, cluster)
    claim["storageClassName"] = documents.name(chosen)
    return _completed_from_profile(claim, cluster)


def complete_size(claim: Mapping[str, Any], cluster: Cluster) -> Object:
    """Return the spec of a claim, whose modes are complete, with the size to ask for."""
    try:
        size = sizes.requested(claim)
    except quantity.InvalidQuantity as error:
        raise ClaimNotValid(f"PVC size is not valid: {error}") from error
    if size is None:
        raise ClaimNotValid("PVC size is missing; set resources.requests.storage")
    if size < sizes.SMALLEST:
        raise ClaimNotValid("PVC size is smaller than 1Mi; set a larger resources.requests.storage")
    class_name = claim.get("storageClassName")
    if claim.get("volumeMode") == modes.BLOCK:
        written = size
    else:
        share = overhead.overhead_for(cluster.config, cluster.classes, class_name, None)
        written = overhead.required(size, float(share))
    if class_name:
        written = sizes.effective(written, cluster.profiles.get(class_name))
    return dict(claim) if written == size else sizes.with_request(claim, written)


def _completed_from_volumes(claim: Object, cluster: Cluster) -> Object:
    """Take the modes of an available volume, where somebody made volumes for a class by hand."""
    if claim.get("storageClassName") is not None:
        made = next(volumes.satisfying(cluster.volumes, claim), None)
        if made is not None:
            claim["volumeMode"] = documents.at(made, "spec", "volumeMode") or modes.FILESYSTEM
            claim["accessModes"] = claim.get("accessModes") or list(made["spec"]["accessModes"])
    if not claim.get("accessModes"):
        raise ClaimNotValid(f"{MISSING_MODES}; {_way_out(claim.get('storageClassName'))}")
    return claim


def _way_out(class_name: str | None) -> str:
    if class_name:
        return f"StorageClass {class_name} does not exist: create it, or set accessModes"
    return "set accessModes and storageClassName, or mark a StorageClass as default"


def _completed_from_profile(claim: Object, cluster: Cluster) -> Object:
    access, volume = claim.get("accessModes"), claim.get("volumeMode")
    if access and volume:
        return claim
    class_name = claim["storageClassName"]
    profile = cluster.profiles.get(class_name)
    if profile is None:
        raise ClaimNotValid(
            f"StorageProfile {class_name} does not exist yet; set accessModes and volumeMode, "
            "or wait until it does"
        )
    sets = documents.at(profile, "status", "claimPropertySets") or []
    if access:
        claim["volumeMode"] = _volume_mode_sharing(sets, access)
    elif volume:
        claim["accessModes"] = _access_modes_beside(sets, volume, class_name)
    else:
        claim |= _first_of(sets, class_name)
    return {key: value for key, value in claim.items() if value is not None}


def _first_of(sets: Sequence[Object], class_name: str) -> Object:
    if not sets or not sets[0].get("accessModes"):
        raise ClaimNotValid(
            f"no accessMode specified in StorageProfile {class_name}; set accessModes, or "
            "spec.claimPropertySets of the profile"
        )
    return {
        "accessModes": list(sets[0]["accessModes"]),
        "volumeMode": sets[0].get("volumeMode"),
    }


def _access_modes_beside(sets: Sequence[Object], volume_mode: str, class_name: str) -> list[str]:
    for each in sets:
        if each.get("volumeMode") == volume_mode and each.get("accessModes"):
            return list(each["accessModes"])
    raise ClaimNotValid(
        f"no matching accessMode specified in StorageProfile {class_name} for volumeMode "
        f"{volume_mode}; set accessModes, or spec.claimPropertySets of the profile"
    )


def _volume_mode_sharing(sets: Sequence[Object], access_modes: Sequence[str]) -> str | None:
    """Return the volume mode beside any of the access modes; None means Kubernetes' default."""
    for each in sets:
        if set(each.get("accessModes") or ()) & set(access_modes):
            return str(each["volumeMode"])
    return None
