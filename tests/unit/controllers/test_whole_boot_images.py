"""Whole lives of boot images on a cluster of plain data, with a crash before every single write."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.api import labels
from cdi.controllers.dataimportcron import pollers
from cdi.controllers.kinds import DATA_IMPORT_CRONS
from cdi.kube import objects
from cdi.kube.mergepatch import merged
from cdi.kube.objects import Object
from cdi.kube.resource import Resource
from support import world
from support.world import SETTINGS, Storage, World, with_classes

A, B, C = ("sha256:" + letter * 64 for letter in "abc")
NAMES = {A: "fedora-aaaaaaaaaaaa", B: "fedora-bbbbbbbbbbbb", C: "fedora-cccccccccccc"}
URL = "docker://registry.example/boot/fedora:latest"


class Snapshots(Storage):
    """Storage that takes snapshots."""

    def move(self, found: World) -> bool:
        for each in found.cluster.snapshots.list():
            if objects.get(each, "status", "readyToUse") is not True:
                found.put("snapshots", merged(each, {"status": {"readyToUse": True}}))
                return True
        return False


def cron(**spec: Any) -> Object:
    size = {"requests": {"storage": "5Gi"}}
    storage = {"accessModes": ["ReadWriteOnce"], "resources": size}
    template = {"source": {"registry": {"url": URL}}, "storage": storage}
    return {
        "metadata": {"name": "cron", "namespace": "ns"},
        "spec": {
            "template": {"spec": template}, "schedule": "0 0 * * *", "managedDataSource": "fedora",
            "retentionPolicy": "None", "importsToKeep": 1, **spec,
        },
    }  # fmt: skip


def answered(found: World, version: str, failure: str = "") -> None:
    """A poller has ended."""
    number = sum(1 for _ in found.cluster.pods.list())
    message = {"message": failure} if failure else {"version": version}
    at = found.clock.wall().isoformat()
    ended = {"exitCode": int(bool(failure)), "finishedAt": at, "message": json.dumps(message)}
    found.put("pods", {
        "metadata": {"name": f"poller-{number}", "namespace": SETTINGS.namespace, "labels": {
            labels.DATA_IMPORT_CRON: "cron", labels.DATA_IMPORT_CRON_NAMESPACE: "ns"}},
        "status": {"phase": "Failed" if failure else "Succeeded", "containerStatuses": [
            {"name": pollers.CONTAINER, "state": {"terminated": ended}}]},
    })  # fmt: skip


def begun(*scripts: list[Object], snapshots: bool = False, **spec: Any) -> World:
    found = with_classes(World([list(each) for each in scripts], storage=Snapshots()))
    found.put("snapshot_classes", {"metadata": {"name": "snaps"}, "driver": world.DRIVER})
    found.settle()
    if snapshots:
        want_snapshots(found, "snapshot")
    found.put("crons", cron(**spec))
    found.settle()
    return found


def want_snapshots(found: World, form: str) -> None:
    profile = found.get_one("profiles", "fast")
    assert profile is not None
    found.put("profiles", {**profile, "spec": {"dataImportCronSourceFormat": form}})
    found.settle()


def source(found: World) -> Object:
    data_source = found.get_one("data_sources", "fedora")
    return dict(objects.get(data_source, "status", "source", default={}))


def conditions(found: World) -> dict[str, str]:
    given = found.get_one("crons", "cron")
    return {each["type"]: each["reason"] for each in objects.get(given, "status", "conditions")}


def there(found: World, cache: str) -> set[str]:
    return {objects.name(each) for each in found.cluster.of(cache).list()}


def a_turn(found: World) -> None:
    answered(found, A)
    found.settle()
    answered(found, B)
    found.settle()


def a_turn_of_snapshots(found: World) -> None:
    a_turn(found)
    want_snapshots(found, "pvc")
    want_snapshots(found, "snapshot")


def a_failed_import(found: World) -> None:
    answered(found, A)
    found.settle()
    answered(found, B)
    found.settle()  # fails for good
    answered(found, B)
    found.settle()  # tried again, and fails
    answered(found, C)
    found.settle()


def a_tag_moved_back(found: World) -> None:
    for version in (A, B, A):
        answered(found, version)
        found.settle()


def a_moved_class(found: World) -> None:
    answered(found, A)
    found.settle()
    virt = {known.DEFAULT_VIRT_STORAGE_CLASS: "true"}
    found.put("classes", {**world.storage_class("virt"), "metadata": {
        "name": "virt", "annotations": virt}})  # fmt: skip
    found.settle()


def the_end(found: World) -> None:
    a_turn(found)
    given = found.get_one("crons", "cron")
    assert given is not None
    found.drop("crons", given)
    found.settle()


GONE = [world.CREATING, world.RUNNING, world.final("SourceNotFound", "404; a layer is missing")]
LIVES = [
    pytest.param((), {}, a_turn, B, id="a-turn"),
    pytest.param((), {"snapshots": True}, a_turn_of_snapshots, B, id="snapshots"),
    pytest.param((world.SUCCEEDS, GONE, GONE), {}, a_failed_import, C, id="failures"),
    pytest.param((), {"importsToKeep": 3}, a_tag_moved_back, A, id="a-tag-moved-back"),
    pytest.param((), {}, a_moved_class, A, id="a-moved-class"),
    pytest.param((), {}, the_end, None, id="the-end"),
]


@pytest.mark.parametrize(("scripts", "spec", "live", "newest"), LIVES)
def test_a_life_ends_with_the_newest_image(
    scripts: Any, spec: Any, live: Callable[[World], None], newest: str | None
) -> None:
    found = begun(*scripts, **spec)
    live(found)
    if newest is None:
        assert [there(found, each) for each in ("crons", "data_sources", "claims")] == [set()] * 3
        assert there(found, "cron_jobs") == set()
        return
    (named,) = source(found).values()
    assert named["name"] == NAMES[newest]
    assert conditions(found) == {"Progressing": "NoImport", "UpToDate": "UpToDate"}
    kept = there(found, "snapshots" if spec.get("snapshots") else "claims")
    assert kept == ({NAMES[A], NAMES[B]} if "importsToKeep" in spec else {NAMES[newest]})


# What happens within an import is interrupted in the tests of imports.
OF_IMPORTS = {
    ("create", "Pod"), ("delete", "Pod"), ("create", "PersistentVolumeClaim"),
    ("patch status", "DataVolume"),
}  # fmt: skip


@pytest.mark.parametrize(("scripts", "spec", "live", "newest"), LIVES)
def test_a_life_that_is_interrupted_at_any_write_ends_the_same(
    scripts: Any, spec: Any, live: Callable[[World], None], newest: str | None
) -> None:
    whole = begun(*scripts, **spec)
    before = len(whole.writes)
    live(whole)
    want = outcome(whole)
    for number in range(before, len(whole.writes)):
        if whole.writes[number][:2] in OF_IMPORTS:
            continue
        found = begun(*scripts, **spec)
        found.crash_at = number
        live(found)
        assert outcome(found) == want, whole.writes[number]


def outcome(found: World) -> Any:
    """What users see of the cluster."""
    named = [source(found)] if there(found, "data_sources") else []
    said = [conditions(found)] if there(found, "crons") else []
    caches = ("data_volumes", "claims", "snapshots", "cron_jobs")
    return named, said, [there(found, each) for each in caches]


def test_a_digest_is_imported_once() -> None:
    found = begun()
    for _ in range(4):
        answered(found, A)
        found.settle()
    assert found.pods_made == 1
    assert len([each for each in found.writes if each[:2] == ("create", "DataVolume")]) == 1


def test_a_registry_that_fails_changes_nothing_but_words() -> None:
    found = begun()
    answered(found, A)
    found.settle()
    before = source(found)
    answered(found, "", failure="registry.example: 429 Too Many Requests")
    found.settle()
    assert source(found) == before
    assert conditions(found) == {"Progressing": "PollFailed", "UpToDate": "UpToDate"}


def test_the_data_source_is_ready_from_the_first_import_on() -> None:
    found = begun(snapshots=True)
    answered(found, A)
    found.settle()
    told: list[str] = []
    original = found.put

    def put(cache: str, obj: Object) -> Object:
        if cache == "data_sources":
            (ready,) = objects.get(obj, "status", "conditions")
            told.append(ready["status"])
        return original(cache, obj)

    found.put = put  # type: ignore[method-assign]
    answered(found, B)
    found.settle()
    assert source(found) == {"snapshot": {"namespace": "ns", "name": NAMES[B]}}
    assert set(told) == {"True"}


def test_a_second_cron_takes_over_when_the_first_goes() -> None:
    found = begun()
    answered(found, A)
    found.settle()
    second = cron(schedule="")
    second["metadata"] |= {"name": "second", "annotations": {known.DESIRED_DIGEST: B}}
    found.put("crons", second)
    found.settle()
    assert found.reasons_told("DataImportCron") == ["ErrDataSourceAlreadyManaged"]
    first = found.get_one("crons", "cron")
    assert first is not None
    found.drop("crons", first)
    found.settle()
    assert source(found) == {"pvc": {"namespace": "ns", "name": NAMES[B]}}


# What clients see, and administrators do.


def told_by(found: World, live: Callable[[World], None]) -> list[tuple[str, str]]:
    """UpToDate's and Progressing's reasons, as they follow each other in every write."""
    told: list[tuple[str, str]] = []
    original = found.put

    def put(cache: str, obj: Object) -> Object:
        if cache == "crons":
            given = {
                each["type"]: each["reason"]
                for each in objects.get(obj, "status", "conditions", default=[])
            }
            now = given.get("UpToDate", ""), given.get("Progressing", "")
            if any(now) and (not told or told[-1] != now):
                told.append(now)
        return original(cache, obj)

    found.put = put  # type: ignore[method-assign]
    live(found)
    return told


def test_a_good_import_is_told_step_by_step() -> None:
    found = with_classes(World([world.SUCCEEDS], storage=Snapshots()))
    found.settle()

    def live(found: World) -> None:
        found.put("crons", cron())
        found.settle()
        answered(found, A)
        found.settle()

    told = told_by(found, live)
    assert told[0] == ("NoDigest", "NoImport")
    assert told[1][0] == "Outdated"
    assert told[-1] == ("UpToDate", "NoImport")
    while_importing = [progress for current, progress in told if current == "ImportProgressing"]
    wanted = [each for each in while_importing if each in ("ImportScheduled", "ImportProgressing")]
    assert wanted == ["ImportScheduled", "ImportProgressing"]


def hand_written(found: World, digest: str) -> None:
    found.patch_one("crons", "cron", {"metadata": {"annotations": {known.DESIRED_DIGEST: digest}}})
    found.settle()


def test_a_digest_that_somebody_writes_is_imported() -> None:
    found = begun(schedule="")
    assert there(found, "cron_jobs") == set()
    for digest in (A, B):
        hand_written(found, digest)
        assert source(found) == {"pvc": {"namespace": "ns", "name": NAMES[digest]}}


@pytest.mark.parametrize("deleted", [True, False])
def test_the_data_source_is_made_again_and_pointed_back(deleted: bool) -> None:
    found = begun()
    answered(found, A)
    found.settle()
    before = source(found)
    given = found.get_one("data_sources", "fedora")
    assert given is not None
    if deleted:
        found.drop("data_sources", given)
    else:
        elsewhere = {"pvc": {"namespace": "ns", "name": "elsewhere"}}
        found.patch_one("data_sources", "fedora", {"spec": {"source": elsewhere}})
    found.settle()
    assert source(found) == before


@pytest.mark.parametrize("snapshots", [False, True])
def test_the_last_image_is_imported_again_when_it_is_deleted(snapshots: bool) -> None:
    found = begun(snapshots=snapshots)
    answered(found, A)
    found.settle()
    for cache in ("data_volumes", "claims", "snapshots"):
        given = found.get_one(cache, NAMES[A])
        if given is not None:
            found.drop(cache, given)
    found.settle()
    (named,) = source(found).values()
    assert named["name"] == NAMES[A]
    assert found.pods_made == 2
    assert conditions(found)["UpToDate"] == "UpToDate"


def test_no_claim_is_left_once_images_are_snapshots() -> None:
    found = begun()
    answered(found, A)
    found.settle()
    want_snapshots(found, "snapshot")
    assert there(found, "claims") == set()
    assert there(found, "data_volumes") == set()
    made = found.get_one("snapshots", NAMES[A])
    assert made is not None
    assert objects.labels(made)[labels.DATA_IMPORT_CRON] == "cron"
    assert objects.annotations(made)[known.SOURCE_VOLUME_MODE] == "Filesystem"


@pytest.mark.parametrize("policy", ["None", "All"])
def test_what_stays_when_a_cron_goes_is_its_retention_policy(policy: str) -> None:
    found = begun(retentionPolicy=policy)
    answered(found, A)
    found.settle()
    given = found.get_one("crons", "cron")
    assert given is not None
    found.drop("crons", given)
    found.settle()
    assert there(found, "cron_jobs") == set()
    kept = {NAMES[A]} if policy == "All" else set()
    assert there(found, "claims") == kept
    assert there(found, "data_sources") == ({"fedora"} if kept else set())


def test_the_image_that_was_used_longest_ago_goes() -> None:
    found = begun(importsToKeep=2)
    for version in (A, B, A, C):
        answered(found, version)
        found.settle()
    assert there(found, "claims") == {NAMES[A], NAMES[C]}


class OfClasses(Snapshots):
    """Storage as it is: nobody makes a volume for a claim without a class."""

    def can_make(self, world: World, claim: Object) -> bool:
        named = bool(objects.get(claim, "spec", "storageClassName"))
        return named and super().can_make(world, claim)


def test_an_import_waits_for_a_default_class_and_begins_when_there_is_one() -> None:
    found = World([world.SUCCEEDS], storage=OfClasses())
    found.settle()
    found.put("crons", cron())
    found.settle()
    answered(found, A)
    found.settle()
    assert conditions(found)["UpToDate"] != "UpToDate"
    with_classes(found)
    found.settle()
    assert source(found) == {"pvc": {"namespace": "ns", "name": NAMES[A]}}
    assert conditions(found) == {"Progressing": "NoImport", "UpToDate": "UpToDate"}


class Behind(World):
    """Its caches do not know of a cron yet that the server has."""

    async def get(self, resource: Resource, name: str, namespace: str | None = None) -> Object:
        return {} if resource == DATA_IMPORT_CRONS else await super().get(resource, name, namespace)


@pytest.mark.parametrize(("made", "left"), [(World, set()), (Behind, {"left"})])
def test_what_is_left_of_a_cron_goes_when_the_server_knows_of_none(
    made: Any, left: set[str]
) -> None:
    found = with_classes(made([]))
    marks = {labels.DATA_IMPORT_CRON: "gone", labels.DATA_IMPORT_CRON_CLEANUP: "true"}
    found.put("data_sources", {"metadata": {"name": "left", "labels": marks}, "spec": {}})
    found.settle()
    assert there(found, "data_sources") == left


@pytest.mark.parametrize(
    ("cron", "left"),
    [
        pytest.param("true", {"asked-for"}, id="an-image-of-ones-own"),
        pytest.param("gone", set(), id="what-the-cron-has-made"),
    ],
)
def test_a_data_source_whose_label_names_no_cron_may_be_a_wish_for_one(
    cron: str, left: set[str]
) -> None:
    found = with_classes(World([]))
    own = {"name": "own", "namespace": "ns", "uid": "own"}
    if cron != "true":
        own["labels"] = {labels.DATA_IMPORT_CRON: cron}
    found.put("claims", {"metadata": own, "spec": {}, "status": {"phase": "Bound"}})
    marks = {labels.DATA_IMPORT_CRON: cron, labels.DATA_IMPORT_CRON_CLEANUP: "true"}
    source = {"pvc": {"namespace": "ns", "name": "own"}}
    meta = {"name": "asked-for", "namespace": "ns", "labels": marks}
    found.put("data_sources", {"metadata": meta, "spec": {"source": source}})
    found.settle()
    assert there(found, "data_sources") == left
