"""Whole lives of boot images on a cluster of plain data, with a crash before every single write."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.api import labels
from cdi.controllers.dataimportcron import pollers
from cdi.kube import objects
from cdi.kube.mergepatch import merged
from cdi.kube.objects import Object
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
