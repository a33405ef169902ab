"""Whole imports on a cluster of plain data, and the same with a crash before every single write."""

import itertools
import json

import pytest

from cdi.api import annotations as known
from cdi.kube import objects
from cdi.kube.objects import Object
from support import world
from support.world import World, ended, final, state, with_classes

ORDER = [
    "", "Pending", "WaitForFirstConsumer", "PendingPopulation", "PVCBound", "ImportScheduled",
    "ImportInProgress", "Succeeded", "Failed",
]  # fmt: skip
SCRATCH = state(
    "Succeeded", terminated=ended(json.dumps({"scratchSpaceRequired": True, "message": "x"}))
)
# As the kubelet shows it: containers have ended some time before their pod is over.
ENDING_SCRATCH = {**SCRATCH, "phase": "Running"}
NOT_FOUND = final("NotFound", "404 Not Found; correct the URL")
RETRIES = [
    world.CREATING,
    world.RUNNING,
    world.crashed("refused"),
    state("Running", 1, running={}),
    state("Succeeded", 1, terminated=ended(world.COMPLETE)),
]
NEEDS_SCRATCH = [world.CREATING, world.RUNNING, SCRATCH]
NEEDS_SCRATCH_STILL_ENDING = [world.CREATING, world.RUNNING, ENDING_SCRATCH]
WITHOUT_A_WORD = [world.CREATING, world.RUNNING, state("Succeeded", terminated=ended(""))]
EVICTED = [world.CREATING, world.RUNNING, {"phase": "Failed", "reason": "Evicted", "message": "m"}]
OOM = [world.CREATING, state("Running", terminated=ended("", 137, "OOMKilled"))]


def imported(
    scripts: list[list[Object]],
    *,
    populator: bool,
    volume: Object | None = None,
    crash_at: int | None = None,
) -> World:
    found = with_classes(World([list(each) for each in scripts]))
    if populator:
        found.put("csi_drivers", {"metadata": {"name": world.DRIVER}})
    found.settle()
    if crash_at is not None:
        found.crash_at = len(found.writes) + crash_at
    found.put("data_volumes", volume or world.data_volume())
    found.settle()
    return found


def phase_of(found: World, name: str = "dv") -> str:
    return str(objects.get(found.get_one("data_volumes", name), "status", "phase"))


CASES = [
    pytest.param([world.SUCCEEDS], "Succeeded", 1, id="plain"),
    pytest.param([RETRIES], "Succeeded", 1, id="retried-in-its-pod"),
    pytest.param([NEEDS_SCRATCH, world.SUCCEEDS], "Succeeded", 2, id="needs-scratch"),
    pytest.param(
        [NEEDS_SCRATCH_STILL_ENDING, world.SUCCEEDS], "Succeeded", 2, id="needs-scratch-and-lingers"
    ),
    pytest.param([WITHOUT_A_WORD, world.SUCCEEDS], "Succeeded", 2, id="over-without-a-word"),
    pytest.param([EVICTED, world.SUCCEEDS], "Succeeded", 2, id="evicted"),
    pytest.param([OOM, world.SUCCEEDS], "Succeeded", 2, id="killed-for-memory"),
    pytest.param([[world.CREATING, world.RUNNING, NOT_FOUND]], "Failed", 1, id="not-found"),
]
POPULATOR = pytest.mark.parametrize(
    "populator", [pytest.param(False, id="direct"), pytest.param(True, id="populator")]
)


@POPULATOR
@pytest.mark.parametrize(("scripts", "phase", "pods"), CASES)
def test_an_import_ends_and_leaves_nothing_behind(
    scripts: list[list[Object]], phase: str, pods: int, populator: bool
) -> None:
    found = imported(scripts, populator=populator)
    assert phase_of(found) == phase
    assert found.pods_made == pods
    assert len(found.cluster.pods) == 0
    if phase == "Succeeded":
        assert [objects.name(each) for each in found.cluster.claims.list()] == ["dv"]
        assert len(found.cluster.import_sources) == 0
        bound = found.get_one("claims", "dv")
        assert objects.get(bound, "status", "phase") == "Bound"


@POPULATOR
@pytest.mark.parametrize(("scripts", "phase", "pods"), CASES)
def test_phases_never_go_back(
    scripts: list[list[Object]], phase: str, pods: int, populator: bool
) -> None:
    found = imported(scripts, populator=populator)
    places = [ORDER.index(each) for each in found.phases["dv"]]
    if scripts[0] is EVICTED:
        back = [(a, b) for a, b in itertools.pairwise(places) if b < a]
        assert back in ([], [(ORDER.index("ImportInProgress"), ORDER.index("ImportScheduled"))])
        return
    assert places == sorted(places), found.phases


@POPULATOR
@pytest.mark.parametrize(("scripts", "phase", "pods"), CASES)
def test_a_crash_before_any_write_changes_nothing_about_the_end(
    scripts: list[list[Object]], phase: str, pods: int, populator: bool
) -> None:
    straight = imported(scripts, populator=populator)
    installed = len(with_settled(populator=populator).writes)
    steps = len(straight.writes) - installed
    wanted = comparable(straight)
    for crash_at in range(steps):
        found = imported(scripts, populator=populator, crash_at=crash_at)
        assert comparable(found) == wanted, crash_at
        assert found.pods_made == pods


def with_settled(*, populator: bool) -> World:
    found = with_classes(World())
    if populator:
        found.put("csi_drivers", {"metadata": {"name": world.DRIVER}})
    found.settle()
    return found


def comparable(found: World) -> Object:
    """What there is in the end, but for texts that hold a time."""
    text = json.dumps(found.picture(), sort_keys=True)
    return dict(json.loads(text))


@POPULATOR
def test_a_kept_pod_stays(populator: bool) -> None:
    volume = world.data_volume(annotations={known.RETAIN_AFTER_COMPLETION: "true"})
    found = imported([world.SUCCEEDS], populator=populator, volume=volume)
    assert phase_of(found) == "Succeeded"
    assert len(found.cluster.pods) == 1
    primes = [each for each in found.cluster.claims.list() if objects.name(each) != "dv"]
    assert [objects.get(each, "status", "phase") for each in primes] == ["Lost"] * populator
    assert ("RetainedPVCPrime" in found.reasons_told("PersistentVolumeClaim")) is populator
    found.drop("data_volumes", found.get_one("data_volumes", "dv") or {})
    found.settle()
    assert len(found.cluster.pods) == len(found.cluster.claims) == 0


@POPULATOR
def test_a_volume_that_waits_for_its_consumer_is_filled_when_it_comes(populator: bool) -> None:
    spec = {"source": world.HTTP, "pvc": world.pvc_spec(storageClassName="late")}
    found = imported([world.SUCCEEDS], populator=populator, volume=world.data_volume(spec=spec))
    assert phase_of(found) == ("PendingPopulation" if populator else "WaitForFirstConsumer")
    assert found.pods_made == 0
    node = {"metadata": {"annotations": {known.SELECTED_NODE: "node1"}}}
    found.patch_one("claims", "dv", node)
    found.settle()
    assert phase_of(found) == "Succeeded"
    assert [ORDER.index(each) for each in found.phases["dv"]] == sorted(
        ORDER.index(each) for each in found.phases["dv"]
    )


@POPULATOR
def test_immediate_binding_waits_for_nobody(populator: bool) -> None:
    spec = {"source": world.HTTP, "pvc": world.pvc_spec(storageClassName="late")}
    volume = world.data_volume(spec=spec, annotations={known.BIND_IMMEDIATE: ""})
    found = imported([world.SUCCEEDS], populator=populator, volume=volume)
    assert phase_of(found) == "Succeeded"


@POPULATOR
def test_the_events_of_a_plain_import(populator: bool) -> None:
    found = imported([world.SUCCEEDS], populator=populator)
    told = found.reasons_told("DataVolume")
    assert told[0] == "NotFound"
    assert told.count("ImportInProgress") == 1
    assert told.count("ImportSucceeded") == 1
    assert told.count("Bound") == 1
    assert not [each for each in found.told if each[2] == "Warning"]


def test_a_plain_import_takes_few_writes() -> None:
    installed = len(with_settled(populator=False).writes)
    assert len(imported([world.SUCCEEDS], populator=False).writes) - installed <= 12
    installed = len(with_settled(populator=True).writes)
    assert len(imported([world.SUCCEEDS], populator=True).writes) - installed <= 24


@POPULATOR
def test_two_of_one_name_do_not_meet(populator: bool) -> None:
    found = imported([world.SUCCEEDS, world.SUCCEEDS], populator=populator)
    other = world.data_volume()
    other["metadata"]["namespace"] = "other"
    found.put("data_volumes", other)
    found.settle()
    for namespace in ("ns", "other"):
        volume = found.get_one("data_volumes", "dv", namespace)
        assert objects.get(volume, "status", "phase") == "Succeeded"


@POPULATOR
@pytest.mark.parametrize("after", range(0, 12, 2))
def test_deleted_at_any_time_it_takes_everything_along(populator: bool, after: int) -> None:
    found = with_settled(populator=populator)
    found.put("data_volumes", world.data_volume())
    for _ in range(after):
        found.reconcile_all()
        _ = found.run_pods() or found.bind_claims() or found.follow_claim_references()
    volume = found.get_one("data_volumes", "dv")
    assert volume is not None
    found.drop("data_volumes", volume)
    found.settle()
    for cache in (found.cluster.claims, found.cluster.pods, found.cluster.import_sources):
        assert len(cache) == 0


@POPULATOR
def test_a_claim_deleted_afterwards_is_made_and_filled_again(populator: bool) -> None:
    found = imported([world.SUCCEEDS, world.SUCCEEDS], populator=populator)
    claim = found.get_one("claims", "dv")
    assert claim is not None
    found.drop("claims", claim)
    found.settle()
    assert phase_of(found) == "Succeeded"
    assert found.pods_made == 2


def test_a_claim_of_a_user_is_imported_without_a_data_volume() -> None:
    found = with_settled(populator=False)
    given = {known.ENDPOINT: "http://images.example/x"}
    found.put("claims", {
        "metadata": {"name": "hand", "annotations": given}, "spec": world.pvc_spec(),
        "status": {"phase": "Pending"},
    })  # fmt: skip
    found.settle()
    after = found.get_one("claims", "hand")
    assert after is not None
    assert objects.annotations(after)[known.POD_PHASE] == "Succeeded"
    assert len(found.cluster.pods) == 0


def test_everything_is_blank_where_nothing_is_named() -> None:
    found = imported(
        [world.SUCCEEDS], populator=True, volume=world.data_volume(source={"blank": {}})
    )
    assert phase_of(found) == "Succeeded"


def test_storage_is_completed_from_the_profile() -> None:
    found = with_settled(populator=False)
    found.patch_one("profiles", "fast", {
        "spec": {"claimPropertySets": [{"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}]}
    })  # fmt: skip
    found.settle()
    spec = {"source": world.HTTP, "storage": {"resources": {"requests": {"storage": "1Gi"}}}}
    found.put("data_volumes", world.data_volume(spec=spec))
    found.settle()
    claim = found.get_one("claims", "dv")
    assert claim is not None
    assert claim["spec"]["volumeMode"] == "Block"
    assert claim["spec"]["storageClassName"] == "fast"
    assert phase_of(found) == "Succeeded"


def test_a_profile_that_becomes_complete_lets_it_go_on() -> None:
    found = with_settled(populator=False)
    spec = {"source": world.HTTP, "storage": {"resources": {"requests": {"storage": "1Gi"}}}}
    found.put("data_volumes", world.data_volume(spec=spec))
    found.settle()
    assert found.cluster.claims.list() == []
    assert "ErrClaimNotValid" in found.reasons_told("DataVolume")
    found.patch_one("profiles", "fast", {
        "spec": {"claimPropertySets": [{"accessModes": ["ReadWriteOnce"],
                                        "volumeMode": "Filesystem"}]}
    })  # fmt: skip
    found.settle()
    assert phase_of(found) == "Succeeded"


@pytest.mark.parametrize(
    ("script", "phase"),
    [
        pytest.param(world.SUCCEEDS, "Succeeded", id="filled"),
        pytest.param([world.CREATING, world.RUNNING, NOT_FOUND], "Failed", id="not-found"),
    ],
)
def test_an_import_source_of_a_user_fills_a_class_without_a_driver(
    script: list[Object], phase: str
) -> None:
    found = with_classes(World([list(script)]))
    found.put("import_sources", {"metadata": {"name": "mine"}, "spec": {"source": world.HTTP}})
    reference = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": "mine"}
    spec = {"pvc": {**world.pvc_spec(), "dataSourceRef": reference}}
    found.put("data_volumes", {"metadata": {"name": "dv"}, "spec": spec})
    found.settle()
    assert phase_of(found) == phase
    bound = objects.get(found.get_one("claims", "dv"), "status", "phase") == "Bound"
    assert bound is (phase == "Succeeded")
    assert len(found.cluster.import_sources) == 1


@pytest.mark.parametrize("populator", [False, True])
def test_only_the_pod_that_was_made_for_a_claim_is_asked_how_far_it_is(populator: bool) -> None:
    found = imported([[world.CREATING, world.RUNNING]], populator=populator)
    (pod,) = found.cluster.pods.list()
    assert set(found.progress.asked) == {objects.uid(pod)}
    found.progress.asked.clear()
    foreign = json.loads(json.dumps(pod))
    foreign["metadata"] |= {"uid": "foreign", "ownerReferences": []}
    found.put("pods", foreign)
    found.reconcile_all()
    assert found.progress.asked == []
