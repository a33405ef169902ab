"""
The import of a version: how far the one under way is, and when another one begins.

An import that is good stays until a newer one is as good. One that has failed makes way for a
newer version at once, and is tried again when somebody has looked since: once for every poll.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from cdi.api import annotations, phases, reasons
from cdi.api.reasons import Condition, Status
from cdi.controllers import kinds, plan
from cdi.controllers.dataimportcron import conditions, marks, template
from cdi.controllers.dataimportcron.draft import Draft, stamp
from cdi.controllers.dataimportcron.seen import Product, Seen, name_for
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS

Phase = phases.DataVolume

# Conditions of a DataVolume that is not going to succeed by itself.
_BROKEN: Final = (reasons.ERROR, reasons.IMAGE_PULL_FAILED)
# An import that has not begun to move bytes after so long makes way for a newer version.
STUCK_AFTER: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the import under way is."""

    current: Object | None  # as in the status: name and digest
    product: Product
    done: bool = False  # it is populated, or has become a snapshot
    over: bool = False  # the pass ends here: something has to go first


def progress(draft: Draft) -> Progress:
    """Look at the import under way, and say what it does."""
    seen = draft.seen
    current = seen.current
    if current is None:
        conditions.idle(draft)
        return Progress(None, Product(""))
    product = seen.product(str(current.get("DataVolumeName", "")))
    found = Progress(current, product)
    if is_populated(product) or _is_snapshot(product):
        conditions.idle(draft)
        return replace(found, done=True)
    if product.volume is not None:
        conditions.progress_of(draft, product.volume)
        return _tried_again(draft, found)
    if product.claim is not None:
        conditions.held_up(draft, Phase.PENDING, f"PVC {product.name} waits for its volume")
        return found
    draft.status.pop("currentImports", None)
    conditions.idle(draft)
    return replace(found, current=None)


def is_populated(product: Product) -> bool:
    """Whether the claim of an import is full.

    A claim that a DataVolume made is never taken for full without the DataVolume: caches of two
    kinds do not advance together, and it may be half imported.
    """
    if product.volume is not None:
        return bool(objects.get(product.volume, "status", "phase") == Phase.SUCCEEDED)
    claim = product.claim
    if claim is None or objects.is_deleting(claim):
        return False
    made = owners.controller_name(claim, kinds.DATA_VOLUMES.kind, kinds.DATA_VOLUMES.group)
    return not made and objects.get(claim, "status", "phase") == phases.Claim.BOUND


def _is_snapshot(product: Product) -> bool:
    if product.volume is not None or product.claim is not None or product.snapshot is None:
        return False
    return not objects.is_deleting(product.snapshot)


def _tried_again(draft: Draft, found: Progress) -> Progress:
    volume = found.product.volume
    if volume is None or objects.get(volume, "status", "phase") != Phase.FAILED:
        return found
    polled = marks.parsed(draft.annotation(annotations.LAST_CRON_TIME))
    wanted = draft.annotation(annotations.DESIRED_DIGEST) == (found.current or {}).get("Digest")
    if not wanted or polled <= _failed_at(volume):
        return found
    if not objects.is_deleting(volume):
        draft.before.append(plan.Remove(kinds.DATA_VOLUMES, volume))
    return replace(found, over=True)


def _failed_at(volume: Object) -> datetime:
    """When a DataVolume was seen to have failed."""
    running = _condition(volume, Condition.RUNNING)
    at = running.get("lastTransitionTime") or objects.metadata(volume).get("creationTimestamp")
    return marks.parsed(str(at or ""))


def begin_next(draft: Draft, found: Progress) -> None:
    """Begin the import of the wanted version, if it is time, and say whether the last one is it."""
    digest = draft.annotation(annotations.DESIRED_DIGEST)
    if not digest:
        conditions.no_digest(draft)
        return
    if found.current is not None and found.current.get("Digest") == digest:
        if not found.done:
            conditions.under_way(draft)
        return
    conditions.outdated(draft)
    volume = found.product.volume
    if found.current is not None and not found.done:
        if volume is None or not _makes_way(volume, draft.seen):
            return
        draft.before.append(plan.Remove(kinds.DATA_VOLUMES, volume))
        draft.status.pop("currentImports", None)
    _begin(draft, digest)


def again(draft: Draft, found: Progress) -> None:
    """Import a version that is there once more, beside what there is of it."""
    seen, current = draft.seen, found.current or {}
    conditions.under_way(draft)
    reference = draft.annotation(annotations.IMAGE_STREAM_DOCKER_REF)
    made = template.data_volume_for(
        seen, found.product.name, str(current.get("Digest", "")), reference
    )
    draft.before.append(plan.Create(kinds.DATA_VOLUMES, made))


def _makes_way(volume: Object, seen: Seen) -> bool:
    phase = objects.get(volume, "status", "phase", default="")
    running = _condition(volume, Condition.RUNNING)
    if phase == Phase.FAILED:
        return True
    if running.get("status") == Status.FALSE and running.get("reason") in _BROKEN:
        return True
    made = marks.parsed(str(objects.metadata(volume).get("creationTimestamp") or ""))
    return phase != Phase.IMPORT_IN_PROGRESS and seen.now - made > STUCK_AFTER


def _begin(draft: Draft, digest: str) -> None:
    seen = draft.seen
    name = name_for(seen.cron, digest)
    if not name:
        conditions.held_up(
            draft,
            reasons.INVALID_DIGEST,
            f"annotation {annotations.DESIRED_DIGEST} is {digest!r}; want sha256:<hex> or "
            "uid:<uid> of at least 12 characters",
        )
        return
    product = seen.product(name)
    if any(objects.is_deleting(each) for each in product.there):
        return  # their end is heard of
    if not product.there:
        if not seen.authorized:
            conditions.held_up(draft, reasons.NOT_AUTHORIZED, "Not authorized to create DataVolume")
            return
        reference = draft.annotation(annotations.IMAGE_STREAM_DOCKER_REF)
        made = template.data_volume_for(seen, name, digest, reference)
        draft.before.append(plan.Create(kinds.DATA_VOLUMES, made))
    else:
        use(draft, product)
    draft.status["currentImports"] = [{"DataVolumeName": name, "Digest": digest}]


def use(draft: Draft, product: Product) -> None:
    """Note that an import is in use: the oldest in use are collected first."""
    for resource, found in (
        (kinds.DATA_VOLUMES, product.volume),
        (PERSISTENT_VOLUME_CLAIMS, product.claim),
        (kinds.SNAPSHOTS, product.snapshot),
    ):
        if found is None or objects.is_deleting(found):
            continue
        wanted = marks.used(found, draft.seen)
        if wanted != found:
            draft.before.append(plan.Change(resource, found, wanted))


def succeed(draft: Draft, found: Progress) -> None:
    """Note which import is the last that succeeded."""
    last = {"namespace": draft.seen.namespace, "name": found.product.name}
    if draft.status.get("lastImportedPVC") != last:
        draft.status["lastImportedPVC"] = last
        draft.status["lastImportTimestamp"] = stamp(draft.seen.now)


def _condition(obj: Object, kind: Condition) -> Object:
    conditions_of: list[Object] = objects.get(obj, "status", "conditions", default=[])
    return next((each for each in conditions_of if each.get("type") == kind), {})
