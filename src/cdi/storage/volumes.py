"""Which PersistentVolumes made by hand could satisfy a claim."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from cdi.api import quantity
from cdi.storage import documents, modes, sizes

Object = dict[str, Any]

_AVAILABLE: Final = "Available"


def satisfying(volumes: Iterable[Object], claim: Mapping[str, Any]) -> Iterator[Object]:
    """Yield the available volumes that a claim with this spec could be bound to."""
    return (each for each in volumes if satisfies(each, claim))


def satisfies(volume: Mapping[str, Any], claim: Mapping[str, Any]) -> bool:
    """Tell whether an available volume is large enough and of the class and modes asked for."""
    wanted_class = claim.get("storageClassName")
    spec = volume.get("spec") or {}
    return (
        documents.at(volume, "status", "phase") == _AVAILABLE
        and not documents.is_deleting(volume)
        and _capacity(spec) >= (sizes.requested(claim) or 0)
        and (wanted_class is None or (spec.get("storageClassName") or "") == wanted_class)
        and _volume_mode(spec) == _volume_mode(claim)
        and set(claim.get("accessModes") or ()) <= set(spec.get("accessModes") or ())
    )


def properties_of(volumes: Iterable[Object], class_name: str) -> list[modes.ClaimProperties]:
    """Return what the volumes of a class can have, best first."""
    return modes.by_preference(
        modes.ClaimProperties((access,), _volume_mode(spec))
        for spec in (volume.get("spec") or {} for volume in volumes)
        if spec.get("storageClassName") == class_name
        for access in spec.get("accessModes") or ()
    )


def _capacity(spec: Mapping[str, Any]) -> int:
    capacity = documents.at(spec, "capacity", "storage")
    return quantity.parse(capacity).value() if capacity is not None else 0


def _volume_mode(spec: Mapping[str, Any]) -> str:
    return str(spec.get("volumeMode") or modes.FILESYSTEM)
