"""What the DataVolume controllers decide about one DataVolume."""

from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.controllers import plan
from cdi.controllers.datavolume.decide import decide
from cdi.controllers.datavolume.seen import Seen
from cdi.kube import errors
from cdi.kube.objects import Object
from cdi.storage.rendering import Cluster
from support import world

CLASSES = [
    world.storage_class(),
    world.storage_class("late", volumeBindingMode="WaitForFirstConsumer"),
]
CONFIG = {"spec": {"featureGates": ["HonorWaitForFirstConsumer"]}, "status": {}}
STORAGE = Cluster(classes=CLASSES, config=CONFIG)
QUOTA = errors.from_status({"code": 403, "reason": "Forbidden", "message": "exceeded quota: q"})


def volume(phase: str = "", spec: Object | None = None, **given: str) -> Object:
    meta = {"name": "dv", "namespace": "ns", "uid": "d", "annotations": given}
    found = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": meta}
    found["spec"] = spec or {"source": world.HTTP, "pvc": world.pvc_spec()}
    return found | ({"status": {"phase": phase}} if phase else {})


OURS = {"uid": "d", "kind": "DataVolume", "name": "dv", "controller": True}


def claim(phase: str = "Bound", *, populated: bool = False, **fields: Any) -> Object:
    given = {known.CREATED_FOR_DATA_VOLUME: "d", **fields.pop("annotations", {})}
    meta = {
        "name": "dv", "namespace": "ns", "uid": "c", "annotations": given,
        "ownerReferences": fields.pop("owners", [OURS]), **fields.pop("metadata", {}),
    }  # fmt: skip
    spec = world.pvc_spec(**fields)
    if populated:
        given[known.USE_POPULATOR] = "true"
        spec["dataSourceRef"] = {"kind": "VolumeImportSource", "name": "s"}
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec,
        "status": {"phase": phase},
    }  # fmt: skip


def seen(of: Object | None = None, **fields: Any) -> Seen:
    base = {"settings": world.SETTINGS, "now": "2030-01-01T00:00:00Z", "storage": STORAGE}
    return Seen(volume=of or volume(), **{**base, **fields})


def status(of: plan.Plan, before: Seen) -> Object:
    for step in of.steps:
        if isinstance(step, plan.SetStatus):
            return step.status
    return before.volume.get("status", {})


def condition(found: Object, kind: str) -> tuple[str, str, str]:
    one = next(each for each in found["conditions"] if each["type"] == kind)
    return one["status"], one["reason"], one["message"]


def created(of: plan.Plan, kind: str) -> Object | None:
    return next(
        (s.object for s in of.steps if isinstance(s, plan.Create) and s.object["kind"] == kind),
        None,
    )


def told(of: plan.Plan) -> list[str]:
    return [event.reason for event in of.events]


# The phase, from every state of the claim.

POD = {known.IMPORT_POD: "importer-dv"}


def pod(phase: str, **more: str) -> dict[str, str]:
    return {**POD, known.POD_PHASE: phase, **more}


@pytest.mark.parametrize(
    ("before", "found", "phase", "events"),
    [
        pytest.param("", None, "Pending", [], id="nothing-yet"),
        pytest.param("", claim("Pending"), "Pending", [], id="claim-pending"),
        pytest.param("Pending", claim(), "PVCBound", [], id="bound"),
        pytest.param("PVCBound", claim(), "PVCBound", [], id="bound-and-no-pod-yet"),
        pytest.param(
            "Pending",
            claim("Pending", storageClassName="late"),
            "WaitForFirstConsumer",
            [],
            id="waits-for-consumer",
        ),
        pytest.param(
            "Pending",
            claim("Pending", storageClassName="late", annotations={known.BIND_IMMEDIATE: ""}),
            "Pending",
            [],
            id="immediate-does-not-wait",
        ),
        pytest.param("WaitForFirstConsumer", claim(), "PVCBound", [], id="consumer-came"),
        pytest.param("PVCBound", claim(annotations=POD), "ImportScheduled", [], id="pod-named"),
        pytest.param(
            "PVCBound",
            claim(annotations=pod("Pending")),
            "ImportScheduled",
            ["ImportScheduled"],
            id="pod-pending",
        ),
        pytest.param(
            "ImportScheduled",
            claim(annotations=pod("Running")),
            "ImportInProgress",
            ["ImportInProgress"],
            id="pod-running",
        ),
        pytest.param(
            "ImportInProgress",
            claim(annotations=pod("Pending")),
            "ImportInProgress",
            [],
            id="a-pod-that-replaces-another-is-no-step-back",
        ),
        pytest.param(
            "ImportInProgress",
            claim(annotations=pod("Failed")),
            "ImportScheduled",
            ["ImportFailed"],
            id="pod-failed",
        ),
        pytest.param(
            "ImportInProgress",
            claim(annotations=pod("Failed", **{known.FATAL_ERROR: "true"})),
            "Failed",
            ["ImportFailed"],
            id="failed-for-good",
        ),
        pytest.param(
            "ImportInProgress",
            claim(annotations=pod("Succeeded")),
            "Succeeded",
            ["ImportSucceeded"],
            id="succeeded",
        ),
        pytest.param(
            "ImportInProgress",
            claim(annotations=pod("Succeeded", **{known.CHECKPOINT_CURRENT: "c"})),
            "Paused",
            ["ImportPaused"],
            id="stage-complete",
        ),
        pytest.param(
            "Paused",
            claim(annotations=pod("Unknown", **{known.CHECKPOINT_CURRENT: "c2"})),
            "ImportScheduled",
            [],
            id="next-stage",
        ),
        pytest.param("PVCBound", claim("Lost"), "Failed", ["ErrClaimLost"], id="lost"),
        pytest.param("PVCBound", claim("Odd"), "Unknown", [], id="a-phase-nobody-knows"),
        pytest.param(
            "Pending",
            claim("Pending", annotations={known.POPULATED_FOR: "dv"}),
            "Succeeded",
            [],
            id="filled-for-it-already",
        ),
        pytest.param(
            "Pending",
            claim("Pending", populated=True, storageClassName="late"),
            "PendingPopulation",
            [],
            id="population-waits-for-consumer",
        ),
        pytest.param(
            "PendingPopulation",
            claim("Pending", populated=True, annotations={known.SELECTED_NODE: "n"}),
            "PendingPopulation",
            [],
            id="consumer-has-a-node",
        ),
        pytest.param("Succeeded", None, "Pending", [], id="claim-deleted-afterwards"),
    ],
)
def test_the_phase_follows_the_claim(
    before: str, found: Object | None, phase: str, events: list[str]
) -> None:
    at = seen(volume(before), claim=found)
    result = decide(at)
    assert status(result, at)["phase"] == phase
    about = [event.reason for event in result.events if event.reason in events]
    assert about == events


def prime(phase: str, **given: str) -> Object:
    meta = {"name": "prime-c", "namespace": "ns", "uid": "p", "annotations": given}
    return {"metadata": meta, "spec": {}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("found", "of_target", "phase"),
    [
        pytest.param(None, {}, "Pending", id="no-prime"),
        pytest.param(prime("Pending", **POD), {}, "Pending", id="prime-not-bound"),
        pytest.param(prime("Bound"), {}, "Pending", id="no-pod"),
        pytest.param(prime("Bound", **POD), {}, "ImportScheduled", id="scheduled"),
        pytest.param(prime("Bound", **POD), pod("Running"), "ImportInProgress", id="running"),
        pytest.param(prime("Bound", **POD), pod("Succeeded"), "Pending", id="filled-not-moved"),
        pytest.param(None, pod("Succeeded"), "Pending", id="prime-gone"),
    ],
)
def test_a_populated_claim_is_judged_by_its_prime(
    found: Object | None, of_target: dict[str, str], phase: str
) -> None:
    target = claim("Pending", populated=True, annotations=of_target)
    at = seen(volume("Pending"), claim=target, prime=found)
    assert status(decide(at), at)["phase"] == phase


def test_it_has_succeeded_once_the_claim_has_the_volume() -> None:
    filled = {**pod("Succeeded")}
    for claim_phase, phase in (("Pending", "ImportInProgress"), ("Bound", "Succeeded")):
        target = claim(claim_phase, populated=True, annotations=filled)
        at = seen(volume("ImportInProgress"), claim=target, prime=prime("Bound", **POD))
        result = decide(at)
        assert status(result, at)["phase"] == phase
        told = "ImportSucceeded" in [event.reason for event in result.events]
        assert told is (phase == "Succeeded")


# Which claim is created.


def test_the_claim_of_an_import_asks_the_import_controller() -> None:
    spec = {
        "source": world.HTTP,
        "pvc": world.pvc_spec(),
        "priorityClassName": "high",
        "serviceAccountName": "me",
        "contentType": "archive",
        "preallocation": True,
    }
    of = volume(spec=spec, mine="x", **{known.POPULATED_FOR: "dv"})
    of["metadata"]["labels"] = {"team": "a"}
    found = created(decide(seen(of)), "PersistentVolumeClaim")
    assert found == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "dv",
            "namespace": "ns",
            "labels": {
                "app": "containerized-data-importer",
                "alerts.k8s.io/KubePersistentVolumeFillingUp": "disabled",
                "team": "a",
                "app.kubernetes.io/managed-by": "cdi-controller",
                "app.kubernetes.io/component": "storage",
            },
            "annotations": {
                "mine": "x",
                known.USE_POPULATOR: "false",
                known.POD_RESTARTS: "0",
                known.CONTENT_TYPE: "archive",
                known.PRIORITY_CLASS: "high",
                known.SERVICE_ACCOUNT: "me",
                known.PREALLOCATION_REQUESTED: "true",
                known.CREATED_FOR_DATA_VOLUME: "d",
                known.SOURCE: "http",
                known.ENDPOINT: world.HTTP["http"]["url"],
            },
            "ownerReferences": [
                {
                    "apiVersion": "cdi.kubevirt.io/v1beta1",
                    "kind": "DataVolume",
                    "name": "dv",
                    "uid": "d",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": world.pvc_spec(),
    }


@pytest.mark.parametrize(
    "key", [known.POD_PHASE, known.IMPORT_POD, known.FATAL_ERROR, known.CHECKPOINT_DONE]
)
def test_a_copied_data_volume_does_not_vouch_for_its_claim(key: str) -> None:
    of = volume(**{key: "Succeeded"})
    made = created(decide(seen(of)), "PersistentVolumeClaim")
    assert made is not None
    assert key not in made["metadata"]["annotations"]


def test_through_a_populator_the_claim_names_its_source() -> None:
    found = decide(seen(csi_drivers={world.DRIVER}))
    made = created(found, "PersistentVolumeClaim")
    assert made is not None
    assert made["spec"]["dataSourceRef"] == {
        "apiGroup": "cdi.kubevirt.io",
        "kind": "VolumeImportSource",
        "name": "volume-import-source-d",
    }
    assert known.SOURCE not in made["metadata"]["annotations"]
    source = created(found, "VolumeImportSource")
    assert source is not None
    assert source["spec"] == {"source": world.HTTP}


def test_with_the_gate_off_nobody_waits_for_consumers() -> None:
    storage = Cluster(classes=CLASSES, config={"spec": {}})
    found = decide(seen(csi_drivers={world.DRIVER}, storage=storage))
    made = created(found, "PersistentVolumeClaim")
    assert made is not None
    assert made["metadata"]["annotations"][known.BIND_IMMEDIATE] == ""


@pytest.mark.parametrize(
    ("given", "drivers", "used"),
    [
        pytest.param({}, {world.DRIVER}, "true", id="driver"),
        pytest.param({}, set(), "false", id="no-driver"),
        pytest.param({known.USE_POPULATOR: "0"}, {world.DRIVER}, "false", id="said-no"),
        pytest.param({known.USE_POPULATOR: "T"}, set(), "true", id="said-yes"),
    ],
)
def test_the_way_is_decided_once(given: dict[str, str], drivers: set[str], used: str) -> None:
    found = decide(seen(volume(**given), csi_drivers=drivers))
    made = created(found, "PersistentVolumeClaim")
    assert made is not None
    assert ("dataSourceRef" in made["spec"]) is (used == "true")
    first = found.steps[0]
    written = isinstance(first, plan.Change)
    assert written is not bool(given)
    if isinstance(first, plan.Change):
        assert first.wanted["metadata"]["annotations"][known.USE_POPULATOR] == used


# What cannot be done.


def refusal(found: plan.Plan, at: Seen) -> tuple[str | None, tuple[str, str, str]]:
    after = status(found, at)
    return after.get("phase"), condition(after, "Bound")


def test_a_claim_that_cannot_be_rendered_is_explained_and_not_retried() -> None:
    at = seen(volume(spec={"source": world.HTTP, "storage": {}}), storage=Cluster())
    found = decide(at)
    phase, (state, reason, message) = refusal(found, at)
    assert (phase, state, reason) == (None, "False", "ErrClaimNotValid")
    assert "PVC spec is missing accessMode and no storageClass to choose profile" in message
    assert "ErrClaimNotValid" in told(found)
    assert found.failure is None
    assert created(found, "PersistentVolumeClaim") is None


def test_a_word_that_is_no_truth_value_is_explained() -> None:
    at = seen(volume(**{known.USE_POPULATOR: "maybe"}))
    phase, (_, reason, message) = refusal(decide(at), at)
    assert (phase, reason) == (None, "ErrClaimNotValid")
    assert "maybe" in message


def test_a_quota_keeps_it_pending() -> None:
    at = seen()
    create = next(
        s
        for s in decide(at).steps
        if isinstance(s, plan.Create) and s.object["kind"] == "PersistentVolumeClaim"
    )
    assert create.refused is not None
    after = create.refused(QUOTA)
    phase, (state, reason, _) = refusal(after, at)
    assert (phase, state, reason) == ("Pending", "False", "ErrExceededQuota")
    assert "ErrExceededQuota" in told(after)


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        pytest.param(claim(owners=[]), "ErrResourceExists", id="nobodys"),
        pytest.param(
            claim(owners=[{"uid": "x", "kind": "Other", "controller": True}]),
            "ErrResourceExists",
            id="somebody-elses",
        ),
        pytest.param(
            claim(metadata={"deletionTimestamp": "x"}), "ErrResourceMarkedForDeletion", id="going"
        ),
    ],
)
def test_a_claim_that_is_not_ours_is_left_alone(found: Object, reason: str) -> None:
    at = seen(volume("Pending"), claim=found)
    result = decide(at)
    assert condition(status(result, at), "Bound")[1] == reason
    assert reason in told(result)
    kinds = [s.resource.kind for s in result.steps if not isinstance(s, plan.SetStatus)]
    assert "PersistentVolumeClaim" not in kinds


@pytest.mark.parametrize(
    ("given", "gates", "adopts"),
    [
        pytest.param({known.ALLOW_CLAIM_ADOPTION: "true"}, [], True, id="said-so"),
        pytest.param({}, ["DataVolumeClaimAdoption"], True, id="gate"),
        pytest.param(
            {known.ALLOW_CLAIM_ADOPTION: "false"}, ["DataVolumeClaimAdoption"], False, id="said-no"
        ),
        pytest.param(
            {known.ALLOW_CLAIM_ADOPTION: "?"}, ["DataVolumeClaimAdoption"], False, id="nonsense"
        ),
        pytest.param({}, [], False, id="nothing"),
    ],
)
def test_a_claim_is_taken_over_only_when_allowed(
    given: dict[str, str], gates: list[str], adopts: bool
) -> None:
    storage = Cluster(classes=CLASSES, config={"spec": {"featureGates": gates}})
    found = claim("Pending", owners=[])
    found["metadata"]["annotations"] = {}
    at = seen(volume("Pending", **given), claim=found, storage=storage)
    result = decide(at)
    assert (status(result, at)["phase"] == "Succeeded") is adopts
    taken = [s for s in result.steps if isinstance(s, plan.Change) and s.seen is found]
    assert bool(taken) is adopts


ASKED = {known.SOURCE: "http", known.ENDPOINT: "http://h/d"}
ADOPTING = {known.ALLOW_CLAIM_ADOPTION: "true"}
UNFINISHED = [
    pytest.param({**ASKED, known.POD_PHASE: "Failed", known.FATAL_ERROR: "true"}, id="failed"),
    pytest.param({**ASKED, known.POD_PHASE: "Running"}, id="still-runs"),
    pytest.param({**ASKED, known.POD_PHASE: "Unknown"}, id="lost-from-sight"),
    pytest.param(ASKED, id="has-not-begun"),
    pytest.param(
        {**ASKED, known.POD_PHASE: "Succeeded", known.CHECKPOINT_CURRENT: "a"}, id="first-stage"
    ),
    pytest.param({known.UPLOAD_TARGET: "", known.POD_PHASE: "Running"}, id="upload"),
    pytest.param({known.CLONE_REQUEST: "ns/other"}, id="clone"),
]


@pytest.mark.parametrize("given", UNFINISHED)
def test_a_claim_whose_disk_is_not_whole_is_not_taken_over(given: dict[str, str]) -> None:
    found = claim(owners=[])
    found["metadata"]["annotations"] = given
    at = seen(volume("Pending", **ADOPTING), claim=found)
    result = decide(at)
    assert status(result, at)["phase"] == "Pending"
    assert condition(status(result, at), "Ready")[0] == "False"
    kind, reason, message = condition(status(result, at), "Bound")
    assert (kind, reason) == ("False", "ErrResourceExists")
    assert "PVC dv" in message
    assert not [s for s in result.steps if isinstance(s, plan.Change) and s.seen is found]


@pytest.mark.parametrize("given", UNFINISHED[:5])
def test_a_claim_that_was_taken_over_is_ready_once_it_is_whole(given: dict[str, str]) -> None:
    found = claim(owners=[OURS])
    found["metadata"]["annotations"] = given
    at = seen(volume("Pending", **ADOPTING), claim=found)
    assert status(decide(at), at)["phase"] != "Succeeded"
    found["metadata"]["annotations"] = {
        **ASKED, known.POD_PHASE: "Succeeded", known.CHECKPOINT_DONE: "true",
    }  # fmt: skip
    assert status(decide(at), at)["phase"] == "Succeeded"


def test_a_claim_that_a_populator_has_yet_to_fill_is_not_taken_over() -> None:
    found = claim("Pending", owners=[])
    found["metadata"]["annotations"] = {}
    found["spec"]["dataSourceRef"] = {"kind": "VolumeImportSource", "name": "s"}
    at = seen(volume("Pending", **ADOPTING), claim=found)
    assert status(decide(at), at)["phase"] == "Pending"
    full = {**found, "status": {"phase": "Bound"}}
    at = seen(volume("Pending", **ADOPTING), claim=full)
    assert status(decide(at), at)["phase"] == "Succeeded"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({known.POD_PHASE: "Succeeded"}, id="imported"),
        pytest.param({known.POPULATED_FOR: "dv"}, id="vouched-for"),
    ],
)
def test_a_finished_data_volume_whose_claim_lost_its_volume_is_not_ready(
    given: dict[str, str],
) -> None:
    at = seen(volume("Succeeded"), claim=claim("Lost", annotations=given))
    result = decide(at)
    assert status(result, at)["phase"] == "Failed"
    assert condition(status(result, at), "Ready")[0] == "False"
    assert condition(status(result, at), "Bound")[:2] == ("False", "ClaimLost")
    assert "ErrClaimLost" in told(result)


@pytest.mark.parametrize("before", ["Succeeded", "Failed"])
def test_without_its_claim_a_data_volume_begins_anew(before: str) -> None:
    at = seen(volume(before), claim=None)
    result = decide(at)
    assert created(result, "PersistentVolumeClaim") is not None
    assert status(result, at)["phase"] == "Pending"
    assert condition(status(result, at), "Ready")[0] == "False"


def test_a_prepopulated_data_volume_waits_for_its_claim() -> None:
    at = seen(volume(**{known.PREPOPULATED: "dv"}))
    found = decide(at)
    assert created(found, "PersistentVolumeClaim") is None
    assert status(found, at)["phase"] == "Pending"


def test_a_finished_data_volume_vouches_for_its_claim() -> None:
    at = seen(volume("Succeeded", **{known.POPULATED_FOR: "dv"}), claim=claim())
    change = next(s for s in decide(at).steps if isinstance(s, plan.Change) and s.seen is at.claim)
    assert change.wanted["metadata"]["annotations"][known.POPULATED_FOR] == "dv"


@pytest.mark.parametrize("spec", [
    pytest.param({"pvc": {}}, id="nothing"),
])  # fmt: skip
def test_what_others_do_is_not_touched(spec: Object) -> None:
    assert decide(seen(volume(spec=spec))) == plan.NOTHING


def test_a_data_volume_that_goes_is_not_touched() -> None:
    of = volume()
    of["metadata"]["deletionTimestamp"] = "x"
    assert decide(seen(of)) == plan.NOTHING


# Prepared volumes.


def reserved(name: str, phase: str = "Available", size: str = "2Gi") -> Object:
    spec = {
        "claimRef": {"namespace": "ns", "name": "dv"}, "capacity": {"storage": size},
        "storageClassName": "fast", "accessModes": ["ReadWriteOnce"],
    }  # fmt: skip
    return {"metadata": {"name": name}, "spec": spec, "status": {"phase": phase}}


LOOKING = {known.CHECK_STATIC_VOLUME: ""}


def test_a_prepared_volume_is_waited_for_and_taken() -> None:
    volumes = [
        reserved("b"),
        reserved("a"),
        reserved("small", size="1Mi"),
        reserved("used", "Bound"),
    ]
    storage = Cluster(classes=CLASSES, volumes=volumes, config=CONFIG)
    found = decide(seen(volume(**LOOKING), storage=storage))
    made = created(found, "PersistentVolumeClaim")
    assert made is not None
    given = made["metadata"]["annotations"]
    assert given[known.PERSISTENT_VOLUME_LIST] == '["a", "b"]'
    assert not [key for key in given if key.startswith("cdi.kubevirt.io/storage.import.")]

    listed = {known.PERSISTENT_VOLUME_LIST: '["a", "b"]'}
    at = seen(volume("Pending", **LOOKING), claim=claim("Pending", annotations=listed))
    assert status(decide(at), at)["phase"] == "Pending"

    at = seen(volume("Pending", **LOOKING), claim=claim(annotations=listed, volumeName="a"))
    change = next(s for s in decide(at).steps if isinstance(s, plan.Change) and s.seen is at.claim)
    after = change.wanted["metadata"]["annotations"]
    assert after[known.POPULATED_FOR] == "dv"
    assert known.PERSISTENT_VOLUME_LIST not in after

    nonsense = {known.PERSISTENT_VOLUME_LIST: "[" * 100_000}
    for odd in (listed, nonsense):
        at = seen(volume("Pending", **LOOKING), claim=claim(annotations=odd, volumeName="z"))
        missed = decide(at)
        assert any(isinstance(s, plan.Remove) for s in missed.steps)
        assert missed.failure is not None


def test_without_a_prepared_volume_it_is_imported() -> None:
    made = created(decide(seen(volume(**LOOKING))), "PersistentVolumeClaim")
    assert made is not None
    assert made["metadata"]["annotations"][known.SOURCE] == "http"


# Conditions and progress.


def running(value: str, reason: str = "", message: str = "", **more: str) -> dict[str, str]:
    return pod("Running", **{
        known.RUNNING: value, known.RUNNING_REASON: reason, known.RUNNING_MESSAGE: message, **more,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, ("False", "", ""), id="nothing"),
        pytest.param(running("true", "Pod is running"), ("True", "Pod is running", ""), id="up"),
        pytest.param(running("false", "Error", "m"), ("False", "Error", "m"), id="down"),
        pytest.param(running("odd", "r", "m"), ("Unknown", "r", "m"), id="neither"),
        pytest.param(
            running("true", "Pod is running", "", **{
                known.SOURCE_RUNNING: "false", known.SOURCE_RUNNING_REASON: "s",
                known.SOURCE_RUNNING_MESSAGE: "sm",
            }),
            ("False", "s", "sm"),
            id="source-down",
        ),
        pytest.param(
            running("false", "t", "tm", **{
                known.SOURCE_RUNNING: "false", known.SOURCE_RUNNING_REASON: "s",
                known.SOURCE_RUNNING_MESSAGE: "sm",
            }),
            ("False", "t and s", "tm and sm"),
            id="both-down",
        ),
    ],
)  # fmt: skip
def test_running_says_what_the_pods_say(
    given: dict[str, str], expected: tuple[str, str, str]
) -> None:
    at = seen(volume("ImportInProgress"), claim=claim(annotations=given))
    after = status(decide(at), at)
    assert condition(after, "Running") == expected
    ready = ("False", "TransferRunning", "") if expected[0] == "True" else ("False", "", "")
    assert condition(after, "Ready") == ready


def test_an_unschedulable_pod_is_not_running() -> None:
    at = seen(claim=claim(annotations=pod("Pending", **{known.POD_SCHEDULABLE: "false"})))
    assert condition(status(decide(at), at), "Running")[:2] == ("False", "Unschedulable")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(None, ("False", "NotFound", "No PVC found"), id="none"),
        pytest.param(claim(), ("True", "Bound", "PVC dv Bound"), id="bound"),
        pytest.param(claim("Pending"), ("False", "Pending", "PVC dv Pending"), id="pending"),
        pytest.param(claim("Lost"), ("False", "ClaimLost", "Claim Lost"), id="lost"),
        pytest.param(
            claim("Pending", populated=True, annotations={
                known.BOUND: "false", known.BOUND_REASON: "Pending", known.BOUND_MESSAGE: "no room",
                known.PVC_PRIME: "prime-c",
            }),
            ("False", "Pending", "target PVC dv Pending and [prime-c] : no room"),
            id="the-provisioners-words",
        ),
        pytest.param(
            claim(annotations={
                known.BOUND: "false", known.BOUND_REASON: "CreatingScratchSpace",
                known.BOUND_MESSAGE: "Creating scratch space",
            }),
            ("False", "CreatingScratchSpace", "Creating scratch space"),
            id="scratch",
        ),
    ],
)  # fmt: skip
def test_bound_says_what_the_claim_says(
    found: Object | None, expected: tuple[str, str, str]
) -> None:
    at = seen(claim=found)
    result = decide(at)
    assert condition(status(result, at), "Bound") == expected
    assert expected[1] in told(result)


@pytest.mark.parametrize(
    ("phase", "given", "heard", "progress"),
    [
        pytest.param("Pending", {}, None, "N/A", id="not-begun"),
        pytest.param("ImportInProgress", running("true"), "12.50%", "12.50%", id="heard"),
        pytest.param("ImportInProgress", pod("Succeeded"), "99.00%", "100.0%", id="done"),
    ],
)
def test_progress(phase: str, given: dict[str, str], heard: str | None, progress: str) -> None:
    at = seen(volume(phase), claim=claim(annotations=given), progress=heard)
    found = decide(at)
    assert status(found, at)["progress"] == progress
    polls = found.again_in is not None
    assert polls is (progress == "12.50%")


def test_restarts_are_counted() -> None:
    at = seen(claim=claim(annotations={known.POD_RESTARTS: "3"}))
    assert status(decide(at), at)["restartCount"] == 3
    at = seen(claim=claim(annotations={known.POD_RESTARTS: "9" * 5000}))
    assert "restartCount" not in status(decide(at), at)


def test_the_reason_of_a_failure_stands_on_the_data_volume() -> None:
    given = pod("Failed", **{
        known.FATAL_ERROR: "true", known.RUNNING: "false", known.RUNNING_REASON: "NotFound",
        known.RUNNING_MESSAGE: "404; correct the URL",
    })  # fmt: skip
    at = seen(volume("ImportInProgress"), claim=claim(annotations=given))
    found = decide(at)
    after = status(found, at)
    assert after["phase"] == "Failed"
    assert condition(after, "Running") == ("False", "NotFound", "404; correct the URL")
    assert {"ImportFailed", "NotFound"} <= set(told(found))


def test_a_worker_that_has_ended_well_is_no_warning() -> None:
    given = pod("Running", **{
        known.RUNNING: "false", known.RUNNING_REASON: "Completed",
        known.RUNNING_MESSAGE: "Clone Complete",
    })  # fmt: skip
    at = seen(volume("ImportInProgress"), claim=claim(annotations=given))
    assert "Completed" not in told(decide(at))


def test_a_second_look_at_the_same_changes_nothing() -> None:
    at = seen(volume("ImportInProgress"), claim=claim(annotations=running("true", "r")))
    after = {**at.volume, "status": status(decide(at), at)}
    after["metadata"]["annotations"][known.USE_POPULATOR] = "false"
    again = decide(seen(after, claim=at.claim, now="2031-01-01T00:00:00Z"))
    assert again.steps == ()
    assert again.events == ()


# Claims that others fill.


def external(kind: str, reference: str = "dataSourceRef") -> Object:
    spec = world.pvc_spec(**{reference: {"kind": kind, "name": "x"}})
    return volume("Pending", spec={"pvc": spec})


@pytest.mark.parametrize(
    ("kind", "drivers", "bound", "reference", "phase", "reason"),
    [
        pytest.param("VolumeSnapshot", [], True, "dataSourceRef", "Succeeded", "", id="snapshot"),
        pytest.param("Other", [world.DRIVER], True, "dataSourceRef", "Succeeded", "", id="other"),
        pytest.param("Other", [world.DRIVER], False, "dataSourceRef", "Pending", "", id="pending"),
        pytest.param(
            "Other", [], True, "dataSourceRef", "PVCBound",
            "NoCSIDriverForExternalPopulation", id="no-driver",
        ),
        pytest.param(
            "Other", [world.DRIVER], True, "", "PVCBound", "NoAnyVolumeDataSource", id="dropped"
        ),
    ],
)  # fmt: skip
def test_external_population_succeeds_with_the_bound_claim(
    kind: str, drivers: list[str], bound: bool, reference: str, phase: str, reason: str
) -> None:
    found = claim("Bound" if bound else "Pending")
    if reference:
        found["spec"][reference] = {"kind": kind, "name": "x"}
    at = seen(external(kind), claim=found, csi_drivers=drivers)
    result = decide(at)
    assert status(result, at)["phase"] == phase
    assert not reason or reason in told(result)


def test_the_claim_of_an_external_population_is_marked() -> None:
    made = created(decide(seen(external("Other"))), "PersistentVolumeClaim")
    assert made is not None
    assert made["metadata"]["annotations"][known.EXTERNAL_POPULATION] == "true"
    assert made["spec"]["dataSourceRef"] == {"kind": "Other", "name": "x"}


OUR_SOURCE = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": "x"}


@pytest.mark.parametrize(
    ("bound", "given", "phase", "reason"),
    [
        pytest.param("Pending", {}, "Pending", "", id="not-begun"),
        pytest.param("Pending", {known.POD_PHASE: "Running"}, "Pending", "", id="at-work"),
        pytest.param(
            "Pending", {known.POD_PHASE: "Failed", known.FATAL_ERROR: "true"}, "Failed",
            "ImportFailed", id="failed-for-good",
        ),
        pytest.param(
            "Bound", {known.PVC_PRIME: "prime-c", known.POD_PHASE: "Running"}, "PVCBound", "",
            id="bound-before-it-was-full",
        ),
        pytest.param(
            "Bound", {known.PVC_PRIME: "prime-c", known.POD_PHASE: "Succeeded"}, "Succeeded",
            "ExternalPopulationSucceeded", id="full",
        ),
        pytest.param(
            "Bound", {}, "Succeeded", "ExternalPopulationSucceeded", id="bound-by-hand"
        ),
    ],
)  # fmt: skip
def test_what_our_own_populator_fills_needs_no_driver(
    bound: str, given: dict[str, str], phase: str, reason: str
) -> None:
    found = claim(bound, annotations=given, storageClassName="fast", dataSourceRef=OUR_SOURCE)
    of = volume("Pending", spec={"storage": {"dataSourceRef": OUR_SOURCE}})
    at = seen(of, claim=found, csi_drivers=[])
    result = decide(at)
    assert status(result, at)["phase"] == phase
    assert told(result).count("NoCSIDriverForExternalPopulation") == 0
    assert not reason or reason in told(result)


def test_a_claim_that_was_filled_before_shows_no_progress_of_ours() -> None:
    at = seen(volume(), claim=claim(annotations={known.POPULATED_FOR: "dv"}))
    result = decide(at)
    assert status(result, at)["phase"] == "Succeeded"
    assert status(result, at)["progress"] == "N/A"
    assert not [reason for reason in told(result) if reason.startswith("Import")]
    # One that was imported keeps what it has reached, also once its claim vouches for itself.
    imported = volume("Succeeded", **{known.POPULATED_FOR: "dv"})
    imported["status"]["progress"] = "100.0%"
    at = seen(imported, claim=claim(annotations={known.POPULATED_FOR: "dv"}))
    assert status(decide(at), at)["progress"] == "100.0%"


def test_an_importer_that_no_node_takes_is_told_in_words_that_clients_know() -> None:
    given = {known.POD_SCHEDULABLE: "false", **pod("Pending")}
    at = seen(volume("ImportScheduled"), claim=claim(annotations=given))
    message = condition(status(decide(at), at), "Running")[2]
    assert message.startswith("Importer pod cannot be scheduled")


@pytest.mark.parametrize("size", [200_000, 255_000, 262_000])
def test_annotations_near_their_limit_leave_the_claim_room(size: int) -> None:
    limit = 256 << 10
    given = {"notes.example/large": "x" * size, "notes.example/small": "y"}
    found = decide(seen(volume(**given)))
    made = created(found, "PersistentVolumeClaim")
    assert made is not None
    taken = made["metadata"]["annotations"]
    assert sum(len(key) + len(value) for key, value in taken.items()) < limit - 20_000
    assert taken["notes.example/small"] == "y"
    assert ("notes.example/large" in taken) is (size == 200_000)
    for step in found.steps:
        if isinstance(step, plan.Change):
            total = step.wanted["metadata"]["annotations"].items()
            assert sum(len(key) + len(value) for key, value in total) <= limit
