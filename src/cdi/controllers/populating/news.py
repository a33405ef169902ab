"""What is told on a target once the import into its prime has come to an end."""

from collections.abc import Sequence

from cdi.api import annotations, phases, reasons
from cdi.controllers import plan
from cdi.controllers.populating.populator import pod_phase
from cdi.controllers.populating.seen import Seen
from cdi.kube import objects
from cdi.kube.objects import Object


def of_import(seen: Seen, prime: Object, *, filled: bool) -> Sequence[plan.Event]:
    """Events for an end that the target does not show yet."""
    target, name = seen.target, objects.name(seen.target)
    if pod_phase(prime) == pod_phase(target):
        return []
    if filled:
        message = f"import into PVC {name} succeeded"
        return [plan.normal(target, reasons.POPULATOR_IMPORT_SUCCEEDED, message)]
    if pod_phase(prime) == phases.Pod.FAILED:
        why = objects.annotations(prime).get(annotations.RUNNING_MESSAGE) or "the pod failed"
        message = f"import into PVC {name} failed: {why}"
        return [plan.warning(target, reasons.POPULATOR_IMPORT_FAILED, message)]
    return []
