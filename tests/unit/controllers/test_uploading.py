"""What the upload controller decides about one claim."""

import json
from datetime import timedelta
from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.controllers import plan
from cdi.controllers.uploading import pod
from cdi.controllers.uploading.certificates import Issuer
from cdi.controllers.uploading.decide import decide
from cdi.controllers.uploading.seen import Seen
from cdi.controllers.working.context import Context
from cdi.kube import errors, owners
from cdi.kube.objects import Object
from cdi.kube.resource import PODS
from cdi.storage.lifetimes import DEFAULT
from support import world
from support.world import ended, served

CONTEXT = Context(world.SETTINGS)
WORLD = world.with_certificates(world.World())
ISSUER = Issuer(
    "cdi",
    next(iter(WORLD.secrets.values())),
    WORLD.get_one("config_maps", "cdi-uploadserver-client-signer-bundle", "cdi"),
    DEFAULT,
)
GATE = ("HonorWaitForFirstConsumer",)
UPLOAD = {known.UPLOAD_TARGET: ""}
CLONE = {known.CLONE_REQUEST: "there/source"}
QUOTA = errors.from_status({"code": 403, "reason": "Forbidden", "message": "x exceeded quota: q"})


def claim(phase: str = "Bound", asked: Object | None = None, **given: str) -> Object:
    wanted = {**(UPLOAD if asked is None else asked), **given}
    meta: Object = {"name": "disk", "namespace": "ns", "uid": "c", "annotations": wanted}
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta,
        "spec": world.pvc_spec(), "status": {"phase": phase},
    }  # fmt: skip


def server(status: Object, of: Object | None = None, *, scratch: bool = False) -> Object:
    found = pod.pod_for(of or claim(), CONTEXT, world.START, with_scratch=scratch)
    found["metadata"]["uid"] = "p"
    found["status"] = status
    return found


def service(of: Object | None = None) -> Object:
    return pod.service_for(of or claim(), CONTEXT)


def seen(of: Object | None = None, **fields: Any) -> Seen:
    usual = {"context": CONTEXT, "issuer": ISSUER, "now": world.START, "gates": GATE}
    return Seen(claim=of or claim(), **{**usual, **fields})


def changes(of: plan.Plan, before: Object | None = None) -> dict[str, str | None]:
    """Annotations after all changes of the claim, without those that were there before."""
    old: dict[str, str | None] = dict((before or claim())["metadata"]["annotations"])
    now = dict(old)
    for step in of.steps:
        if isinstance(step, plan.Change):
            new, was = (x["metadata"]["annotations"] for x in (step.wanted, step.seen))
            now |= {key: value for key, value in new.items() if was.get(key) != value}
            now |= dict.fromkeys(was.keys() - new.keys())
    return {key: value for key, value in now.items() if old.get(key) != value}


def made(of: plan.Plan) -> list[str]:
    return [step.object["kind"] for step in of.steps if isinstance(step, plan.Create)]


def removed(of: plan.Plan) -> list[str]:
    return [step.seen["kind"] for step in of.steps if isinstance(step, plan.Remove)]


def told(of: plan.Plan) -> list[str]:
    return [event.reason for event in of.events]


# Whether there is a server.


@pytest.mark.parametrize(
    ("of", "gates", "wanted"),
    [
        pytest.param(claim(), GATE, ["Pod", "Service"], id="bound"),
        pytest.param(claim("Pending"), GATE, [], id="waits-for-its-volume"),
        pytest.param(claim("Pending"), (), ["Pod", "Service"], id="nobody-waits-for-consumers"),
        pytest.param(
            claim("Pending", **{known.BIND_IMMEDIATE: ""}), GATE, ["Pod", "Service"], id="at-once"
        ),
        pytest.param(claim(**{known.POD_PHASE: "Succeeded"}), GATE, [], id="over"),
        pytest.param(claim(asked={"x": "y"}), GATE, [], id="not-asked-for"),
    ],
)
def test_a_claim_gets_its_server_when_there_is_something_to_fill(
    of: Object, gates: tuple[str, ...], wanted: list[str]
) -> None:
    assert made(decide(seen(of, gates=gates))) == wanted


def test_the_claim_is_as_it_was_seen_before_a_server_may_write_it() -> None:
    first = decide(seen()).steps[0]
    assert isinstance(first, plan.Confirm)
    assert first.unchanged


def test_the_pod_gets_its_certificates_as_soon_as_it_has_a_uid() -> None:
    create = next(step for step in decide(seen()).steps if isinstance(step, plan.Create))
    assert create.made is not None
    follows = create.made(server({}))
    (secret,) = [step.object for step in follows.steps if isinstance(step, plan.Create)]
    assert secret["kind"] == "Secret"
    assert secret["metadata"]["name"] == "cdi-upload-disk"
    assert owners.controller_of(secret)["uid"] == "p"  # type: ignore[index]
    assert set(secret["data"]) == {"tls.key", "tls.crt", "ca.crt"}


def test_a_claim_that_cannot_be_both_says_so() -> None:
    found = decide(seen(claim(asked={**UPLOAD, **CLONE})))
    assert made(found) == []
    assert found.failure is not None
    assert "remove one" in str(changes(found)[known.RUNNING_MESSAGE])


def test_another_pod_that_uses_the_claim_is_named_and_waited_for() -> None:
    user = {"kind": "Pod", "metadata": {"name": "vm"}}
    found = decide(seen(users=[user]))
    assert made(found) == []
    assert found.failure is not None
    assert told(found) == ["UploadTargetInUse"]
    assert "pod vm uses PVC disk" in str(changes(found)[known.RUNNING_MESSAGE])
    again = decide(seen(claim(**{k: str(v) for k, v in changes(found).items()}), users=[user]))
    assert told(again) == []


def test_it_goes_on_once_nobody_uses_the_claim() -> None:
    waits = claim(**{known.RUNNING: "false", known.RUNNING_REASON: "UploadTargetInUse",
                     known.RUNNING_MESSAGE: "m"})  # fmt: skip
    found = decide(seen(waits))
    assert made(found) == ["Pod", "Service"]
    assert changes(found, waits)[known.RUNNING_REASON] is None


def test_events_about_a_temporary_claim_are_told_where_people_look() -> None:
    other = claim()
    other["metadata"]["name"] = "target"
    found = decide(seen(users=[{"metadata": {"name": "vm"}}], told_on=other))
    assert [event.about for event in found.events] == [other]


@pytest.mark.parametrize(
    ("issuer", "lacks"),
    [
        pytest.param(Issuer("cdi", None, ISSUER.clients, DEFAULT), "Secret cdi-uploadserver-signer",
                     id="signer"),
        pytest.param(Issuer("cdi", ISSUER.signer, None, DEFAULT),
                     "ConfigMap cdi-uploadserver-client-signer-bundle", id="clients"),
        pytest.param(Issuer("cdi", {"data": {}}, ISSUER.clients, DEFAULT), "Secret", id="empty"),
    ],
)  # fmt: skip
def test_an_installation_without_certificates_is_told_what_it_lacks(
    issuer: Issuer, lacks: str
) -> None:
    found = decide(seen(issuer=issuer))
    assert made(found) == []
    assert found.failure is not None
    assert told(found) == ["ErrResourceDoesntExist"]
    message = str(changes(found)[known.RUNNING_MESSAGE])
    assert lacks in message
    assert "namespace cdi" in message


def test_a_quota_that_forbids_the_pod_is_explained_and_tried_again() -> None:
    create = next(step for step in decide(seen()).steps if isinstance(step, plan.Create))
    assert create.refused is not None
    found = create.refused(QUOTA)
    assert told(found) == ["ErrExceededQuota"]
    said = changes(found)
    assert said[known.POD_PHASE] == "Failed"
    assert "Error starting pod 'cdi-upload-disk'" in str(said[known.RUNNING_MESSAGE])


# What a pod says.

WORD = json.dumps({"message": "not a disk", "reason": "InvalidFormat"})
BROKEN = ended(WORD, 1)
BACK = {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container=x"}
LONG = {"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed container=x"}
LIVED = {"startedAt": "2029-12-31T23:59:00Z"}
WISH = json.dumps({"scratchSpaceRequired": True, "reason": "ScratchSpaceRequired"})
SCRATCH = served("Running", terminated=ended(WISH, 1))
BACK_WITHOUT = served("Running", 1, ready=True, running={}, last=ended(WISH, 1))
DEADLINE = served(
    "Succeeded", terminated=ended(json.dumps({"deadlinePassed": True, "message": "x"}))
)


@pytest.mark.parametrize(
    ("status", "phase", "ready", "running"),
    [
        pytest.param({"phase": "Pending"}, "Pending", "false", None, id="new"),
        pytest.param(world.TAKES_A_DISK[0], "Pending", "false", "false", id="creating"),
        pytest.param(world.UP, "Running", "false", "true", id="not-ready"),
        pytest.param(world.READY, "Running", "true", "true", id="ready"),
        pytest.param(served("Running", terminated=BROKEN), "Running", "false", "false",
                     id="a-broken-disk"),
        pytest.param(served("Running", 1, waiting=BACK, last=BROKEN), "Running", "false", "false",
                     id="started-again-soon"),
    ],
)  # fmt: skip
def test_the_claim_says_what_the_pod_says(
    status: Object, phase: str, ready: str, running: str | None
) -> None:
    found = decide(seen(pod=server(status), service=service()))
    said = changes(found)
    assert (said.get(known.POD_PHASE), said[known.POD_READY]) == (phase, ready)
    assert said.get(known.RUNNING) == running
    assert said[known.UPLOAD_POD] == "cdi-upload-disk"
    assert removed(found) == []


def test_certificates_are_seen_to_until_the_pod_has_started() -> None:
    found = decide(seen(pod=server({"phase": "Pending"}), service=service()))
    assert made(found) == ["Secret"]
    assert found.again_in is not None
    assert made(decide(seen(pod=server(world.READY), service=service()))) == []


def test_a_service_that_is_gone_is_made_again() -> None:
    assert made(decide(seen(pod=server(world.READY)))) == ["Service"]


def test_a_service_of_somebody_else_is_in_the_way() -> None:
    other = {"metadata": {"name": "cdi-upload-disk"}}
    assert decide(seen(pod=server(world.READY), service=other)).failure is not None


def test_a_failed_upload_is_told_once_and_stands_there_while_the_server_is_back() -> None:
    stopped = decide(seen(pod=server(served("Running", terminated=BROKEN)), service=service()))
    assert told(stopped) == ["UploadFailed"]
    said = claim(**{key: str(value) for key, value in changes(stopped).items()})
    back = server(served("Running", 1, ready=True, running={}, last=BROKEN))
    again = decide(seen(said, pod=back, service=service()))
    assert told(again) == []
    now = changes(again, said)
    assert now[known.RUNNING] == "true"
    assert now[known.POD_RESTARTS] == "1"
    assert now[known.RUNNING_MESSAGE] == (
        "the last upload failed: not a disk; reason=InvalidFormat"
    )


def test_a_server_that_is_killed_has_not_failed() -> None:
    killed = served("Running", 1, ready=True, running={}, last=ended("", 137))
    found = decide(seen(pod=server(killed), service=service()))
    assert told(found) == []
    assert changes(found)[known.RUNNING_MESSAGE] == ""


@pytest.mark.parametrize(
    ("status", "scratch", "after"),
    [
        pytest.param(SCRATCH, False, {known.REQUIRES_SCRATCH: "true"}, id="asks-for-scratch"),
        pytest.param(BACK_WITHOUT, False, {known.REQUIRES_SCRATCH: "true"},
                     id="asked-for-scratch-and-is-back"),
        pytest.param(served("Succeeded", terminated=ended(WISH)), False,
                     {known.REQUIRES_SCRATCH: "true"}, id="asks-for-scratch-as-before"),
        pytest.param(DEADLINE, False, {known.POD_PHASE: ""}, id="its-time-is-over"),
        pytest.param(served("Running", 2, waiting=BACK, last=ended("", 137) | LIVED), False, {},
                     id="had-come-up"),
        pytest.param(served("Running", 3, waiting=LONG, last=ended("x", 1)), False, {},
                     id="paused-for-long"),
        pytest.param({"phase": "Failed", "reason": "Evicted"}, False, {}, id="evicted"),
        pytest.param(served("Succeeded", terminated=ended("")), False, {}, id="without-a-word"),
        pytest.param(served("Succeeded", terminated=ended(WISH)), True, {}, id="asks-in-vain"),
    ],
)  # fmt: skip
def test_a_pod_makes_way_for_another_one(
    status: Object, scratch: bool, after: dict[str, str]
) -> None:
    late = world.START + timedelta(seconds=11)
    before = claim(**{known.POD_READY: "true", known.POD_PHASE: "Running"})
    found = decide(seen(before, pod=server(status, scratch=scratch), service=service(),
                        now=late if status["phase"] != "Running" else world.START))  # fmt: skip
    assert removed(found) == ["Pod"]
    said = changes(found, before)
    assert said[known.POD_READY] == "false"
    assert after.items() <= said.items()


def test_a_server_that_is_through_is_not_waited_for_as_one_that_works() -> None:
    before = claim(**{known.POD_READY: "true", known.POD_PHASE: "Running"})
    found = decide(seen(before, pod=server(SCRATCH), service=service()))
    (removal,) = [each for each in found.steps if isinstance(each, plan.Remove)]
    assert (removal.resource, removal.grace) == (PODS, 1)


def test_an_evicted_pod_is_replaced_after_a_pause() -> None:
    lost = {"phase": "Failed", "reason": "Evicted", "startTime": "2030-01-01T00:00:00Z"}
    found = decide(seen(pod=server(lost), service=service()))
    assert removed(found) == []
    assert found.again_in == 10
    assert "next attempt at" in str(changes(found)[known.RUNNING_MESSAGE])


def test_a_pod_that_a_clock_saw_lost_that_was_ahead_is_replaced() -> None:
    lost = {"phase": "Failed", "reason": "Evicted", "startTime": "2031-01-01T00:00:00Z"}
    assert removed(decide(seen(pod=server(lost), service=service()))) == ["Pod"]


def test_a_pod_on_a_node_whose_clock_is_far_ahead_is_replaced_now_and_then() -> None:
    hasty = server(DEADLINE)
    hasty["metadata"]["creationTimestamp"] = "2030-01-01T00:00:00Z"
    found = decide(seen(pod=hasty, service=service()))
    assert removed(found) == []
    assert found.again_in == 10
    assert "the clock of its node is ahead" in str(changes(found)[known.RUNNING_MESSAGE])
    late = world.START + timedelta(seconds=11)
    assert removed(decide(seen(pod=hasty, service=service(), now=late))) == ["Pod"]


def test_a_pod_that_is_paused_for_a_moment_stays() -> None:
    short = ended("x", 1) | {"startedAt": "2030-01-01T00:00:00Z"}
    paused = served("Running", 1, waiting=BACK, last=short)
    assert removed(decide(seen(pod=server(paused), service=service()))) == []


def test_the_next_pod_has_the_scratch_space_that_was_asked_for() -> None:
    found = decide(seen(claim(**{known.REQUIRES_SCRATCH: "true"})))
    create = next(step for step in found.steps if isinstance(step, plan.Create))
    assert "cdi-scratch-vol" in [each["name"] for each in create.object["spec"]["volumes"]]
    waiting = server({"phase": "Pending"}, scratch=True)
    again = decide(seen(pod=waiting, service=service()))
    assert "PersistentVolumeClaim" in made(again)
    assert changes(again)[known.BOUND_REASON] == "CreatingScratchSpace"


# The end.


@pytest.mark.parametrize(
    ("given", "gone"),
    [
        pytest.param({}, ["Service", "Pod"], id="usual"),
        pytest.param({known.RETAIN_AFTER_COMPLETION: "true"}, ["Service"], id="kept"),
    ],
)
def test_a_filled_volume_needs_no_server(given: dict[str, str], gone: list[str]) -> None:
    of = claim(**given)
    found = decide(seen(of, pod=server(world.UPLOADED), service=service()))
    said = changes(found, of)
    assert (said[known.POD_PHASE], said[known.POD_READY]) == ("Succeeded", "false")
    assert removed(found) == gone
    assert told(found) == ["UploadSucceeded"]
    after = claim(**given, **{key: str(value) for key, value in said.items()})
    crashed = decide(seen(after, pod=server(world.UPLOADED), service=service()))
    assert removed(crashed) == gone
    assert told(crashed) == []


def test_an_upload_is_cancelled_by_taking_the_annotation_away() -> None:
    left = {known.POD_PHASE: "Running", known.POD_READY: "true", known.RUNNING: "true"}
    of = claim(asked=left)
    found = decide(seen(of, pod=server(world.READY), service=service()))
    assert removed(found) == ["Service", "Pod"]
    said = changes(found, of)
    assert (said[known.POD_PHASE], said[known.POD_READY]) == (None, "false")


def test_the_pod_of_a_namesake_is_waited_for() -> None:
    former = claim()
    former["metadata"]["uid"] = "x"
    found = decide(seen(pod=server(world.READY, former), service=service()))
    assert removed(found) == []
    assert found.failure is not None
    assert told(found) == []


def test_a_foreign_pod_is_named() -> None:
    foreign = server(world.READY)
    foreign["metadata"]["ownerReferences"] = []
    found = decide(seen(pod=foreign, service=service()))
    assert removed(found) == []
    assert told(found) == ["ErrStartingPod"]


# Clones.


def source(**spec: Any) -> Object:
    return {
        "metadata": {"name": "source", "namespace": "there"},
        "spec": world.pvc_spec(**spec),
    }


def sized(size: str) -> Object:
    return {"requests": {"storage": size}}


def test_a_clone_target_listens_to_its_source_alone() -> None:
    of = claim(asked=CLONE)
    found = decide(seen(of, source=source()))
    create = next(step for step in found.steps if isinstance(step, plan.Create))
    env = {
        each["name"]: each.get("value") for each in create.object["spec"]["containers"][0]["env"]
    }
    assert env["CLIENT_NAME"] == "there/source-ns/disk"
    assert changes(found, of)[known.UPLOAD_CLIENT] == "there/source-ns/disk"


def test_the_end_of_a_clone_is_told_by_its_own_controller() -> None:
    word = json.dumps({"message": "Clone Complete", "preallocationApplied": True})
    of = claim(asked=CLONE)
    over = server(served("Succeeded", terminated=ended(word)), of)
    found = decide(seen(of, pod=over, service=service(), source=source()))
    assert told(found) == []
    assert changes(found, of)[known.POD_PHASE] == "Succeeded"
    assert changes(found, of)[known.PREALLOCATION] == "true"


@pytest.mark.parametrize(
    ("of", "given", "why", "retried"),
    [
        pytest.param(None, {}, "does not exist", True, id="no-source"),
        pytest.param(source(), {known.CONTENT_TYPE: "archive"}, "content type", True, id="content"),
        pytest.param(source(resources=sized("2Gi")), {}, "smaller", False, id="too-small"),
    ],
)
def test_a_source_that_does_not_fit_is_explained(
    of: Object | None, given: dict[str, str], why: str, retried: bool
) -> None:
    before = claim(asked={**CLONE, **given})
    found = decide(seen(before, source=of))
    assert made(found) == []
    assert (found.failure is not None) is retried
    assert told(found) == ["ErrIncompatiblePVC"]
    assert why in str(changes(found, before)[known.RUNNING_MESSAGE])


def test_a_permissive_clone_may_be_smaller() -> None:
    of = claim(asked={**CLONE, known.PERMISSIVE_CLONE: ""})
    assert made(decide(seen(of, source=source(resources=sized("2Gi"))))) == ["Pod", "Service"]


def test_a_server_that_asks_for_scratch_space_has_not_failed() -> None:
    found = decide(seen(pod=server(SCRATCH), service=service()))
    assert told(found) == []
    assert changes(found)[known.RUNNING_MESSAGE] == "scratch space required and none found"
