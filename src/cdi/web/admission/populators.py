"""A VolumeImportSource or VolumeUploadSource is created or changed."""

from typing import Final

from cdi.api import names, view
from cdi.api.kinds.populators import (
    VolumeImportSource,
    VolumeImportSourceSpec,
    VolumeUploadSource,
)
from cdi.kube import objects
from cdi.web.admission import checkpoints, decision, importsource, resources, sameness
from cdi.web.admission.decision import DUPLICATE, Cause, Decision
from cdi.web.admission.inquiry import Seen
from cdi.web.admission.request import CREATE, UPDATE, AdmissionRequest, Object

IMPORTS: Final = resources.IMPORT_SOURCES
UPLOADS: Final = resources.UPLOAD_SOURCES

_ROOT: Final = "spec"


def decide(request: AdmissionRequest, _seen: Seen) -> Decision:
    """Judge one write. Looks nothing up."""
    if request.resource not in (IMPORTS, UPLOADS):
        return decision.error(f"expect resource to be {IMPORTS} or {UPLOADS}")
    if request.operation not in (CREATE, UPDATE):
        return decision.allow()
    try:
        causes = _import(request) if request.resource == IMPORTS else _upload(request)
    except view.InvalidObject as error:
        return decision.error(str(error))
    return decision.reject(causes) if causes else decision.allow()


def _import(request: AdmissionRequest) -> list[Cause]:
    spec = view.read(VolumeImportSource, request.object or {}).spec
    staged = checkpoints.is_multi_stage(spec.source, spec.checkpoints)
    if request.operation == UPDATE:
        old, new = _specs(request)
        if sameness.same(old, new):
            return []
        old, new = checkpoints.without_stages(old), checkpoints.without_stages(new)
        if not staged or not sameness.same(old, new):
            return [Cause("Cannot update VolumeImportSource Spec", "Spec", DUPLICATE)]
    return (
        _name_short_enough(request)
        or importsource.content_type_known(spec.content_type, _ROOT)
        or importsource.one_member(spec.source, _ROOT)
        or (_stages(spec) if staged else [])
        or _member(spec)
    )


def _upload(request: AdmissionRequest) -> list[Cause]:
    spec = view.read(VolumeUploadSource, request.object or {}).spec
    if request.operation == UPDATE:
        if sameness.same(*_specs(request)):
            return []
        return [Cause("Cannot update VolumeUploadSource Spec", "Spec", DUPLICATE)]
    return _name_short_enough(request) or importsource.content_type_known(spec.content_type, _ROOT)


def _specs(request: AdmissionRequest) -> tuple[Object, Object]:
    old = objects.get(request.old, "spec", default={})
    return old, objects.get(request.object, "spec", default={})


def _name_short_enough(request: AdmissionRequest) -> list[Cause]:
    if len(objects.name(request.object or {})) <= names.LONGEST_LABEL:
        return []
    message = f"Name of {request.kind} cannot be more than {names.LONGEST_LABEL} characters"
    return [Cause(message, "")]


def _stages(spec: VolumeImportSourceSpec) -> list[Cause]:
    if not spec.target_claim:
        message = "Multi-stage import requires targetClaim: one claim is filled in stages"
        return [Cause(message, f"{_ROOT}.targetClaim")]
    return checkpoints.causes_of(spec.checkpoints, _ROOT)


def _member(spec: VolumeImportSourceSpec) -> list[Cause]:
    if spec.source is None:
        return []
    return importsource.causes_of(spec.source, spec.content_type, _ROOT)
