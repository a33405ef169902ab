"""
A DataVolume is created or changed: the validating rule.

Its spec may not change, except for the checkpoints of a multi-stage import. A spec that did not
change is not judged again: a rule that came later must not keep anybody from labelling, or from
letting go of, a DataVolume that was accepted earlier.
"""

from typing import Final

from cdi.api import names, view
from cdi.api.kinds.datavolume import DataVolume
from cdi.kube import objects
from cdi.web.admission import adoption, checkpoints, datavolumespec, decision, resources, sameness
from cdi.web.admission.decision import DUPLICATE, Cause, Decision
from cdi.web.admission.inquiry import Get, Seen
from cdi.web.admission.request import CREATE, UPDATE, AdmissionRequest, Object

RESOURCE: Final = resources.DATA_VOLUMES


def decide(request: AdmissionRequest, seen: Seen) -> Decision:
    """Judge one write. Looks up the claim of the same name, and perhaps the CDIConfig."""
    if request.resource != RESOURCE or request.version != "v1beta1":
        return decision.error(f"expect resource to be {RESOURCE} v1beta1")
    if request.operation not in (CREATE, UPDATE):
        return decision.allow()
    obj = request.object or {}
    try:
        volume = view.read(DataVolume, obj)
    except view.InvalidObject as error:
        return decision.error(str(error))
    if request.operation == UPDATE:
        old = objects.get(request.old, "spec", default={})
        new = objects.get(obj, "spec", default={})
        if sameness.same(old, new):
            return decision.allow()
        if not _only_stages_changed(volume, old, new):
            message = "Cannot update DataVolume Spec"
            return decision.reject([Cause(message, "DataVolume.Spec", DUPLICATE)])
    if causes := _name_short_enough(objects.name(obj)):
        return decision.reject(causes)
    warnings: tuple[str, ...] = ()
    if request.operation == CREATE:
        refused, warnings = _claim_of_that_name(request, obj, seen)
        if refused is not None:
            return refused
    if causes := datavolumespec.causes_of(volume.spec):
        return decision.reject(causes)
    ignored = checkpoints.warnings_for(volume.spec.source, volume.spec.checkpoints)
    return decision.allow(warnings=(*warnings, *ignored))


def _only_stages_changed(volume: DataVolume, old: Object, new: Object) -> bool:
    staged = checkpoints.is_multi_stage(volume.spec.source, volume.spec.checkpoints)
    return staged and sameness.same(
        checkpoints.without_stages(old), checkpoints.without_stages(new)
    )


def _name_short_enough(name: str) -> list[Cause]:
    if len(name) <= names.LONGEST_NAME:
        return []
    return [Cause(f"Name of data volume cannot be more than {names.LONGEST_NAME} characters", "")]


def _claim_of_that_name(
    request: AdmissionRequest, obj: Object, seen: Seen
) -> tuple[Decision | None, tuple[str, ...]]:
    """Return a refusal, if there is a claim that is not this DataVolume's to have; and warnings."""
    name, namespace = objects.name(obj), objects.namespace(obj) or request.namespace
    claim = seen.one(Get(resources.CLAIMS, name, namespace)) if name else None
    if claim is None or adoption.is_filled_for(claim, obj) or adoption.belongs_to_a_volume(claim):
        return None, ()
    config: Object | None = {}
    if adoption.says_so_itself(obj) is None:
        config = seen.one(resources.CONFIG)
    if config is None:
        return decision.error("CDIConfig config does not exist yet; try again"), ()
    if adoption.is_allowed(claim, obj, objects.get(config, "spec", "featureGates", default=())):
        warning = (
            f"this DataVolume takes over PVC {name}: when the DataVolume is deleted, "
            "the PVC and its data go too"
        )
        return None, (warning,)
    message = f"Destination PVC {namespace}/{name} already exists"
    return decision.reject([Cause(message, "DataVolume.Name", DUPLICATE)]), ()
