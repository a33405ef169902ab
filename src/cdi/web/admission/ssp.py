"""An SSP is created or changed: there is one in a cluster, and its templates have names."""

from typing import Final

from cdi.kube import objects
from cdi.web.admission import decision, resources
from cdi.web.admission.decision import Cause, Decision
from cdi.web.admission.inquiry import List, Seen
from cdi.web.admission.request import CREATE, UPDATE, AdmissionRequest

RESOURCE: Final = resources.SSPS
_ANY: Final = List(RESOURCE, limit=1)


def decide(request: AdmissionRequest, seen: Seen) -> Decision:
    """Judge one write. Looks up whether there is an SSP when one is created."""
    if request.resource != RESOURCE:
        return decision.error(f"expect resource to be {RESOURCE}")
    if request.operation not in (CREATE, UPDATE) or request.object is None:
        return decision.allow()
    if causes := _nameless(request):
        return decision.reject(causes)
    if request.operation == CREATE and (found := seen.every(_ANY)):
        there = objects.key(found[0])
        return decision.error(
            f"creation failed, an SSP CR already exists in namespace {there.namespace}: "
            f"{there.name}; change or delete that one"
        )
    return decision.allow()


def _nameless(request: AdmissionRequest) -> list[Cause]:
    path = ("spec", "commonTemplates", "dataImportCronTemplates")
    given = objects.get(request.object, *path, default=[])
    return [
        Cause(f"missing name in DataImportCronTemplate {number}", f"{'.'.join(path)}[{number}]")
        for number, each in enumerate(given)
        if not objects.name(each)
    ]
