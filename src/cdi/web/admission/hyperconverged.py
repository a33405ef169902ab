"""
A HyperConverged is created or changed: its templates of boot images are completed, and judged.

Elsewhere: what completes them, and what makes no sense (`api.bootimages`).
"""

from typing import Final

from cdi.api import bootimages
from cdi.web.admission import decision, resources
from cdi.web.admission.decision import Cause, Decision
from cdi.web.admission.inquiry import Seen
from cdi.web.admission.request import CREATE, UPDATE, AdmissionRequest

RESOURCE: Final = resources.HYPERCONVERGEDS


def complete(request: AdmissionRequest, _seen: Seen) -> Decision:
    """Fill in what is usual. Looks nothing up."""
    if request.resource != RESOURCE:
        return decision.error(f"expect resource to be {RESOURCE}")
    if request.operation not in (CREATE, UPDATE) or request.object is None:
        return decision.allow()
    return decision.allow_as(bootimages.completed(request.object), request.object)


def decide(request: AdmissionRequest, _seen: Seen) -> Decision:
    """Judge one write. Looks nothing up."""
    if request.resource != RESOURCE:
        return decision.error(f"expect resource to be {RESOURCE}")
    if request.operation not in (CREATE, UPDATE) or request.object is None:
        return decision.allow()
    if found := bootimages.problems(request.object):
        return decision.reject([Cause(message, field) for message, field in found])
    return decision.allow(warnings=bootimages.warnings(request.object))
