"""
Whether the source of a host-assisted clone fits its target, as far as the two claims say.

Nothing is looked up. Sizes are in bytes, of what a disk may take.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdi.api import annotations
from cdi.api.workorder import KUBEVIRT, content_type_of
from cdi.controllers import metadata
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.storage import modes, overhead, sizes


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a source cannot be copied to a target; `waits` where that may change by itself."""

    message: str
    waits: bool = False


def misfit_of(
    source: Object | None,
    target: Object,
    config: Mapping[str, Any] | None,
    storage_classes: Sequence[Object],
) -> Misfit | None:
    """Return why not, or None where the two fit."""
    if source is None:
        named = objects.annotations(target).get(annotations.CLONE_REQUEST)
        return Misfit(f"the source of the clone, PVC {named}, does not exist", waits=True)
    name = str(objects.key(source))
    kinds = _content_type(source), _content_type(target)
    if kinds[0] != kinds[1]:
        return Misfit(
            f"PVC {name} has content type {kinds[0]} and the target {kinds[1]}; they must be equal",
            waits=True,
        )
    volume_modes = _mode(source), _mode(target)
    if volume_modes[0] != volume_modes[1] and kinds[0] != KUBEVIRT:
        return Misfit(
            f"PVC {name} has volume mode {volume_modes[0]} and the target {volume_modes[1]}; only "
            f"disks (content type {KUBEVIRT}) can be copied between them",
            waits=True,
        )
    if metadata.has(target, annotations.PERMISSIVE_CLONE):
        return None
    room = _usable(target, config, storage_classes)
    wanted = _usable(source, config, storage_classes)
    if wanted > room:
        return Misfit(
            f"target resources requests storage size is smaller than the source: PVC {name} holds "
            f"up to {wanted} bytes, and the target {room}; ask for a larger one"
        )
    return None


def _content_type(claim: Object) -> str:
    return content_type_of(objects.annotations(claim).get(annotations.CONTENT_TYPE))


def _mode(claim: Object) -> str:
    return objects.get(claim, "spec", "volumeMode") or modes.FILESYSTEM


def _usable(
    claim: Object, config: Mapping[str, Any] | None, storage_classes: Sequence[Object]
) -> int:
    spec = claim["spec"]
    share = overhead.overhead_for(
        config, storage_classes, spec.get("storageClassName"), spec.get("volumeMode")
    )
    size = sizes.requested(spec) or 0
    return size if _mode(claim) == modes.BLOCK else overhead.usable(size, float(share))
