"""
Which objects a DataVolume should have, and which of its own metadata should change.

The order of the rules is the order in which they apply: the first that says so ends the look.
What cannot be done is `Blocked` for the status, which then says why and what helps.
"""

from dataclasses import dataclass, field
from typing import Any

from cdi.api import annotations, phases, reasons
from cdi.controllers import kinds, metadata, plan
from cdi.controllers.datavolume import adoption, claim, static
from cdi.controllers.datavolume.blocked import Blocked
from cdi.controllers.datavolume.operations.operation import Operation
from cdi.controllers.datavolume.seen import Seen, is_left_to_webhook, phase_of
from cdi.kube import objects, owners
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS
from cdi.storage import classes, local, rendering, sizes


@dataclass(frozen=True, slots=True)
class Synced:
    """Steps for everything but the status, and what the status has to say of it."""

    wanted: plan.Plan = plan.NOTHING
    blocked: Blocked | None = None
    create: Object | None = None  # the claim; created last, as the server may refuse it
    waits: phases.DataVolume | None = None  # the phase in which there is no claim yet


@dataclass(slots=True)
class _Draft:
    """What has been decided so far."""

    operation: Operation
    annotations: dict[str, str | None] = field(default_factory=dict)  # of the DataVolume
    labels: dict[str, str | None] = field(default_factory=dict)
    finalizer: str = ""  # that the DataVolume is to have
    steps: list[plan.Step] = field(default_factory=list)
    wanted: plan.Plan = plan.NOTHING  # what an operation adds

    def done(
        self,
        seen: Seen,
        *,
        blocked: Blocked | None = None,
        create: Object | None = None,
        failure: Exception | None = None,
        waits: phases.DataVolume | None = None,
    ) -> Synced:
        steps = self.steps
        wanted = metadata.changed(seen.volume, annotations=self.annotations, labels=self.labels)
        if self.finalizer and self.finalizer not in objects.finalizers(seen.volume):
            held = [*objects.finalizers(seen.volume), self.finalizer]
            wanted["metadata"]["finalizers"] = held
        # Where there is no room to write it down, it is decided again each time.
        noted = wanted != seen.volume and not metadata.is_too_much(wanted)
        if noted and (self.annotations or self.labels or self.finalizer):
            # First: what is decided here is decided once, and the rest builds on it.
            steps = [plan.Change(kinds.DATA_VOLUMES, seen.volume, wanted), *steps]
        done = plan.Plan(tuple(steps), failure=failure).then(self.wanted)
        return Synced(done, blocked, create, waits)


class ClaimMissed(plan.NotYet):
    """The claim was bound to another volume than the prepared ones; it is made again."""


def sync(seen: Seen, operation: Operation) -> Synced:
    """Decide what there should be, apart from the status."""
    draft = _Draft(operation)
    found = seen.claim
    if found is not None and (foreign := _why_not_ours(seen, found)):
        return draft.done(seen, blocked=foreign)
    if found is None and seen.clone is not None and seen.clone.unresolved:
        return draft.done(seen, blocked=_unresolved(seen, seen.clone.unresolved))
    try:
        spec = _claim_spec(seen, operation)
        use_populator = _uses_populator(seen, spec, operation)
    except (rendering.ClaimNotValid, metadata.NotABoolean) as error:
        return draft.done(seen, blocked=_not_valid(str(error)))
    decided = metadata.has(seen.volume, annotations.USE_POPULATOR)
    if operation.source_object is not None and not decided:
        said = annotations.TRUE if use_populator else annotations.FALSE
        draft.annotations[annotations.USE_POPULATOR] = said
    if metadata.has(seen.volume, annotations.CHECK_STATIC_VOLUME) and (
        ended := _static(seen, draft, spec, use_populator=use_populator)
    ):
        return ended
    if found is None:
        return _without_claim(seen, draft, spec, use_populator=use_populator)
    return _with_claim(seen, draft, found)


def populated_for(seen: Seen) -> str | None:
    return objects.annotations(seen.volume).get(annotations.POPULATED_FOR)


# The claim exists.


def _why_not_ours(seen: Seen, found: Object) -> Blocked | None:
    """Why a claim of the DataVolume's name cannot be used, or None where it can."""
    name = objects.name(found)
    if objects.is_deleting(found):
        return Blocked(
            phase_of(seen),
            reasons.ERR_RESOURCE_MARKED,
            f"PVC {name} is being deleted; another one is made once it is gone",
        )
    if owners.is_controlled_by(found, seen.volume):
        return None
    ref = owners.controller_of(found)
    if ref is None and not adoption.needs_work(found, seen.volume, seen.gates):
        return None
    why = f"PVC {name} exists and does not belong to this DataVolume; "
    if ref is None and adoption.may_adopt(found, seen.volume, seen.gates):
        why += f"it is taken over once it is whole, and {adoption.why_unfinished(found)}"
    else:
        why += (
            "delete one of them, or let the DataVolume take the PVC over with annotation "
            f"{annotations.ALLOW_CLAIM_ADOPTION}"
        )
    return Blocked(phases.DataVolume.PENDING, reasons.ERR_RESOURCE_EXISTS, why)


def _with_claim(seen: Seen, draft: _Draft, found: Object) -> Synced:
    volume = seen.volume
    wanted = found
    if not owners.is_controlled_by(found, volume):
        wanted = _adopted(found, volume)
    if phase_of(seen) == phases.DataVolume.SUCCEEDED and populated_for(seen) is not None:
        values: dict[str, str | None] = {annotations.POPULATED_FOR: populated_for(seen)}
        if not metadata.has(found, annotations.POPULATED_FOR):
            wanted = metadata.changed(wanted, annotations=values)
    wanted = metadata.changed(wanted, annotations=draft.operation.claim_changes(seen, found))
    if wanted != found:
        draft.steps.append(plan.Change(PERSISTENT_VOLUME_CLAIMS, found, wanted))
    _take_over(seen, draft, found)
    _source_object(seen, draft, found)
    if phase_of(seen) == phases.DataVolume.SUCCEEDED:
        draft.wanted = draft.operation.afterwards(seen, found)
    return draft.done(seen)


def _adopted(found: Object, volume: Object) -> Object:
    wanted = {**found, "metadata": {**found["metadata"]}}
    owners.add_owner(wanted, owners.owner_reference(volume))
    return wanted


def _take_over(seen: Seen, draft: _Draft, found: Object) -> None:
    """What a DataVolume takes over from its claim."""
    bound = objects.get(found, "status", "phase") == phases.Claim.BOUND
    if bound and adoption.is_populated_for(found, seen.volume):
        draft.annotations[annotations.PREPOPULATED] = objects.name(found)
    learned = draft.operation.learned(seen, found)
    draft.annotations |= learned.annotations
    draft.labels |= learned.labels


def _source_object(seen: Seen, draft: _Draft, found: Object | None) -> None:
    """What the populator is told with is there while there is something to fill, and then goes."""
    kind, there = draft.operation.source_object, seen.source_object
    if kind is None or (found is not None and not kind.fills(found)):
        return
    if found is not None and _is_over(seen, draft.operation, found):
        if there is not None:
            draft.steps.append(plan.Remove(kind.resource, there))
        return
    if found is not None and not adoption.needs_work(found, seen.volume, seen.gates):
        return
    if there is None:
        if seen.clone is None or seen.clone.origin is not None:
            draft.steps.append(plan.Create(kind.resource, kind.create(seen.resolved)))
        return
    wanted = kind.updated(there, seen.resolved)
    if wanted != there:
        draft.steps.append(plan.Change(kind.resource, there, wanted))


def _is_over(seen: Seen, operation: Operation, found: Object) -> bool:
    return operation.is_filled(found) and phase_of(seen) == phases.DataVolume.SUCCEEDED


# There is no claim.


def _without_claim(
    seen: Seen, draft: _Draft, spec: dict[str, Any], *, use_populator: bool
) -> Synced:
    if metadata.has(seen.volume, annotations.PREPOPULATED):
        return draft.done(seen)  # somebody else makes it
    prepared = draft.operation.prepare(seen, spec, use_populator=use_populator)
    draft.annotations |= prepared.annotations
    draft.finalizer, draft.wanted = prepared.finalizer, prepared.wanted
    if prepared.blocked is not None or prepared.waits is not None:
        return draft.done(seen, blocked=prepared.blocked, waits=prepared.waits)
    spec = prepared.spec
    if use_populator:
        _source_object(seen, draft, None)
    return draft.done(seen, create=_new_claim(seen, draft, spec, use_populator=use_populator))


def _new_claim(seen: Seen, draft: _Draft, spec: dict[str, Any], *, use_populator: bool) -> Object:
    volume = metadata.changed(seen.resolved, annotations=draft.annotations)
    return claim.claim_for(
        volume,
        spec,
        seen.settings,
        draft.operation,
        use_populator=use_populator,
        preallocate=seen.preallocate,
        bind_at_once=not seen.honours_first_consumer,
    )


def _static(
    seen: Seen, draft: _Draft, spec: dict[str, Any], *, use_populator: bool
) -> Synced | None:
    """Look for volumes prepared by hand; None means to go on as always."""
    found = seen.claim
    if found is None:
        if not sizes.requested(spec):
            return None  # nobody knows yet which of them would do
        names = static.reserved(seen.storage.volumes, seen.volume, spec)
        if not names:
            return None
        made = _new_claim(seen, draft, spec, use_populator=use_populator)
        return draft.done(
            seen, create=claim.waiting_for_static(made, static.listed(names), draft.operation)
        )
    match static.verdict_of(found):
        case static.Verdict.WAITING:
            return draft.done(seen)
        case static.Verdict.FOUND:
            values: dict[str, str | None] = {
                annotations.PERSISTENT_VOLUME_LIST: None,
                annotations.POPULATED_FOR: objects.name(seen.volume),
            }
            wanted = metadata.changed(found, annotations=values)
            draft.steps.append(plan.Change(PERSISTENT_VOLUME_CLAIMS, found, wanted))
            return draft.done(seen)
        case static.Verdict.MISSED:
            draft.steps.append(plan.Remove(PERSISTENT_VOLUME_CLAIMS, found))
            bound_to = objects.get(found, "spec", "volumeName")
            return draft.done(seen, failure=ClaimMissed(f"bound to {bound_to} instead"))
        case static.Verdict.NOT_LOOKING:
            return None


# What it should look like.


def _claim_spec(seen: Seen, operation: Operation) -> dict[str, Any]:
    """The spec of the claim. One that exists is what it is."""
    if seen.claim is not None:
        return dict(seen.claim["spec"])
    return rendering.render(
        operation.sized(seen.volume),
        seen.storage,
        size_follows=operation.finds_size(seen.volume),
        left_to_webhook=is_left_to_webhook(seen),
    )


def _uses_populator(seen: Seen, spec: dict[str, Any], operation: Operation) -> bool:
    """Decide by the class that the claim will really have. Raises NotABoolean."""
    said = metadata.parse_boolean(seen.volume, annotations.USE_POPULATOR)
    if said is not None:
        return said
    name = spec.get("storageClassName")
    if is_left_to_webhook(seen):
        content_type = objects.get(seen.volume, "spec", "contentType", default="")
        found = classes.choose(seen.storage.classes, name, content_type)
    else:
        found = classes.choose_as_kubernetes(seen.storage.classes, name)
    if found is None:
        return False
    is_csi = found.get("provisioner") in seen.csi_drivers
    return is_csi or local.uses_populators(found, clone=operation.clones)


def _unresolved(seen: Seen, why: str) -> Blocked:
    phase = phase_of(seen) or phases.DataVolume.PENDING
    return Blocked(phase, reasons.CLONE_WITHOUT_SOURCE, f"{why}; the clone begins once it is known")


def _not_valid(message: str) -> Blocked:
    return Blocked(phases.DataVolume.UNSET, reasons.ERR_CLAIM_NOT_VALID, message)
