"""A DataImportCron is created or changed. Its spec can never change."""

from collections.abc import Callable
from typing import Final

from cdi.api import names, schedules, view
from cdi.api.kinds.dataimportcron import DataImportCron, DataImportCronSpec
from cdi.kube import objects
from cdi.web.admission import datavolumespec, decision, resources, sameness
from cdi.web.admission.decision import DUPLICATE, Cause, Decision
from cdi.web.admission.inquiry import Seen
from cdi.web.admission.request import CREATE, UPDATE, AdmissionRequest

RESOURCE: Final = resources.DATA_IMPORT_CRONS

_GARBAGE_COLLECT: Final = (None, "Never", "Outdated")


def decide(request: AdmissionRequest, _seen: Seen) -> Decision:
    """Judge one write. Looks nothing up."""
    if request.resource != RESOURCE:
        return decision.error(f"expect resource to be {RESOURCE}")
    if request.operation not in (CREATE, UPDATE):
        return decision.allow()
    try:
        cron = view.read(DataImportCron, request.object or {})
    except view.InvalidObject as error:
        return decision.error(str(error))
    if causes := _name_short_enough(objects.name(request.object or {})):
        return decision.reject(causes)
    if request.operation == UPDATE:
        return _unchanged(request)
    for rule in _RULES:
        if causes := rule(cron.spec):
            return decision.reject(causes)
    return decision.allow()


def _unchanged(request: AdmissionRequest) -> Decision:
    old = objects.get(request.old, "spec", default={})
    if sameness.same(old, objects.get(request.object, "spec", default={})):
        return decision.allow()
    message = "Cannot update DataImportCron Spec; delete it and create another one"
    return decision.reject([Cause(message, "DataImportCron.Spec", DUPLICATE)])


def _name_short_enough(name: str) -> list[Cause]:
    if len(name) <= names.LONGEST_LABEL:
        return []
    message = f"Name of DataImportCron cannot be more than {names.LONGEST_LABEL} characters"
    return [Cause(message, "")]


def _source(spec: DataImportCronSpec) -> list[Cause]:
    source = spec.template.spec.source
    if source is not None and any(
        each is not None for each in (source.registry, source.http, source.pvc)
    ):
        return []
    return [Cause("Missing template source, which is registry, http or pvc", "spec.Template")]


def _nothing_else(spec: DataImportCronSpec) -> list[Cause]:
    template = spec.template.spec
    given = {
        "sourceRef": template.source_ref,
        "contentType": template.content_type,
        "checkpoints": template.checkpoints,
        "finalCheckpoint": template.final_checkpoint,
    }
    present = ", ".join(name for name, value in given.items() if value)
    return [Cause(f"Template must not set {present}", "spec.Template")] if present else []


def _template(spec: DataImportCronSpec) -> list[Cause]:
    return datavolumespec.causes_of(spec.template.spec, root="Template")


def _schedule(spec: DataImportCronSpec) -> list[Cause]:
    if problem := schedules.problem_with(spec.schedule):
        return [Cause(f"Illegal cron schedule: {problem}", "spec.Schedule")]
    return []


def _imports_to_keep(spec: DataImportCronSpec) -> list[Cause]:
    if (spec.imports_to_keep or 0) >= 0:
        return []
    return [Cause("Illegal ImportsToKeep value: it is negative", "spec.ImportsToKeep")]


def _garbage_collect(spec: DataImportCronSpec) -> list[Cause]:
    if spec.garbage_collect in _GARBAGE_COLLECT:
        return []
    message = "Illegal GarbageCollect value: want Never or Outdated"
    return [Cause(message, "spec.GarbageCollect")]


def _managed_data_source(spec: DataImportCronSpec) -> list[Cause]:
    if not spec.managed_data_source:
        return [Cause("ManagedDataSource is empty", "spec.ManagedDataSource")]
    if len(spec.managed_data_source) > names.LONGEST_LABEL:
        message = f"ManagedDataSource cannot be more than {names.LONGEST_LABEL} characters"
        return [Cause(message, "")]
    return []


_RULES: Final[tuple[Callable[[DataImportCronSpec], list[Cause]], ...]] = (
    _source,
    _nothing_else,
    _template,
    _schedule,
    _imports_to_keep,
    _garbage_collect,
    _managed_data_source,
)
