"""What the import controller decides about one claim."""

import json
from datetime import timedelta
from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.controllers import cluster, plan
from cdi.controllers.importing import decide as deciding
from cdi.controllers.importing.decide import decide
from cdi.controllers.importing.pod import PodContext, pod_for
from cdi.controllers.importing.seen import Seen
from cdi.kube import errors, owners
from cdi.kube.objects import Key, Object
from support import world
from support.world import crashed, ended, final, state

HTTP = {known.SOURCE: "http", known.ENDPOINT: "http://images.example/x"}
QUOTA = errors.from_status({"code": 403, "reason": "Forbidden", "message": "x exceeded quota: q"})
FORBIDDEN = errors.from_status({"code": 403, "reason": "Forbidden", "message": "no"})
GATE = ("HonorWaitForFirstConsumer",)


def claim(phase: str = "Bound", **given: str) -> Object:
    meta: Object = {"name": "disk", "namespace": "ns", "uid": "c", "annotations": {**HTTP, **given}}
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta,
        "spec": world.pvc_spec(), "status": {"phase": phase},
    }  # fmt: skip


def importer(status: Object, of: Object | None = None, *, scratch: bool = False) -> Object:
    found = pod_for(of or claim(), PodContext(world.SETTINGS), with_scratch=scratch)
    found["metadata"]["uid"] = "p"
    found["status"] = status
    return found


def seen(of: Object | None = None, **fields: Any) -> Seen:
    wanted = {"context": PodContext(world.SETTINGS), "now": world.START, "gates": GATE}
    return Seen(claim=of or claim(), **{**wanted, **fields})


def changes(of: plan.Plan, before: Object | None = None) -> dict[str, str | None]:
    """Annotations after all changes of the claim, without those that were there before."""
    now: dict[str, str | None] = dict((before or claim())["metadata"]["annotations"])
    old = dict(now)
    for step in of.steps:
        if isinstance(step, plan.Change):
            new = step.wanted["metadata"]["annotations"]
            was = step.seen["metadata"]["annotations"]
            now |= {key: value for key, value in new.items() if was.get(key) != value}
            for key in was.keys() - new.keys():
                now.pop(key, None)
    return {key: value for key, value in now.items() if old.get(key) != value}


def removed(of: plan.Plan) -> list[str]:
    return [step.seen["kind"] for step in of.steps if isinstance(step, plan.Remove)]


def created(of: plan.Plan) -> list[str]:
    return [step.object["kind"] for step in of.steps if isinstance(step, plan.Create)]


def told(of: plan.Plan) -> list[str]:
    return [event.reason for event in of.events]


# When a claim is handled.


RUNTIME_SAYS = {
    "tls": "rpc error: code = Unknown desc = tls: failed to verify certificate: x509: unknown",
    "401": "rpc error: code = Unknown desc = failed to authorize: 401 Unauthorized",
    "not-found": "rpc error: code = NotFound desc = registry.example/cdi:1: not found",
    "rate-limit": "rpc error: code = Unknown desc = 429 Too Many Requests - toomanyrequests",
}


@pytest.mark.parametrize(
    ("of", "gates", "starts"),
    [
        pytest.param(claim(), GATE, True, id="bound"),
        pytest.param(claim("Pending"), GATE, False, id="waits-for-its-volume"),
        pytest.param(claim("Pending"), (), True, id="gate-off-starts-unbound"),
        pytest.param(claim("Pending", **{known.BIND_IMMEDIATE: ""}), GATE, True, id="immediate"),
        pytest.param(claim(**{known.POD_PHASE: "Succeeded"}), GATE, False, id="done"),
        pytest.param(claim(**{known.FATAL_ERROR: "true"}), GATE, False, id="failed-for-good"),
        pytest.param(claim(**{known.EXTERNAL_POPULATION: "true"}), GATE, False, id="external"),
        pytest.param(
            {**claim(), "metadata": {**claim()["metadata"], "deletionTimestamp": "x"}},
            GATE,
            False,
            id="terminating",
        ),
        pytest.param(
            {**claim(), "metadata": {"name": "disk", "namespace": "ns", "uid": "c"}},
            GATE,
            False,
            id="asks-for-nothing",
        ),
        pytest.param(
            claim(**{known.POD_PHASE: "Succeeded", known.CHECKPOINT_CURRENT: "c1"}),
            GATE,
            False,
            id="stage-done-waits-for-the-next",
        ),
        pytest.param(
            claim(**{known.POD_PHASE: "Unknown", known.CHECKPOINT_CURRENT: "c2"}),
            GATE,
            True,
            id="next-stage",
        ),
    ],
)
def test_a_pod_is_started_only_when_there_is_something_to_do(
    of: Object, gates: tuple[str, ...], starts: bool
) -> None:
    assert created(decide(seen(of, gates=gates))) == (["Pod"] if starts else [])


def test_a_claim_in_use_waits_and_says_by_whom() -> None:
    user = {"metadata": {"name": "vm", "namespace": "ns", "uid": "u"}}
    found = decide(seen(users=[user]))
    assert told(found) == ["ImportTargetInUse"]
    assert created(found) == []
    assert isinstance(found.failure, deciding.TargetInUse)


def test_what_is_in_the_way_is_named_on_the_claim_and_told_once() -> None:
    users = [{"metadata": {"name": n, "namespace": "ns", "uid": n}} for n in ("vm-b", "vm-a")]
    late = {known.BOUND: "false", known.BOUND_MESSAGE: "waiting for first consumer"}
    of = claim(**late)
    found = decide(seen(of, users=users))
    after = changes(found, of)
    assert after[known.RUNNING] == "false"
    assert after[known.RUNNING_REASON] == "ImportTargetInUse"
    assert "pod vm-a uses PVC disk" in (after[known.RUNNING_MESSAGE] or "")
    assert "pod vm-b uses PVC disk" in (after[known.RUNNING_MESSAGE] or "")
    assert told(found) == ["ImportTargetInUse"] * 2
    step = found.steps[0]
    assert isinstance(step, plan.Change)
    assert known.BOUND_MESSAGE not in step.wanted["metadata"]["annotations"]
    again = decide(seen(step.wanted, users=users))
    assert (again.steps, again.events) == ((), ())
    assert isinstance(again.failure, deciding.TargetInUse)
    free = decide(seen(step.wanted))
    assert created(free) == ["Pod"]
    last = next(s for s in reversed(free.steps) if isinstance(s, plan.Change))
    assert known.RUNNING_REASON not in last.wanted["metadata"]["annotations"]


def test_no_event_begins_the_pass_that_tells_it() -> None:
    def event(component: str) -> Object:
        about = {"kind": "PersistentVolumeClaim", "namespace": "ns", "name": "disk"}
        return {"involvedObject": about, "source": {"component": component}}

    assert cluster.keys_of_claim_event(event("import-controller"), but_of="import-controller") == []
    of_others = cluster.keys_of_claim_event(event("binder"), but_of="import-controller")
    assert of_others == [Key("ns", "disk")]


def test_a_pod_of_that_name_of_somebody_else_is_left_alone() -> None:
    foreign = importer(world.RUNNING)
    foreign["metadata"]["ownerReferences"][0]["uid"] = "other"
    found = decide(seen(pod=foreign))
    assert found.steps == ()
    assert isinstance(found.failure, deciding.PodIsForeign)


def test_a_pod_that_has_the_importers_name_by_chance_is_named() -> None:
    foreign = importer(world.RUNNING)
    foreign["metadata"]["ownerReferences"] = []
    found = decide(seen(pod=foreign))
    assert "pod importer-disk" in (changes(found)[known.RUNNING_MESSAGE] or "")
    assert told(found) == ["ErrStartingPod"]
    assert removed(found) == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(QUOTA, "ErrExceededQuota", id="quota"),
        pytest.param(FORBIDDEN, "ErrStartingPod", id="anything-else"),
    ],
)
def test_a_refused_pod_is_told_and_tried_again(error: errors.ApiError, reason: str) -> None:
    step = decide(seen()).steps[-1]
    assert isinstance(step, plan.Create)
    assert step.refused is not None
    after = step.refused(error)
    assert told(after) == [reason]
    assert after.events[0].message.startswith(
        "Error starting pod 'importer-disk': For more information, request access to cdi-deploy "
        "logs from your sysadmin"
    )
    found = changes(after)
    assert found[known.RUNNING_REASON] == reason
    assert found[known.POD_PHASE] == "Failed"
    assert known.FATAL_ERROR not in found


def test_a_source_that_says_nothing_fails_at_once() -> None:
    bare = claim()
    del bare["metadata"]["annotations"][known.ENDPOINT]
    found = decide(seen(bare))
    assert changes(found, bare)[known.FATAL_ERROR] == "true"
    assert told(found) == ["ErrStartingPod"]


# What the pod tells.

TEXT = "plain words\nof another importer"


@pytest.mark.parametrize(
    ("status", "running", "reason", "message", "phase"),
    [
        pytest.param({"phase": "Pending"}, None, None, None, "Pending", id="nothing-known-yet"),
        pytest.param(world.CREATING, "false", "ContainerCreating", "", "Pending", id="creating"),
        pytest.param(world.RUNNING, "true", "Pod is running", "", "Running", id="running"),
        pytest.param(
            crashed("connection refused"),
            "false",
            "Error",
            "connection refused; reason=ConnectionFailed; next attempt at 2030-01-01T00:00:10Z",
            "Running",
            id="says-when-it-tries-again",
        ),
        pytest.param(
            crashed("connection refused", 4, "1m20s"),
            "false",
            "Error",
            "connection refused; reason=ConnectionFailed; next attempt at 2030-01-01T00:01:20Z",
            "Running",
            id="longer-pauses",
        ),
        pytest.param(
            state("Running", terminated=ended(TEXT, 1)),
            "false",
            "Error",
            "plain words",
            "Running",
            id="plain-text-first-line",
        ),
        pytest.param(
            state("Running", terminated=ended("it is larger than the reported available 5", 1)),
            "false",
            "Error",
            "DataVolume too small to contain image: it is larger than the reported available 5",
            "Running",
            id="too-small-in-other-words",
        ),
        pytest.param(
            state("Running", terminated=ended("failed to pull image: x", 1)),
            "false",
            "ImagePullFailed",
            "failed to pull image: x",
            "Running",
            id="pull-failed-in-words",
        ),
        pytest.param(
            state("Pending", waiting={"reason": "ImagePullBackOff", "message": "back-off"}),
            "false",
            "ImagePullFailed",
            "failed to pull image: registry.example/cdi:1",
            "Pending",
            id="image-cannot-be-pulled",
        ),
        *[
            pytest.param(
                state("Pending", waiting={"reason": reason, "message": f"{before}{cause}"}),
                "false",
                "ImagePullFailed",
                f"failed to pull image: registry.example/cdi:1: {cause}",
                "Pending",
                id=f"the-runtime-says-{word}{'-in-pauses' if before else ''}",
            )
            for word, cause in RUNTIME_SAYS.items()
            for reason, before in (
                ("ErrImagePull", ""),
                ("ImagePullBackOff", 'Back-off pulling image "x": ErrImagePull: '),
            )
        ],
        pytest.param(
            world.SUCCEEDED, "false", "Completed", "Import Complete", "Succeeded", id="complete"
        ),
        pytest.param(
            state("Running", running={}, restarts=1, last=ended("x", 1)),
            "true",
            "Pod is running",
            "",
            "Running",
            id="running-again",
        ),
    ],
)
def test_the_claim_shows_what_the_pod_tells(
    status: Object, running: str, reason: str, message: str, phase: str
) -> None:
    found = changes(decide(seen(pod=importer(status))))
    keys = (known.RUNNING, known.RUNNING_REASON, known.RUNNING_MESSAGE, known.POD_PHASE)
    assert tuple(found.get(key) for key in keys) == (running, reason, message, phase)
    assert found[known.IMPORT_POD] == "importer-disk"


def test_why_an_image_cannot_be_pulled_is_told_between_two_tries_too() -> None:
    """Kubernetes 1.30 says only that it waits, then."""
    said = "failed to pull image: registry.example/cdi:1: 401 Unauthorized"
    pause = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}
    of = claim(**{known.RUNNING_MESSAGE: said})
    found = changes(decide(seen(of, pod=importer(state("Pending", waiting=pause), of))), of)
    assert known.RUNNING_MESSAGE not in found


def test_nothing_is_written_where_nothing_changed() -> None:
    of = claim()
    found = decide(seen(of, pod=importer(world.RUNNING)))
    step = found.steps[0]
    assert isinstance(step, plan.Change)
    assert decide(seen(step.wanted, pod=importer(world.RUNNING))).steps == ()


def test_restarts_never_go_down() -> None:
    of = claim(**{known.POD_RESTARTS: "5"})
    found = decide(seen(of, pod=importer(state("Running", 2, running={}), of)))
    assert known.POD_RESTARTS not in changes(found, of)


def test_an_unschedulable_pod_is_shown() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    found = decide(seen(pod=importer({"phase": "Pending", "conditions": [condition]})))
    assert changes(found)[known.POD_SCHEDULABLE] == "false"


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        pytest.param(
            final("NotFound", "404 not found"),
            "Error",
            "404 not found; reason=NotFound",
            id="exit-1",
        ),
        pytest.param(
            final("ChecksumError", "mismatch", 0), "ChecksumError", "mismatch", id="exit-0"
        ),
        pytest.param(
            state("Succeeded", terminated=ended(json.dumps({"message": "a checksum mismatch"}))),
            "ChecksumError",
            "a checksum mismatch",
            id="by-words-of-another-importer",
        ),
        pytest.param(
            state(
                "Running",
                1,
                waiting={"reason": "CrashLoopBackOff"},
                last=ended(json.dumps({"message": "m", "permanent": True, "reason": "NoDisk"}), 1),
            ),
            "Error",
            "m; reason=NoDisk",
            id="seen-only-after-the-kubelet-waits",
        ),
    ],
)
def test_a_permanent_failure_ends_the_import_at_once(
    status: Object, reason: str, message: str
) -> None:
    found = decide(seen(pod=importer(status)))
    after = changes(found)
    assert after[known.FATAL_ERROR] == "true"
    assert after[known.POD_PHASE] == "Failed"
    assert after[known.RUNNING] == "false"
    assert after[known.RUNNING_REASON] == reason
    assert after[known.RUNNING_MESSAGE] == message
    assert removed(found) == ["Pod"]
    assert told(found) == ["ErrImportFailed"]
    assert isinstance(found.steps[0], plan.Change), "what it told is kept before the pod goes"


def test_a_failed_attempt_is_told_once() -> None:
    of = claim()
    first = decide(seen(of, pod=importer(crashed("refused"))))
    assert told(first) == ["ErrImportFailed"]
    step = first.steps[0]
    assert isinstance(step, plan.Change)
    assert told(decide(seen(step.wanted, pod=importer(crashed("refused"))))) == []
    later = decide(seen(step.wanted, pod=importer(crashed("refused", 2, "20s"))))
    assert told(later) == ["ErrImportFailed"]


# Pods that are replaced.

SCRATCH = state(
    "Succeeded", terminated=ended(json.dumps({"scratchSpaceRequired": True, "message": "x"}))
)
OOM = state("Running", terminated=ended("", 137, "OOMKilled"))


def test_an_importer_that_needs_scratch_space_is_run_again_with_it() -> None:
    of = claim(**{known.POD_PHASE: "Running"})
    found = decide(seen(of, pod=importer(SCRATCH, of)))
    after = changes(found, of)
    assert after[known.REQUIRES_SCRATCH] == "true"
    assert known.POD_PHASE not in after
    assert after[known.RUNNING_REASON] == "Scratch space required"
    assert removed(found) == ["Pod"]


def test_the_next_pod_has_scratch_space_and_so_has_the_one_after_it() -> None:
    of = claim(**{known.REQUIRES_SCRATCH: "true"})
    step = decide(seen(of)).steps[-1]
    assert isinstance(step, plan.Create)
    volumes = [volume["name"] for volume in step.object["spec"]["volumes"]]
    assert volumes == ["cdi-data-vol", "cdi-scratch-vol"]
    running = decide(seen(of, pod=importer(world.RUNNING, of, scratch=True)))
    assert known.REQUIRES_SCRATCH not in changes(running, of)
    done = decide(seen(of, pod=importer(world.SUCCEEDED, of, scratch=True)))
    assert changes(done, of)[known.REQUIRES_SCRATCH] == "false"


def test_the_scratch_claim_belongs_to_the_pod() -> None:
    of = claim(**{known.REQUIRES_SCRATCH: "true"})
    pod = importer(world.CREATING, of, scratch=True)
    found = decide(seen(of, pod=pod))
    made = next(step.object for step in found.steps if isinstance(step, plan.Create))
    assert made["metadata"]["name"] == "disk-scratch"
    assert owners.is_controlled_by(made, pod)
    assert made["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert changes(found, of)[known.BOUND_REASON] == "CreatingScratchSpace"
    bound = {**made, "status": {"phase": "Bound"}}
    bound["metadata"]["uid"] = "s"
    creating = claim(**{**dict.fromkeys((known.BOUND, known.BOUND_MESSAGE), "x"),
                        known.BOUND_REASON: "CreatingScratchSpace"})  # fmt: skip
    found = decide(seen(creating, pod=pod, scratch=bound))
    step = found.steps[-1]
    assert isinstance(step, plan.Change)
    assert known.BOUND_REASON not in step.wanted["metadata"]["annotations"]


def test_a_scratch_claim_on_its_way_out_is_waited_for() -> None:
    of = claim(**{known.REQUIRES_SCRATCH: "true"})
    old = {"metadata": {"name": "disk-scratch", "deletionTimestamp": "x", "uid": "s"}}
    found = decide(seen(of, scratch=old))
    assert found.steps == ()
    assert found.again_in is not None
    stuck = decide(seen(of, scratch=old, pod=importer(world.CREATING, of, scratch=True)))
    assert removed(stuck) == ["Pod"]


def test_asking_for_scratch_space_twice_is_a_failure() -> None:
    of = claim(**{known.REQUIRES_SCRATCH: "true"})
    found = decide(seen(of, pod=importer(SCRATCH, of, scratch=True)))
    assert changes(found, of)[known.FATAL_ERROR] == "true"


def test_an_importer_killed_for_memory_is_replaced_once() -> None:
    found = decide(seen(pod=importer(OOM)))
    assert changes(found)[known.REQUIRES_DIRECT_IO] == "true"
    assert removed(found) == ["Pod"]
    of = claim(**{known.REQUIRES_DIRECT_IO: "true"})
    again = decide(seen(of, pod=importer(OOM, of)))
    assert removed(again) == []
    assert changes(again, of)[known.RUNNING_REASON] == "OOMKilled"


EVICTED = {
    "phase": "Failed", "reason": "Evicted", "message": "low on memory",
    "startTime": "2030-01-01T00:00:00Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "gone"),
    [
        pytest.param(1, False, id="not-at-once"),
        pytest.param(11, True, id="after-a-pause"),
        pytest.param(-3600, True, id="by-a-clock-that-was-ahead"),
    ],
)
def test_an_evicted_pod_is_replaced_after_a_pause(seconds: int, gone: bool) -> None:
    now = world.START + timedelta(seconds=seconds)
    found = decide(seen(pod=importer(EVICTED), now=now))
    assert (removed(found) == ["Pod"]) is gone
    assert (found.again_in is None) is gone
    after = changes(found)
    assert after[known.POD_PHASE] == "Failed"
    assert known.FATAL_ERROR not in after
    assert "Evicted: low on memory" in str(after[known.RUNNING_MESSAGE])


def test_a_pod_that_is_going_is_not_deleted_again() -> None:
    pod = importer(SCRATCH)
    pod["metadata"]["deletionTimestamp"] = "x"
    assert removed(decide(seen(pod=pod))) == []


# What counts as success.

DONE = state("Running", terminated=ended(world.COMPLETE))
ASKS = {"scratchSpaceRequired": True, "message": "scratch space required"}
CANCELLED = {"message": "stopped; another start continues", "reason": "Cancelled"}


def going(found: Object) -> Object:
    found["metadata"] |= {"deletionTimestamp": "x", "deletionGracePeriodSeconds": 30}
    return found


def without_statuses(phase: str) -> Object:
    return {"phase": phase, "startTime": "2030-01-01T00:00:00Z"}


PODS_AND_WHAT_THEY_PROVE = [
    pytest.param(world.SUCCEEDED, True, id="says-so"),
    pytest.param(DONE, True, id="says-so-before-its-pod-is-over"),
    pytest.param(DONE | {"phase": "Failed"}, True, id="says-so-and-another-container-was-killed"),
    pytest.param(DONE | {"phase": "Failed", "reason": "Evicted"}, True, id="says-so-then-evicted"),
    pytest.param(SCRATCH, False, id="wants-scratch"),
    pytest.param(
        state("Succeeded", terminated=ended(json.dumps(CANCELLED))), False, id="was-told-to-stop"
    ),
    pytest.param(state("Succeeded", terminated=ended("")), False, id="ended-without-a-word"),
    pytest.param(state("Succeeded", terminated=ended("bye")), False, id="says-something-else"),
    pytest.param(
        state("Succeeded", terminated=ended(json.dumps({"message": ""}))), False, id="says-nothing"
    ),
    pytest.param(
        state("Succeeded", running={}, restarts=1, last=ended(world.COMPLETE)),
        False,
        id="said-so-before-it-was-started-again",
    ),
    pytest.param(
        state("Failed", terminated=ended(world.COMPLETE, 137, "OOMKilled")), False, id="killed"
    ),
    pytest.param(without_statuses("Succeeded"), False, id="nothing-known-of-its-containers"),
    pytest.param(without_statuses("Failed"), False, id="failed"),
    pytest.param(without_statuses("Unknown"), False, id="its-node-is-gone"),
]


@pytest.mark.parametrize("deleted", [False, True], ids=["stays", "terminating"])
@pytest.mark.parametrize(("status", "filled"), PODS_AND_WHAT_THEY_PROVE)
def test_only_the_importers_own_word_makes_an_import_succeed(
    status: Object, filled: bool, deleted: bool
) -> None:
    of = claim(**{known.POD_PHASE: "Running"})
    pod = importer(status, of)
    found = decide(seen(of, pod=going(pod) if deleted else pod))
    assert (changes(found, of).get(known.POD_PHASE) == "Succeeded") is filled
    assert ("ImportSucceeded" in told(found)) is filled


def test_a_pod_that_goes_after_it_asked_for_scratch_space_leaves_the_phase_as_it_was() -> None:
    of = claim(**{known.POD_PHASE: "Running", known.REQUIRES_SCRATCH: "true"})
    found = decide(seen(of, pod=going(importer(SCRATCH, of))))
    assert known.POD_PHASE not in changes(found, of)
    assert removed(found) == []


@pytest.mark.parametrize(
    "status",
    [
        pytest.param(state("Succeeded", terminated=ended("")), id="without-a-word"),
        pytest.param(without_statuses("Succeeded"), id="nothing-known"),
    ],
)
def test_a_pod_that_is_over_and_proves_nothing_is_replaced_after_a_pause(status: Object) -> None:
    status = status | {"startTime": "2030-01-01T00:00:00Z"}
    first = decide(seen(pod=importer(status)))
    assert removed(first) == []
    assert first.again_in is not None
    later = world.START + timedelta(seconds=11)
    assert removed(decide(seen(pod=importer(status), now=later))) == ["Pod"]


def test_a_claim_that_failed_for_good_does_not_hear_its_pod_any_more() -> None:
    of = claim(**{
        known.FATAL_ERROR: "true", known.POD_PHASE: "Failed", known.RUNNING: "false",
        known.RUNNING_MESSAGE: "404 Not Found", known.RUNNING_REASON: "NotFound",
    })  # fmt: skip
    ends = [state("Failed", 1, terminated=ended(json.dumps(CANCELLED), 143)), world.SUCCEEDED]
    for status in ends:
        found = decide(seen(of, pod=importer(status, of)))
        assert (changes(found, of), told(found)) == ({}, [])
        assert removed(found) == ["Pod"]


@pytest.mark.parametrize(
    ("uid", "made", "counts"),
    [
        pytest.param("c", "2030-01-01T00:00:00Z", True, id="its-own"),
        pytest.param("former", "2030-01-02T00:00:00Z", False, id="a-namesakes"),
        pytest.param(None, "2030-01-02T00:00:00Z", True, id="of-another-controller"),
        pytest.param(None, "2029-12-31T00:00:00Z", False, id="older-than-the-claim"),
    ],
)
def test_the_pod_of_an_image_stream_counts_for_the_claim_it_was_made_for(
    uid: str | None, made: str, counts: bool
) -> None:
    of = claim(**{known.REGISTRY_IMAGE_STREAM: "true", known.SOURCE: "registry"})
    of["metadata"]["creationTimestamp"] = "2030-01-01T00:00:00Z"
    pod = importer(world.SUCCEEDED, of)
    pod["metadata"]["creationTimestamp"] = made
    pod["metadata"]["annotations"].pop(known.OWNER_UID)
    if uid is not None:
        pod["metadata"]["annotations"][known.OWNER_UID] = uid
    found = decide(seen(of, pod=pod))
    assert (changes(found, of).get(known.POD_PHASE) == "Succeeded") is counts
    assert isinstance(found.failure, deciding.PodIsForeign) is not counts


# The end.


def test_success_is_recorded_before_the_pod_goes() -> None:
    found_out = {"instancetype.kubevirt.io/default-preference": "fedora", "own": "no"}
    text = {"message": "Import Complete", "preallocationApplied": True, "labels": found_out}
    of = claim()
    of["metadata"]["labels"] = {"own": "yes"}
    status = state("Succeeded", terminated=ended(json.dumps(text)))
    found = decide(seen(of, pod=importer(status, of)))
    change, remove = found.steps
    assert isinstance(change, plan.Change)
    assert isinstance(remove, plan.Remove)
    labels = change.wanted["metadata"]["labels"]
    assert labels["own"] == "yes"
    assert labels["instancetype.kubevirt.io/default-preference"] == "fedora"
    assert changes(found, of)[known.PREALLOCATION] == "true"
    assert told(found) == ["ImportSucceeded"]


def test_a_pod_that_should_be_kept_is_kept() -> None:
    of = claim(**{known.RETAIN_AFTER_COMPLETION: "true"})
    found = decide(seen(of, pod=importer(world.SUCCEEDED, of)))
    assert removed(found) == []


def test_a_claim_that_goes_takes_its_pod_along() -> None:
    of = claim()
    of["metadata"] |= {
        "deletionTimestamp": "x",
        "finalizers": ["cdi.kubevirt.io/importImageStream"],
    }
    found = decide(seen(of, pod=importer(world.RUNNING)))
    assert removed(found) == ["Pod"]
    assert isinstance(found.steps[1], plan.Change)
    assert found.steps[1].wanted["metadata"]["finalizers"] == []


def test_a_claim_that_goes_takes_the_pods_along_that_were_kept() -> None:
    given = {known.RETAIN_AFTER_COMPLETION: "true", known.POD_PHASE: "Succeeded"}
    of = claim(**given)
    of["metadata"]["deletionTimestamp"] = "x"
    foreign = {**importer(world.SUCCEEDED), "metadata": {"name": "other", "uid": "o"}}
    kept = (importer(world.SUCCEEDED, of), foreign)
    found = decide(seen(of, pod=importer(world.SUCCEEDED, of), kept=kept))
    assert removed(found) == ["Pod", "Pod"]


def test_vddk_waits_for_its_library() -> None:
    of = claim(**{known.SOURCE: "vddk"})
    found = decide(seen(of))
    assert created(found) == []
    assert changes(found, of)[known.BOUND_REASON] == "AwaitingVDDK"
    assert found.failure is not None


@pytest.mark.parametrize("text", ["{", "[]", '{"kind": 1}', "[" * 100_000])
def test_vddk_arguments_that_make_no_sense_are_told_and_tried_again(text: str) -> None:
    of = claim(**{known.SOURCE: "vddk", known.ENDPOINT: "https://vcenter"})
    context = PodContext(world.SETTINGS, vddk_image="vddk:8", vddk_nodes=text)
    found = decide(seen(of, context=context))
    told = changes(found, of)
    assert created(found) == []
    assert (told[known.RUNNING_REASON], told[known.POD_PHASE]) == ("ErrStartingPod", "Failed")
    assert "vddk-node-selector" in str(told[known.RUNNING_MESSAGE])
    assert known.FATAL_ERROR not in told
    assert found.failure is not None


def test_vddk_arguments_say_on_which_nodes_the_library_runs() -> None:
    of = claim(**{known.SOURCE: "vddk", known.ENDPOINT: "https://vcenter"})
    nodes = '{"vddk": "yes"}'
    context = PodContext(world.SETTINGS, vddk_image="vddk:8", vddk_nodes=nodes)
    steps = decide(seen(of, context=context)).steps
    pod = next(each.object for each in steps if isinstance(each, plan.Create))
    assert pod["spec"]["nodeSelector"] == {"vddk": "yes"}
    assert [each["image"] for each in pod["spec"]["initContainers"]] == ["vddk:8"]


def test_the_words_of_a_provisioner_reach_the_claim() -> None:
    event = {"message": "no room", "lastTimestamp": "2030-01-01T00:00:00Z"}
    of = claim("Pending")
    found = changes(decide(seen(of, events=[event])), of)
    assert (found[known.BOUND], found[known.BOUND_MESSAGE]) == ("false", "no room")


def test_the_proxys_certificates_are_copied_and_kept_current() -> None:
    config = {"status": {"importProxy": {"trustedCAProxy": "ca"}}}
    context = PodContext(world.SETTINGS, config=config)
    source = {"metadata": {"name": "ca"}, "data": {"ca.crt": "new"}}
    pod = importer(world.CREATING)
    found = decide(seen(context=context, pod=pod, proxy_ca=source))
    assert created(found) == ["ConfigMap"]
    old = {"metadata": {"name": "import-proxy-cm-disk"}, "data": {"ca.crt": "old"}}
    found = decide(seen(context=context, pod=pod, proxy_ca=source, proxy_ca_copy=old))
    last = found.steps[-1]
    assert isinstance(last, plan.Change)
    assert last.wanted["data"] == {"ca.crt": "new"}


def test_the_proxys_certificates_that_are_missing_are_named_as_their_owner_knows_them() -> None:
    config = {"status": {"importProxy": {"trustedCAProxy": "ca"}}}
    context = PodContext(world.SETTINGS, config=config)
    found = decide(seen(context=context, pod=importer(world.CREATING)))
    message = changes(found)[known.RUNNING_MESSAGE] or ""
    assert "ConfigMap ca in namespace cdi (importProxy.trustedCAProxy)" in message
    assert "import-proxy-cm-disk" not in message
    assert found.again_in is not None


def test_what_a_pod_cannot_start_without_is_named() -> None:
    found = decide(seen(pod=importer(world.CREATING), missing=["Secret keys"]))
    message = changes(found)[known.RUNNING_MESSAGE] or ""
    assert "Secret keys in namespace ns, which does not exist" in message
    assert found.again_in is not None
    there = decide(seen(pod=importer(world.CREATING)))
    assert changes(there)[known.RUNNING_MESSAGE] == ""


def test_a_claim_full_of_annotations_is_imported_into_all_the_same() -> None:
    of = claim(**{"notes.example/large": "x" * ((256 << 10) - 2000)})
    long = crashed("y" * 3000)
    step = decide(seen(of, pod=importer(long, of))).steps[0]
    assert isinstance(step, plan.Change)
    given = step.wanted["metadata"]["annotations"]
    assert sum(len(key) + len(value) for key, value in given.items()) <= 256 << 10
    assert given[known.RUNNING_MESSAGE].startswith("yyy")
    assert decide(seen(step.wanted, pod=importer(long, of))).steps == ()


def test_a_pod_that_is_refused_again_and_again_is_told_once() -> None:
    create = decide(seen()).steps[-1]
    assert isinstance(create, plan.Create)
    assert create.refused is not None
    first = create.refused(FORBIDDEN)
    change = first.steps[0]
    assert isinstance(change, plan.Change)
    again = decide(seen(change.wanted)).steps[-1]
    assert isinstance(again, plan.Create)
    assert again.refused is not None
    assert again.refused(FORBIDDEN) == plan.NOTHING
