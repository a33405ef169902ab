"""
Where the class, the modes and the size of a claim came from: pure functions for `cdi explain`.

What somebody asked for is told as such; the rest was completed from the cluster, and each of its
objects is named. Objects that may not be read leave a gap, and no guess.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cdi.api import annotations, quantity
from cdi.api.counts import parse_count
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import capabilities, classes, legacydefaults, modes, overhead, provisioners, sizes

_ASKED: Final = "as asked for"


@dataclass(frozen=True, slots=True)
class Seen:
    """A DataVolume with its claim, and what the claim was completed from."""

    volume: Object
    claim: Object
    classes: Sequence[Object] = ()
    profile: Object | None = None
    config: Object | None = None


def lines(seen: Seen) -> list[str]:
    """What its claim is, and why: one line for each of class, access, mode and size."""
    spec = objects.get(seen.volume, "spec", default={})
    block: Mapping[str, Any] = spec.get("storage") or spec.get("pvc") or {}
    claim = seen.claim["spec"]
    access = ", ".join(claim.get("accessModes") or ())
    mode = claim.get("volumeMode") or modes.FILESYSTEM
    return [
        f"Class:       {claim.get('storageClassName') or 'none'}, {_class(seen, block)}",
        f"Access:      {access}, {_mode(seen, bool(block.get('accessModes')))}",
        f"Volume mode: {mode}, {_mode(seen, bool(block.get('volumeMode')))}",
        f"Size:        {_size(seen, block, mode)}",
    ]


def _class(seen: Seen, block: Mapping[str, Any]) -> str:
    if block.get("storageClassName") is not None:
        return _ASKED
    name = seen.claim["spec"].get("storageClassName")
    for found, word in (
        (classes.default_for_machines(seen.classes), "virtual machines"),
        (classes.default(seen.classes), "the cluster"),
    ):
        if found is not None and objects.name(found) == name:
            return f"the default class of {word}"
    return "a default class at that time"


def _mode(seen: Seen, asked: bool) -> str:
    if asked:
        return _ASKED
    name = seen.claim["spec"].get("storageClassName") or ""
    if seen.profile is None:
        return "from the StorageProfile of its class"
    if objects.get(seen.profile, "spec", "claimPropertySets"):
        return f"from spec.claimPropertySets of StorageProfile {name}"
    found = classes.named(seen.classes, name)
    if found is None:
        return f"from StorageProfile {name}"
    provisioner = found.get("provisioner")
    key = provisioners.key_for(found)
    if capabilities.capability_of(key).claims:
        return f"from StorageProfile {name}: what is known of provisioner {provisioner}"
    if objects.get(seen.profile, "status", "claimPropertySets"):
        if key == provisioners.NO_PROVISIONER:
            return f"from StorageProfile {name}: the PersistentVolumes of this class"
        return f"from StorageProfile {name}: ConfigMap {legacydefaults.CONFIG_MAP}"
    return "as Kubernetes has it"


def _size(seen: Seen, block: Mapping[str, Any], mode: str) -> str:
    is_storage = objects.get(seen.volume, "spec", "storage") is not None
    written = sizes.requested(seen.claim["spec"]) or 0
    said = objects.get(block, "resources", "requests", "storage")
    found = parse_count(objects.annotations(seen.volume).get(annotations.IMPORT_VIRTUAL_SIZE))
    if said is not None:
        wanted, origin = quantity.parse(str(said)).value(), f"{said} as asked for"
    elif found is not None:
        wanted, origin = found, f"{found} as read from the source"
    else:
        return f"{written} bytes, that of what it is cloned from"
    if not is_storage or written == wanted:
        return f"{written} bytes, {origin}"
    return f"{written} bytes, {origin}{_grown(seen, mode, wanted, written)}"


def _grown(seen: Seen, mode: str, wanted: int, written: int) -> str:
    name = seen.claim["spec"].get("storageClassName")
    share = overhead.overhead_for(seen.config, seen.classes, name, mode)
    grown = overhead.required(wanted, float(share)) if mode != modes.BLOCK else wanted
    told = f", and {share} for the file system (filesystemOverhead of CDIConfig)"
    if grown == written:
        return told
    if sizes.minimum_of(seen.profile) == written:
        least = f"{annotations.MINIMUM_PVC_SIZE} of StorageProfile {name}"
        return f", raised to the smallest volume ({least})"
    return f"{told} at that time" if mode != modes.BLOCK else ""
