"""The pod that has both claims of a clone and copies one into the other."""

from collections.abc import Mapping
from typing import Final

from cdi.api import annotations, labels, names, phases, reasons, roles
from cdi.api.workersettings import (
    CLONE_SOURCE_DEVICE,
    CLONE_SOURCE_DIR,
    METRICS_PORT,
    METRICS_PORT_NAME,
)
from cdi.api.workorder import CopyOrder
from cdi.controllers import metadata
from cdi.controllers.cloning.seen import Seen
from cdi.controllers.cloning.temporaries import marks
from cdi.controllers.working import disksize, mounts, pods, podspec
from cdi.controllers.working.context import Context
from cdi.controllers.working.mounts import Mount
from cdi.controllers.working.report import Report
from cdi.kube import objects
from cdi.kube.objects import Object

CONTAINER: Final = "cdi-clone-source"
_SOURCE: Final = "cdi-source-vol"
_COMMAND: Final = roles.command_of(roles.COPIER)


def copy_pod_for(seen: Seen, source: Object, claim: Object) -> Object:
    """The pod that fills a temporary claim."""
    owner_uid = objects.uid(seen.target)
    return pod_for(source, claim, seen.context, owner_uid=owner_uid, marks=marks(seen))


def pod_for(
    source: Object,
    claim: Object,
    context: Context,
    *,
    owner_uid: str,
    marks: Mapping[str, str],
) -> Object:
    """The pod that fills a claim. It is marked as a clone source, under a name of its own.

    Progress is published under `owner_uid`; `marks` are labels that it has besides.
    """
    name = names.copy_pod_for(objects.uid(claim))
    order = CopyOrder(
        owner_uid=owner_uid,
        claim_uid=objects.uid(claim),
        preallocation=metadata.is_true(claim, annotations.PREALLOCATION_REQUESTED),
    )
    metrics = {"name": METRICS_PORT_NAME, "containerPort": METRICS_PORT, "protocol": "TCP"}
    mounted = [mounts.data(claim), _of_source(source)]
    if mounts.is_block(claim):
        mounted.append(mounts.state())
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": objects.namespace(claim),
            "labels": {
                labels.APP: labels.APP_VALUE,
                **marks,
                labels.COMPONENT: labels.CLONE_SOURCE,
                labels.CLONE_UNIQUE_ID: name,
                labels.HOST_ASSISTED_SOURCE: objects.uid(source),
                labels.PROMETHEUS: annotations.TRUE,
            },
            "annotations": {
                annotations.CREATED_BY_CONTROLLER: "yes",
                annotations.OWNER_REF: str(objects.key(claim)),
                **metadata.passed_on(objects.annotations(claim)),
            },
        },
        "spec": podspec.spec_for(
            CONTAINER,
            _COMMAND,
            mounted,
            context,
            about=claim,
            node=podspec.node_of(claim),
            env=order.to_pod_env() + pods.worker_settings(context.settings),
            ports=[metrics],
        ),
    }


def finished(said: Report, claim: Object) -> dict[str, str | None]:
    """What the claim says once the pod has said that it is done."""
    ended = said.now_ended
    applied = ended is not None and ended.termination.preallocation_applied
    return {
        annotations.POD_PHASE: phases.Pod.SUCCEEDED.value,
        annotations.CLONE_OF: annotations.TRUE,
        annotations.RUNNING: annotations.FALSE,
        annotations.RUNNING_MESSAGE: reasons.CLONE_COMPLETE_MESSAGE,
        annotations.RUNNING_REASON: reasons.COMPLETED,
        **({annotations.PREALLOCATION: annotations.TRUE} if applied else {}),
        **disksize.noted(claim, ended.termination if ended is not None else None),
    }


def _of_source(source: Object) -> Mount:
    """The source; a pod can be kept from writing to a directory, but not to a device."""
    found = mounts.of_claim(objects.name(source))
    if mounts.is_block(source):
        return Mount(_SOURCE, found, CLONE_SOURCE_DEVICE, device=True)
    return Mount(_SOURCE, found, CLONE_SOURCE_DIR, read_only=True)
