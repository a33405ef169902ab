"""
How large the claim of a clone has to be that names no size.

A Block volume is as large as it is. A file system says nothing of the disk in it: a pod reads the
disk's header, and what it finds is kept on the source claim, for as long as that has its size. The
clone of a disk of unknown size then gets room for just this disk, with what its own file system
needs. Pure, as all decisions; sizes in bytes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cdi.api import annotations, phases, quantity, reasons
from cdi.api.counts import parse_count
from cdi.controllers import metadata, plan
from cdi.controllers.datavolume import measuringpod
from cdi.controllers.datavolume.blocked import Blocked
from cdi.controllers.datavolume.cloneseen import CloneSeen
from cdi.controllers.datavolume.seen import Seen, is_left_to_webhook, phase_of
from cdi.controllers.origins import use
from cdi.controllers.origins.origin import Origin
from cdi.controllers.working.report import is_left_behind
from cdi.kube import objects, owners
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS
from cdi.storage import modes, rendering, sizes

LOOK_AGAIN: Final = 5.0  # seconds

_EXITS: Final[Mapping[int, str]] = {
    1: reasons.ERR_BAD_ARGUMENTS,
    2: reasons.ERR_INVALID_FILE,
    3: reasons.ERR_INVALID_PATH,
    4: reasons.ERR_BAD_TERM_FILE,
}


@dataclass(frozen=True, slots=True)
class Sized:
    """The spec with its size; without one, what is done to learn it, or why it is not learned."""

    spec: dict[str, Any] | None = None
    permissive: bool = False  # the claim may be smaller than its source
    wanted: plan.Plan = plan.NOTHING
    blocked: Blocked | None = None


def sized(seen: Seen, clone: CloneSeen, spec: dict[str, Any]) -> Sized:
    """What the claim is to ask for."""
    origin = clone.origin
    if seen.volume["spec"].get("storage") is None or is_left_to_webhook(seen) or origin is None:
        return Sized(spec)
    if origin.is_snapshot:
        return Sized(_as_snapshot(seen, origin, origin.object or {}, spec))
    return _as_claim(seen, clone, origin, spec)


def _as_claim(seen: Seen, clone: CloneSeen, origin: Origin, spec: dict[str, Any]) -> Sized:
    asked = sizes.requested(spec) or 0
    is_block = spec.get("volumeMode") == modes.BLOCK
    hides_disk = _hides_disk(origin.object or {})
    if asked and not (is_block and hides_disk):
        return Sized(spec)
    capacity = _bytes(objects.get(origin.object, "status", "capacity", "storage"))
    if capacity is None:
        return Sized()  # it is not bound yet; its watch tells
    if not hides_disk:
        return Sized(_inflated(seen, spec, capacity))
    found = known_size(origin.object or {})
    if found is None:
        return _measured(seen, clone, origin)
    if asked:
        return Sized(spec, permissive=asked >= found)
    return Sized(_inflated(seen, spec, found), permissive=capacity > found)


def _hides_disk(claim: Object) -> bool:
    """Whether there is a disk in a file system."""
    is_file_system = (objects.get(claim, "spec", "volumeMode") or modes.FILESYSTEM) != modes.BLOCK
    said = objects.annotations(claim).get(annotations.CONTENT_TYPE)
    return is_file_system and said == "kubevirt"


def known_size(claim: Object) -> int | None:
    """What was found in a claim before, if it still has the size that it had then."""
    given = objects.annotations(claim)
    size = parse_count(given.get(annotations.VIRTUAL_SIZE))
    then = given.get(annotations.SOURCE_CAPACITY)
    now = objects.get(claim, "status", "capacity", "storage")
    if not size or then is None or now is None:
        return None
    try:
        unchanged = quantity.parse(then).value() == quantity.parse(str(now)).value()
    except quantity.InvalidQuantity:
        return None
    return size if unchanged else None


def _as_snapshot(
    seen: Seen, origin: Origin, snapshot: Object, spec: dict[str, Any]
) -> dict[str, Any]:
    if sizes.requested(spec):
        return spec
    size = _bytes(objects.get(snapshot, "status", "restoreSize")) or 0
    said = objects.get(origin.content, "spec", "sourceVolumeMode")
    mode = said or objects.annotations(snapshot).get(annotations.SOURCE_VOLUME_MODE)
    target_mode = spec.get("volumeMode") or modes.FILESYSTEM
    if (mode or target_mode) == modes.BLOCK and target_mode != modes.BLOCK:
        return _inflated(seen, spec, size)
    return _at_least(seen, spec, size)


def _inflated(seen: Seen, spec: dict[str, Any], size: int) -> dict[str, Any]:
    return rendering.complete_size(sizes.with_request(spec, size), seen.storage)


def _at_least(seen: Seen, spec: dict[str, Any], size: int) -> dict[str, Any]:
    profile = seen.storage.profiles.get(str(spec.get("storageClassName") or ""))
    return sizes.with_request(spec, sizes.effective(size, profile))


# Measuring.


def _measured(seen: Seen, clone: CloneSeen, origin: Origin) -> Sized:
    """Have the disk measured, or take over what was found."""
    claim, pod = origin.object or {}, clone.measuring
    if not use.is_filled(origin):
        text = f"{origin.source} is still being filled; its disk is measured after that"
        return Sized(wanted=_news(seen, reasons.IMPORT_PVC_NOT_READY, text))
    if pod is None:
        return Sized(wanted=_begun(seen, origin, claim))
    ended = measuringpod.end_of(pod)
    image = seen.settings.worker_image
    if is_left_behind(pod, measuringpod.CONTAINER, image) and not objects.is_deleting(pod):
        return Sized(wanted=plan.Plan((plan.Remove(PODS, pod),), again_in=LOOK_AGAIN))
    if ended is None:
        return Sized(wanted=_waits(seen, origin, pod))
    code, text = ended
    size = text.strip()
    if code == 0 and parse_count(size):
        return Sized(wanted=_kept(claim, size))
    reason = _EXITS.get(code, reasons.ERR_UNKNOWN)
    message = f"the disk in {origin.source} cannot be measured: {text or 'no reason is given'}"
    remove = () if objects.is_deleting(pod) else (plan.Remove(PODS, pod),)
    again = plan.Plan(remove, again_in=LOOK_AGAIN)
    return Sized(wanted=again, blocked=Blocked(phase_of(seen), reason, message))


def _begun(seen: Seen, origin: Origin, claim: Object) -> plan.Plan:
    pod = measuringpod.measuring_pod_for(seen, origin, claim)
    create = plan.Create(PODS, pod, refused=lambda error: _refused(seen, pod, error))
    told = f"pod {objects.name(pod)} reads the size of the disk in {origin.source}"
    event = plan.normal(seen.volume, reasons.SIZE_DETECTION_POD_CREATED, told)
    return plan.Plan((create,), (event,))


def _refused(seen: Seen, pod: Object, error: ApiError) -> plan.Plan:
    exceeded = reasons.EXCEEDED_QUOTA_TEXT in error.message
    reason = reasons.ERR_EXCEEDED_QUOTA if exceeded else reasons.ERR_STARTING_POD
    text = f"{reasons.STARTING_POD_MESSAGE} {objects.name(pod)}; it is tried again"
    return plan.Plan(events=(plan.warning(seen.volume, reason, text),))


def _waits(seen: Seen, origin: Origin, pod: Object) -> plan.Plan:
    text = f"pod {objects.name(pod)} has not read the size of {origin.source} yet"
    return _news(seen, reasons.SIZE_DETECTION_POD_NOT_READY, text)


def _news(seen: Seen, reason: str, message: str) -> plan.Plan:
    """Told as long as the phase is not that of one that waits; afterwards everybody knows."""
    if phase_of(seen) is phases.DataVolume.CLONE_SCHEDULED:
        return plan.NOTHING
    return plan.Plan(events=(plan.normal(seen.volume, reason, message),))


def _kept(claim: Object, size: str) -> plan.Plan:
    capacity = quantity.parse(str(objects.get(claim, "status", "capacity", "storage")))
    noted = {annotations.VIRTUAL_SIZE: size, annotations.SOURCE_CAPACITY: str(capacity)}
    wanted = metadata.changed(claim, annotations=noted)
    return plan.Plan((plan.Change(PERSISTENT_VOLUME_CLAIMS, claim, wanted),))


def tidied(seen: Seen, clone: CloneSeen) -> plan.Plan:
    """The pod that has measured for this DataVolume goes with the end of the clone."""
    pod = clone.measuring
    if pod is None or objects.is_deleting(pod) or not _is_of(pod, seen.volume):
        return plan.NOTHING
    if metadata.is_true(seen.claim or {}, annotations.RETAIN_AFTER_COMPLETION):
        return plan.NOTHING
    return plan.Plan((plan.Remove(PODS, pod),))


def _is_of(pod: Object, volume: Object) -> bool:
    elsewhere = objects.annotations(pod).get(annotations.OWNED_BY_DATA_VOLUME)
    return owners.is_controlled_by(pod, volume) or elsewhere == str(objects.key(volume))


def _bytes(text: object) -> int | None:
    return None if text is None else quantity.parse(str(text)).value()
