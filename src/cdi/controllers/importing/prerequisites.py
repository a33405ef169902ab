"""What an importer pod needs beside it: its scratch claim, and the certificates of a proxy."""

from __future__ import annotations

from cdi.api import names, phases, reasons
from cdi.controllers import plan
from cdi.controllers.importing import pod
from cdi.controllers.importing.claimupdate import change
from cdi.controllers.importing.seen import Seen
from cdi.controllers.working import scratchclaim
from cdi.controllers.working.report import report_of
from cdi.kube import objects, owners
from cdi.kube.errors import ApiError
from cdi.kube.objects import Object
from cdi.kube.resource import CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, PODS

LOOK_AGAIN = 2.0  # seconds; for what no watch tells


def prerequisites(seen: Seen, found: Object) -> plan.Plan:
    """What a pod that has not ended needs beside it: its scratch claim, the proxy's CA."""
    return _scratch(seen, found).then(_proxy_ca(seen, found)).then(_looked_for(seen, found))


def missing(seen: Seen, found: Object) -> str:
    """Say what a pod that has not started lacks, in its users' words; empty if nothing is known."""
    if objects.get(found, "status", "phase") not in (None, "", phases.Pod.PENDING):
        return ""
    lacks = [f"{each} in namespace {objects.namespace(seen.claim)}" for each in seen.missing]
    if seen.context.proxy_ca and seen.proxy_ca is None:
        name = objects.get(seen.context.config, "status", "importProxy", "trustedCAProxy")
        namespace = seen.context.settings.namespace
        lacks.append(f"ConfigMap {name} in namespace {namespace} (importProxy.trustedCAProxy)")
    if not lacks:
        return ""
    exist = "does not exist" if len(lacks) == 1 else "do not exist"
    return f"the importer waits for {' and '.join(lacks)}, which {exist}; create what is missing"


def _looked_for(seen: Seen, found: Object) -> plan.Plan:
    """Secrets and ConfigMaps of users are not watched."""
    return plan.Plan(again_in=LOOK_AGAIN) if missing(seen, found) else plan.NOTHING


def _scratch(seen: Seen, found: Object) -> plan.Plan:
    waits = objects.get(found, "status", "phase") in (None, "", phases.Pod.PENDING)
    if not (waits and report_of(found, pod.CONTAINER).has_scratch):
        return change(seen, scratchclaim.created(seen.claim))
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
        return plan.Plan((create,)).then(change(seen, scratchclaim.creating(wanted, seen.classes)))
    if objects.get(seen.scratch, "status", "phase") == phases.Claim.BOUND:
        return change(seen, scratchclaim.created(seen.claim))
    return change(seen, scratchclaim.creating(seen.scratch, seen.classes))


def _scratch_refused(seen: Seen, error: ApiError) -> plan.Plan:
    if reasons.EXCEEDED_QUOTA_TEXT not in error.message:
        return plan.NOTHING
    name = names.scratch_for(objects.name(seen.claim))
    message = f"scratch PVC {name} cannot be created: {error.message}"
    return plan.Plan(events=(plan.warning(seen.claim, reasons.ERR_EXCEEDED_QUOTA, message),))


def _proxy_ca(seen: Seen, found: Object) -> plan.Plan:
    if not seen.context.proxy_ca or seen.proxy_ca is None:
        return plan.NOTHING
    data = seen.proxy_ca.get("data") or {}
    if seen.proxy_ca_copy is not None:
        wanted = {**seen.proxy_ca_copy, "data": data}
        return plan.Plan((plan.Change(CONFIG_MAPS, seen.proxy_ca_copy, wanted),))
    copied = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names.proxy_certificates_for(objects.name(seen.claim)),
            "namespace": objects.namespace(seen.claim),
            "ownerReferences": [owners.owner_reference(found)],
        },
        "data": data,
    }
    return plan.Plan((plan.Create(CONFIG_MAPS, copied),))
