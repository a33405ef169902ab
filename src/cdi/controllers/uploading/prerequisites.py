"""What an upload server's pod needs beside it: its certificates, its Service, its scratch claim."""

from __future__ import annotations

from cdi.api import names, phases, reasons
from cdi.controllers import plan
from cdi.controllers.uploading import certificates, pod
from cdi.controllers.uploading.seen import Seen
from cdi.controllers.working import claims, scratchclaim
from cdi.controllers.working.report import Report
from cdi.kube import objects
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import PERSISTENT_VOLUME_CLAIMS, PODS, SECRETS, SERVICES

# Controllers may make Secrets of users' namespaces, and not read them: a Secret of the last pod
# that still has the name is only noticed by making another one again. Seconds.
LOOK_AGAIN = 2.0


class ServiceIsForeign(plan.NotYet):
    """A Service of the upload server's name belongs to somebody else."""


def prerequisites(seen: Seen, found: Object, report: Report) -> plan.Plan:
    """All of it, as long as the pod has not started; the Service as long as there is a pod."""
    wanted = service(seen)
    if has_started(found):
        return wanted.then(claims.change(seen.claim, scratchclaim.created(seen.claim)))
    wanted = wanted.then(secret(seen, found)).then(plan.Plan(again_in=LOOK_AGAIN))
    return wanted.then(_scratch(seen, found)) if report.has_scratch else wanted


def has_started(found: Object) -> bool:
    return objects.get(found, "status", "phase") not in (None, "", phases.Pod.PENDING)


def service(seen: Seen) -> plan.Plan:
    """The Service: made if it is missing, never changed."""
    if seen.service is None:
        wanted = pod.service_for(seen.claim, seen.context)
        return plan.Plan((plan.Create(SERVICES, wanted),))
    if pod.is_of(seen.service, seen.claim):
        return plan.NOTHING
    name, claim = objects.name(seen.service), objects.name(seen.claim)
    message = f"Service {name} is in the way of the upload into PVC {claim}; delete it"
    return plan.Plan(failure=ServiceIsForeign(message))


def secret(seen: Seen, found: Object) -> plan.Plan:
    """The Secret of a pod; one of its name that is there already stays as it is."""
    try:
        wanted = certificates.secret_for(found, seen.claim, seen.issuer, seen.now)
    except certificates.CannotIssue as error:
        return plan.Plan(failure=error)
    return plan.Plan((plan.Create(SECRETS, wanted),))


def _scratch(seen: Seen, found: Object) -> plan.Plan:
    if scratchclaim.is_left_over(seen.scratch, owner=found):
        # The claim cannot go while the pod uses it, and the pod cannot start with it.
        return plan.Plan((plan.Remove(PODS, found),), again_in=LOOK_AGAIN)
    if seen.scratch is None:
        wanted = scratchclaim.scratch_claim_for(
            seen.claim, found, seen.context.config, seen.classes, seen.context.settings
        )
        create = plan.Create(
            PERSISTENT_VOLUME_CLAIMS, wanted, refused=lambda error: _scratch_refused(seen, error)
        )
        waits = scratchclaim.creating(wanted, seen.classes)
        return plan.Plan((create,)).then(claims.change(seen.claim, waits))
    if objects.get(seen.scratch, "status", "phase") == phases.Claim.BOUND:
        return claims.change(seen.claim, scratchclaim.created(seen.claim))
    return claims.change(seen.claim, scratchclaim.creating(seen.scratch, seen.classes))


def _scratch_refused(seen: Seen, error: ApiError) -> plan.Plan:
    if reasons.EXCEEDED_QUOTA_TEXT not in error.message:
        return plan.NOTHING
    name = names.scratch_for(objects.name(seen.claim))
    message = f"scratch PVC {name} cannot be created: {error.message}"
    return plan.Plan(events=(plan.warning(seen.claim, reasons.ERR_EXCEEDED_QUOTA, message),))
