"""Whole uploads on a cluster of plain data, and the same with a crash before every single write."""

import json

import pytest

from cdi.api import annotations as known
from cdi.kube import objects
from cdi.kube.objects import Key, Object
from support import world
from support.world import World, ended, served, with_certificates, with_classes

WORD = ended(json.dumps({"message": "not a disk", "reason": "InvalidFormat"}), 1)
ANOTHER_TRY = [
    world.UP,
    world.READY,
    served("Running", terminated=WORD),
    served("Running", 1, ready=True, running={}, last=WORD),
    served("Succeeded", 1, terminated=ended(world.UPLOAD_COMPLETE)),
]
SCRATCH = served("Succeeded", terminated=ended(json.dumps({"scratchSpaceRequired": True})))
NEEDS_SCRATCH = [world.UP, world.READY, SCRATCH]
DEADLINE = json.dumps({"deadlinePassed": True, "message": "Deadline Passed"})
RELIEVED = [world.UP, world.READY, served("Succeeded", terminated=ended(DEADLINE))]
EVICTED = [world.UP, world.READY, {"phase": "Failed", "reason": "Evicted", "message": "m"}]
KILLED = [
    world.READY,
    served(
        "Running", 2,
        waiting={"reason": "CrashLoopBackOff", "message": "back-off 20s restarting failed c"},
        last=ended("", 137) | {"startedAt": "2029-12-31T23:59:00Z"},
    ),
]  # fmt: skip
CASES = [
    pytest.param([world.TAKES_A_DISK], 1, id="plain"),
    pytest.param([ANOTHER_TRY], 1, id="a-broken-disk-first"),
    pytest.param([NEEDS_SCRATCH, world.TAKES_A_DISK], 2, id="needs-scratch"),
    pytest.param([RELIEVED, world.TAKES_A_DISK], 2, id="waits-for-long"),
    pytest.param([EVICTED, world.TAKES_A_DISK], 2, id="evicted"),
    pytest.param([KILLED, world.TAKES_A_DISK], 2, id="killed-again-and-again"),
]
POPULATOR = pytest.mark.parametrize(
    "populator", [pytest.param(False, id="direct"), pytest.param(True, id="populator")]
)
UPLOAD = {"upload": {}}


def installed(scripts: list[list[Object]], *, populator: bool) -> World:
    found = with_certificates(with_classes(World([list(each) for each in scripts])))
    if populator:
        found.put("csi_drivers", {"metadata": {"name": world.DRIVER}})
    found.settle()
    return found


def uploaded(
    scripts: list[list[Object]],
    *,
    populator: bool,
    volume: Object | None = None,
    crash_at: int | None = None,
) -> World:
    found = installed(scripts, populator=populator)
    if crash_at is not None:
        found.crash_at = len(found.writes) + crash_at
    found.put("data_volumes", volume or world.data_volume(source=UPLOAD))
    found.settle()
    return found


def phase_of(found: World, name: str = "dv") -> str:
    return str(objects.get(found.get_one("data_volumes", name), "status", "phase"))


@POPULATOR
@pytest.mark.parametrize(("scripts", "pods"), CASES)
def test_an_upload_ends_and_leaves_nothing_behind(
    scripts: list[list[Object]], pods: int, populator: bool
) -> None:
    found = uploaded(scripts, populator=populator)
    assert phase_of(found) == "Succeeded"
    assert found.pods_made == pods
    assert [len(each) for each in (found.cluster.pods, found.cluster.services)] == [0, 0]
    assert list(found.secrets) == [Key("cdi", "cdi-uploadserver-signer")]
    assert [objects.name(each) for each in found.cluster.claims.list()] == ["dv"]
    assert len(found.cluster.upload_sources) == 0
    bound = found.get_one("claims", "dv")
    assert objects.get(bound, "status", "phase") == "Bound"
    assert known.PVC_PRIME not in objects.annotations(bound or {})


@POPULATOR
@pytest.mark.parametrize(("scripts", "pods"), CASES)
def test_a_crash_before_any_write_changes_nothing_about_the_end(
    scripts: list[list[Object]], pods: int, populator: bool
) -> None:
    straight = uploaded(scripts, populator=populator)
    before = len(installed([], populator=populator).writes)
    for crash_at in range(len(straight.writes) - before):
        found = uploaded(scripts, populator=populator, crash_at=crash_at)
        assert found.picture() == straight.picture(), crash_at
        assert found.pods_made == pods, crash_at


@POPULATOR
def test_the_claim_says_which_resumable_upload_filled_it(populator: bool) -> None:
    done = json.dumps({"message": "Upload Complete", "uploadSession": "ab12 4096"})
    script = [world.UP, world.READY, served("Succeeded", terminated=ended(done))]
    found = uploaded([script], populator=populator)
    said = objects.annotations(found.get_one("claims", "dv") or {})
    assert said[known.UPLOAD_SESSION] == "ab12 4096"


@POPULATOR
def test_the_phases_and_events_of_a_plain_upload(populator: bool) -> None:
    found = uploaded([world.TAKES_A_DISK], populator=populator)
    wanted = ["UploadScheduled", "UploadReady", "Succeeded"]
    assert [each for each in found.phases["dv"] if each in wanted] == wanted
    told = found.reasons_told("DataVolume")
    for reason in ("UploadScheduled", "UploadReady", "UploadSucceeded"):
        assert told.count(reason) == 1
    assert not [each for each in found.told if each[2] == "Warning"]
    assert objects.get(found.get_one("data_volumes", "dv"), "status", "progress") == "N/A"


@POPULATOR
def test_a_data_volume_that_is_ready_says_so(populator: bool) -> None:
    found = uploaded([world.TAKES_A_DISK[:-1]], populator=populator)
    assert phase_of(found) == "UploadReady"
    status = objects.get(found.get_one("data_volumes", "dv"), "status")
    said = {each["type"]: (each["status"], each.get("reason")) for each in status["conditions"]}
    assert said["Running"] == ("True", "Pod is running")
    assert said["Ready"] == ("False", "TransferRunning")
    assert said["Bound"][0] == ("False" if populator else "True")
    target = found.get_one("claims", "dv")
    assert target is not None
    if populator:
        prime = found.get_one("claims", objects.annotations(target)[known.PVC_PRIME])
        assert known.UPLOAD_TARGET in objects.annotations(prime or {})
        assert known.UPLOAD_TARGET not in objects.annotations(target)
    assert objects.annotations(target)[known.POD_READY] == "true"


@POPULATOR
def test_why_an_upload_failed_is_on_the_data_volume(populator: bool) -> None:
    found = uploaded([ANOTHER_TRY[:-1]], populator=populator)
    assert phase_of(found) == "UploadReady"
    status = objects.get(found.get_one("data_volumes", "dv"), "status")
    running = next(each for each in status["conditions"] if each["type"] == "Running")
    assert running["status"] == "True"
    assert running["message"] == "the last upload failed: not a disk; reason=InvalidFormat"
    assert status["restartCount"] == 1


@POPULATOR
def test_an_archive_is_asked_for_on_the_claim_that_is_filled(populator: bool) -> None:
    spec = {"source": UPLOAD, "contentType": "archive", "pvc": world.pvc_spec()}
    found = uploaded(
        [world.TAKES_A_DISK[:-1]], populator=populator, volume=world.data_volume(spec=spec)
    )
    asked = [each for each in found.cluster.claims.list()
             if known.UPLOAD_TARGET in objects.annotations(each)]  # fmt: skip
    assert [objects.annotations(each)[known.CONTENT_TYPE] for each in asked] == ["archive"]


@POPULATOR
def test_a_volume_that_waits_for_its_consumer_takes_bytes_when_it_comes(populator: bool) -> None:
    spec = {"source": UPLOAD, "pvc": world.pvc_spec(storageClassName="late")}
    found = uploaded([world.TAKES_A_DISK], populator=populator, volume=world.data_volume(spec=spec))
    assert phase_of(found) == ("PendingPopulation" if populator else "WaitForFirstConsumer")
    assert found.pods_made == 0
    node = {"metadata": {"annotations": {known.SELECTED_NODE: "node1"}}}
    found.patch_one("claims", "dv", node)
    found.settle()
    assert phase_of(found) == "Succeeded"


@POPULATOR
@pytest.mark.parametrize("after", range(0, 14, 2))
def test_deleted_at_any_time_it_takes_everything_along(populator: bool, after: int) -> None:
    found = installed([], populator=populator)
    found.put("data_volumes", world.data_volume(source=UPLOAD))
    for _ in range(after):
        found.reconcile_all()
        _ = found.run_pods() or found.bind_claims() or found.follow_claim_references()
    volume = found.get_one("data_volumes", "dv")
    assert volume is not None
    found.drop("data_volumes", volume)
    found.settle()
    seen = found.cluster
    for cache in (seen.claims, seen.pods, seen.services, seen.upload_sources):
        assert len(cache) == 0
    assert len(found.secrets) == 1


@POPULATOR
def test_a_data_volume_whose_upload_is_cancelled_is_not_ready(populator: bool) -> None:
    found = uploaded([world.TAKES_A_DISK[:-1]], populator=populator)
    asked = next(each for each in found.cluster.claims.list()
                 if known.UPLOAD_TARGET in objects.annotations(each))  # fmt: skip
    without = {"metadata": {"annotations": {known.UPLOAD_TARGET: None}}}
    found.patch_one("claims", objects.name(asked), without)
    found.settle()
    assert phase_of(found) == "UploadScheduled"
    assert [len(each) for each in (found.cluster.pods, found.cluster.services)] == [0, 0]


def test_a_claim_of_a_user_takes_an_upload_without_a_data_volume() -> None:
    found = installed([world.TAKES_A_DISK], populator=False)
    found.put("claims", {
        "metadata": {"name": "hand", "annotations": {known.UPLOAD_TARGET: ""}},
        "spec": world.pvc_spec(), "status": {"phase": "Pending"},
    })  # fmt: skip
    found.settle()
    after = found.get_one("claims", "hand")
    assert objects.annotations(after or {})[known.POD_PHASE] == "Succeeded"
    assert len(found.cluster.pods) == 0


def test_an_upload_source_of_a_user_fills_its_claims() -> None:
    found = installed([world.TAKES_A_DISK], populator=False)
    found.put("upload_sources", {"metadata": {"name": "mine"}, "spec": {}})
    reference = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeUploadSource", "name": "mine"}
    found.put("claims", {
        "metadata": {"name": "hand"}, "spec": {**world.pvc_spec(), "dataSourceRef": reference},
        "status": {"phase": "Pending"},
    })  # fmt: skip
    found.settle()
    after = found.get_one("claims", "hand")
    assert objects.get(after, "status", "phase") == "Bound"
    assert [objects.name(each) for each in found.cluster.claims.list()] == ["hand"]
    assert found.reasons_told("PersistentVolumeClaim").count("UploadSucceeded") >= 1


def test_without_an_operator_it_says_what_it_waits_for() -> None:
    found = with_classes(World())
    found.settle()
    found.put("data_volumes", world.data_volume(source=UPLOAD))
    found.settle()
    status = objects.get(found.get_one("data_volumes", "dv"), "status")
    running = next(each for each in status["conditions"] if each["type"] == "Running")
    assert "Secret cdi-uploadserver-signer" in running["message"]
    with_certificates(found)
    found.settle()
    assert phase_of(found) != "Pending"
    assert found.pods_made == 1
