"""Pods that another version of CDI, or another operator's, has made: heard, or replaced."""

import json
from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.controllers import plan
from cdi.controllers.clonesource import CLAIM, CloneSource
from cdi.controllers.cloning import copypod, sending
from cdi.controllers.importing import decide as importing
from cdi.controllers.importing.pod import CONTAINER as IMPORTER
from cdi.controllers.importing.pod import PodContext, pod_for
from cdi.controllers.importing.seen import Seen as Importing
from cdi.controllers.origins.origin import Origin
from cdi.controllers.uploading import decide as uploading
from cdi.controllers.uploading import pod as server
from cdi.controllers.uploading.certificates import Issuer
from cdi.controllers.uploading.seen import Seen as Uploading
from cdi.controllers.working.context import Context
from cdi.controllers.working.report import is_left_behind
from cdi.kube.objects import Object
from cdi.storage.lifetimes import DEFAULT
from support import world
from support.world import state

THEIRS = "registry.example/cdi-of-others:v1.66.0"
OURS = world.SETTINGS.worker_image
GATE = ("HonorWaitForFirstConsumer",)
WORLD = world.with_certificates(world.World())
ISSUER = Issuer(
    "cdi",
    next(iter(WORLD.secrets.values())),
    WORLD.get_one("config_maps", "cdi-uploadserver-client-signer-bundle", "cdi"),
    DEFAULT,
)
MISSING = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")


def claim(**given: str) -> Object:
    meta: Object = {"name": "disk", "namespace": "ns", "uid": "c", "annotations": given}
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta,
        "spec": world.pvc_spec(), "status": {"phase": "Bound"},
    }  # fmt: skip


def of_others(found: Object, container: str, status: Object) -> Object:
    """A pod as another program's controllers make it: of its image, without a command."""
    found["metadata"]["uid"] = "p"
    for each in found["spec"]["containers"]:
        if each["name"] == container:
            each["image"] = THEIRS
            each.pop("command", None)
    found["status"] = status
    return found


def without_image(reason: str, name: str) -> Object:
    waiting = {"reason": reason, "message": "x"}
    return state("Pending", waiting=waiting) | {
        "containerStatuses": [{"name": name, "restartCount": 0, "state": {"waiting": waiting}}]
    }


def steps(of: plan.Plan, kind: type) -> list[Any]:
    return [each for each in of.steps if isinstance(each, kind)]


IMPORT = claim(
    **{
        known.SOURCE: "http",
        known.ENDPOINT: "http://images.example/x",
        known.IMPORT_POD: "importer-disk",
    }
)


def importer(status: Object) -> plan.Plan:
    found = of_others(
        pod_for(IMPORT, PodContext(world.SETTINGS), with_scratch=False), IMPORTER, status
    )
    context = PodContext(world.SETTINGS)
    return importing.decide(
        Importing(claim=IMPORT, context=context, now=world.START, gates=GATE, pod=found)
    )


def phase_after(of: plan.Plan) -> Any:
    changes = steps(of, plan.Change)
    return changes[-1].wanted["metadata"]["annotations"].get(known.POD_PHASE) if changes else None


@pytest.mark.parametrize("reason", MISSING)
def test_an_importer_whose_image_is_gone_makes_way(reason: str) -> None:
    assert len(steps(importer(without_image(reason, IMPORTER)), plan.Remove)) == 1


def test_an_importer_of_our_own_image_waits_for_it() -> None:
    found = pod_for(IMPORT, PodContext(world.SETTINGS), with_scratch=False)
    found["status"] = without_image("ImagePullBackOff", IMPORTER)
    assert not is_left_behind(found, IMPORTER, OURS)


def test_an_importer_of_others_that_runs_is_left_to_it() -> None:
    planned = importer(state("Running", running={}))
    assert not steps(planned, plan.Remove)
    assert phase_after(planned) == "Running"


@pytest.mark.parametrize(
    "message",
    [
        json.dumps({"scratchSpaceRequired": False, "message": "Import Complete"}),
        "Import Complete; Preallocation applied",
    ],
)
def test_what_an_importer_of_others_has_filled_is_filled(message: str) -> None:
    ended = {"exitCode": 0, "reason": "Completed", "message": message}
    planned = importer(state("Succeeded", terminated=ended))
    assert phase_after(planned) == "Succeeded"
    assert len(steps(planned, plan.Remove)) == 1


def test_an_importer_of_others_that_asks_for_scratch_space_is_followed_by_ours_with_it() -> None:
    message = json.dumps({"scratchSpaceRequired": True, "message": "Import Complete"})
    ended = {"exitCode": 0, "reason": "Completed", "message": message}
    planned = importer(state("Succeeded", terminated=ended))
    after = steps(planned, plan.Change)[-1].wanted["metadata"]["annotations"]
    assert after[known.REQUIRES_SCRATCH] == "true"
    assert after.get(known.POD_PHASE) != "Succeeded"


def test_an_importer_of_others_that_fails_is_started_again() -> None:
    ended = {"exitCode": 1, "reason": "Error", "message": "Unable to process data: EOF"}
    again = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}
    status = state("Running", 1, waiting=again, last={"terminated": ended})
    planned = importer(status)
    assert not steps(planned, plan.Remove)


def upload(status: Object) -> plan.Plan:
    context, asked = Context(world.SETTINGS), claim(**{known.UPLOAD_TARGET: ""})
    found = server.pod_for(asked, context, world.START, with_scratch=False)
    return uploading.decide(
        Uploading(
            claim=asked,
            context=context,
            issuer=ISSUER,
            now=world.START,
            gates=GATE,
            pod=of_others(found, server.CONTAINER, status),
        )
    )


def test_an_upload_server_whose_image_is_gone_makes_way() -> None:
    planned = upload(without_image("ImagePullBackOff", server.CONTAINER))
    assert len(steps(planned, plan.Remove)) == 1


def test_an_upload_server_of_others_that_runs_is_left_to_it() -> None:
    status = world.served("Running", ready=True)
    assert not steps(upload(status), plan.Remove)


def source(status: Object) -> plan.Plan:
    asked = claim(**{known.CLONE_REQUEST: "golden/src", known.POD_READY: "true"})
    asked["metadata"]["finalizers"] = ["cdi.kubevirt.io/cloneSource"]
    found = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "c-source-pod", "namespace": "golden"},
        "spec": {"containers": [{"name": copypod.CONTAINER, "image": OURS}]},
    }
    origin = Origin(CloneSource(CLAIM, "golden", "src"), claim())
    return sending.decide(
        sending.Seen(
            claim=asked,
            origin=origin,
            context=Context(world.SETTINGS),
            issuer=None,
            now=world.START,
            pod=of_others(found, copypod.CONTAINER, status),
        )
    )


def test_a_clone_source_whose_image_is_gone_makes_way() -> None:
    planned = source(without_image("ErrImagePull", copypod.CONTAINER))
    assert len(steps(planned, plan.Remove)) == 1


def test_a_clone_source_of_others_that_sends_is_left_to_it() -> None:
    assert not steps(source(state("Running", running={})), plan.Remove)
