"""
A CDI is deleted: refused while DataVolumes exist, if the CDI says so.

Whichever version the CDI is deleted through: the server has to ask for all of them.
"""

from typing import Final

from cdi.api import labels, phases
from cdi.kube import objects
from cdi.web.admission import decision, resources
from cdi.web.admission.decision import Decision
from cdi.web.admission.inquiry import Get, List, Seen
from cdi.web.admission.request import DELETE, AdmissionRequest

RESOURCE: Final = resources.INSTALLATIONS
BLOCKING: Final = "BlockUninstallIfWorkloadsExist"

# Those of a DataImportCron do not count: they are made again. Two are enough to know.
VOLUMES: Final = List(resources.DATA_VOLUMES, selector=f"!{labels.DATA_IMPORT_CRON}", limit=2)

# Nothing was installed yet, or nothing that works.
_FREE_TO_GO: Final = (phases.Deployment.EMPTY.value, phases.Deployment.ERROR.value)


def decide(request: AdmissionRequest, seen: Seen) -> Decision:
    """Judge one deletion. Looks up the CDI if the request has none, and two DataVolumes."""
    if request.resource != RESOURCE:
        return decision.error(f"expect resource to be {RESOURCE}")
    if request.operation != DELETE:
        return decision.allow()
    installation = request.old
    if installation is None and request.name:
        installation = seen.one(Get(RESOURCE, request.name))
    if installation is None:
        return decision.error(f'{RESOURCE} "{request.name}" not found')
    if objects.get(installation, "status", "phase", default="") in _FREE_TO_GO:
        return decision.allow()
    if objects.get(installation, "spec", "uninstallStrategy") != BLOCKING:
        return decision.allow()
    found = len(seen.every(VOLUMES))
    if not found:
        return decision.allow()
    return decision.error(
        f"cannot delete CDI {objects.name(installation)}: there are still {found} DataVolumes "
        "present; delete all DataVolumes first, or set spec.uninstallStrategy to RemoveWorkloads"
    )
