"""Whether a DataVolume can be cloned from its source, as far as both of them say. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from cdi.api import annotations, quantity, reasons, workorder
from cdi.controllers.datavolume.cloneseen import CloneSeen
from cdi.controllers.datavolume.seen import Seen
from cdi.controllers.origins.origin import Origin
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import modes, sizes

_INVALID: Final = reasons.CLONE_VALIDATION_FAILED

Why = tuple[str, str]  # reason and message


def why_not(seen: Seen, clone: CloneSeen, spec: Mapping[str, Any]) -> Why | None:
    """Why no claim with this spec can be made for a clone; None if one can."""
    origin = clone.origin
    if origin is None:
        return reasons.CLONE_WITHOUT_SOURCE, clone.unresolved
    if origin.object is None:
        return reasons.CLONE_WITHOUT_SOURCE, (
            f"Source {_word(origin)} {origin.source.key} doesn't exist; the clone begins once it "
            "does"
        )
    if origin.is_snapshot:
        return _of_snapshot(seen, origin, origin.object, spec)
    return _of_claim(seen, origin, origin.object, spec)


def _word(origin: Origin) -> str:
    return "snapshot" if origin.is_snapshot else "pvc"


def _of_claim(seen: Seen, origin: Origin, claim: Object, spec: Mapping[str, Any]) -> Why | None:
    there = workorder.content_type_of(objects.annotations(claim).get(annotations.CONTENT_TYPE))
    here = workorder.content_type_of(objects.get(seen.volume, "spec", "contentType"))
    if there != here:
        return _INVALID, (
            f"Source contentType ({there}) and target contentType ({here}) do not match; set "
            f"contentType {there}"
        )
    by_pvc = seen.volume["spec"].get("pvc") is not None
    is_block = objects.get(claim, "spec", "volumeMode") == modes.BLOCK
    asked = sizes.requested(spec)
    if not by_pvc and not (asked and is_block):
        return None
    size = sizes.requested(claim.get("spec") or {})
    if size is None or not asked:
        return _INVALID, f"either {origin.source} or its clone asks for no size"
    wanted = asked if by_pvc else sizes.effective(asked, _profile(seen, spec))
    return _too_small(wanted, size, origin) if wanted < size else None


def _of_snapshot(
    seen: Seen, origin: Origin, snapshot: Object, spec: Mapping[str, Any]
) -> Why | None:
    status, named = snapshot.get("status"), origin.source
    if not status:
        return _INVALID, f"{named} has no status yet"
    if said := objects.get(status, "error", "message"):
        return _INVALID, f"{named} could not be taken: {said}"
    if not objects.get(snapshot, "spec", "volumeSnapshotClassName"):
        return _INVALID, f"{named} has no volumeSnapshotClassName"
    text = status.get("restoreSize")
    size = None if text is None else quantity.parse(str(text)).value()
    if size is None or size < 0:
        return _INVALID, f"{named} does not say how large it is: status.restoreSize"
    asked = sizes.requested(spec) or 0
    if not asked and not size:
        return _INVALID, f"{named} does not say how large it is; ask for a size"
    if asked and seen.volume["spec"].get("storage") is not None:
        asked = sizes.effective(asked, _profile(seen, spec))
    return _too_small(asked, size, origin) if 0 < asked < size else None


def _too_small(wanted: int, size: int, origin: Origin) -> Why:
    return _INVALID, (
        f"target resources requests storage size is smaller than the source: {wanted} bytes are "
        f"asked for, and {origin.source} has {size}; ask for at least as much"
    )


def _profile(seen: Seen, spec: Mapping[str, Any]) -> Object | None:
    return seen.storage.profiles.get(str(spec.get("storageClassName") or ""))
