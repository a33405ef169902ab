"""What a pass over a DataImportCron decides, state by state."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.api import finalizers, labels
from cdi.controllers import kinds, plan
from cdi.controllers.dataimportcron import (
    besides,
    cleanup,
    marks,
    metrics,
    nodepull,
    pollers,
    template,
)
from cdi.controllers.dataimportcron.decide import Seen, decide
from cdi.controllers.dataimportcron.seen import Beside, Product
from cdi.kube import objects
from cdi.kube.objects import Object
from cdi.kube.resource import CONFIG_MAPS, CRON_JOBS, JOBS, PERSISTENT_VOLUME_CLAIMS, PODS
from support.world import SETTINGS

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64
NAME_A, NAME_B = "fedora-aaaaaaaaaaaa", "fedora-bbbbbbbbbbbb"
URL = "docker://registry.example/boot/fedora:latest"
FAST = {
    "metadata": {"name": "fast", "annotations": {known.DEFAULT_STORAGE_CLASS: "true"}},
    "provisioner": "disk.example",
}
PVC_PROFILE = {"metadata": {"name": "fast"}, "status": {"dataImportCronSourceFormat": "pvc"}}
SNAP_PROFILE = {"metadata": {"name": "fast"}, "status": {"dataImportCronSourceFormat": "snapshot"}}
SNAP_CLASS = {"metadata": {"name": "snaps"}, "driver": "disk.example"}


def cron(
    desired: str = "", current: str = "", *, annotations: Object | None = None, **fields: Any
) -> Object:
    status: Object = fields.pop("status", {})
    if current:
        name = {A: NAME_A, B: NAME_B}[current]
        status = {"currentImports": [{"DataVolumeName": name, "Digest": current}], **status}
    given = {known.STORAGE_CLASS: "fast", **(annotations or {})}
    if desired:
        given[known.DESIRED_DIGEST] = desired
    spec = {
        "template": {"spec": {"source": {"registry": {"url": URL}}, "storage": {
            "resources": {"requests": {"storage": "5Gi"}}}}},
        "schedule": "", "managedDataSource": "fedora", "retentionPolicy": "None",
    }  # fmt: skip
    return {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataImportCron",
        "metadata": {
            "name": "cron", "namespace": "ns", "uid": "uid-cron-12345", "annotations": given,
        },
        "spec": {**spec, **fields},
        "status": status,
    }  # fmt: skip


RECOMMENDED = {
    "app.kubernetes.io/managed-by": "cdi-controller",
    "app.kubernetes.io/component": "storage",
}


def meta(name: str, **more: Any) -> Object:
    own = {labels.DATA_IMPORT_CRON: "cron", labels.DATA_IMPORT_CRON_CLEANUP: "true"}
    used = {known.LAST_USE_TIME: "2030-01-01T11:00:00.000000000Z"}
    return {"name": name, "namespace": "ns", "uid": f"uid-{name}",
            "labels": {**RECOMMENDED, **own, **more.pop("labels", {})},
            "annotations": {**used, **more.pop("annotations", {})}, **more}  # fmt: skip


def volume(name: str, phase: str, *, running: str = "", **more: Any) -> Object:
    condition = {"type": "Running", "status": "False", "reason": running}
    conditions = [{**condition, "lastTransitionTime": "2030-01-01T11:30:00Z"}] if running else []
    made = {"creationTimestamp": "2030-01-01T11:55:00Z", **more}
    return {"metadata": meta(name, **made), "status": {"phase": phase, "conditions": conditions}}


def claim(name: str, phase: str = "Bound", storage_class: str = "fast", **more: Any) -> Object:
    return {"metadata": meta(name, **more), "spec": {"storageClassName": storage_class},
            "status": {"phase": phase}}  # fmt: skip


def snapshot(name: str, *, ready: bool = True, of_class: str = "snaps", **more: Any) -> Object:
    told = {known.SOURCE_VOLUME_MODE: "Filesystem"}
    return {"metadata": meta(name, annotations=told, **more),
            "spec": {"volumeSnapshotClassName": of_class},
            "status": {"readyToUse": ready}}  # fmt: skip


def source(**spec: Object) -> Object:
    return {"metadata": meta("fedora"), "spec": {"source": spec}}


def pointing(name: str, kind: str = "pvc") -> Object:
    return source(**{kind: {"namespace": "ns", "name": name}})


def look(
    given: Object, *products: Product, profile: Object = PVC_PROFILE, **more: Any
) -> plan.Plan:
    more.setdefault("data_source", source())
    more.setdefault("classes", (FAST,))
    seen = Seen(
        cron=given,
        settings=SETTINGS,
        now=NOW,
        products={each.name: each for each in products},
        profiles={"fast": profile},
        snapshot_classes=(SNAP_CLASS,),
        **more,
    )
    return decide(seen)


def written(planned: plan.Plan) -> Object:
    """The cron as the plan leaves it."""
    steps = [each for each in planned.steps if isinstance(each, plan.Change)]
    return next(each.wanted for each in steps if each.resource == kinds.DATA_IMPORT_CRONS)


def said(planned: plan.Plan) -> dict[str, tuple[str, str]]:
    conditions = written(planned)["status"]["conditions"]
    return {each["type"]: (each["status"], each["reason"]) for each in conditions}


def made(planned: plan.Plan, resource: Any) -> list[str]:
    return [objects.name(each.object) for each in planned.steps
            if isinstance(each, plan.Create) and each.resource == resource]  # fmt: skip


def gone(planned: plan.Plan) -> list[tuple[str, str]]:
    return [(each.resource.kind, objects.name(each.seen)) for each in planned.steps
            if isinstance(each, plan.Remove)]  # fmt: skip


def points_at(planned: plan.Plan) -> Object | None:
    for each in planned.steps:
        if isinstance(each, plan.Change) and each.resource == kinds.DATA_SOURCES:
            return dict(each.wanted["spec"]["source"])
    return None


GOOD_A = Product(NAME_A, volume=volume(NAME_A, "Succeeded"), claim=claim(NAME_A))


@pytest.mark.parametrize(
    ("given", "products", "progressing", "current"),
    [
        pytest.param(cron(), (), "NoImport", ("False", "NoDigest"), id="nothing-known"),
        pytest.param(cron(A), (), "NoImport", ("False", "Outdated"), id="a-first-digest"),
        pytest.param(
            cron(A, A), (Product(NAME_A, volume=volume(NAME_A, "Pending")),),
            "Pending", ("False", "ImportProgressing"), id="pending",
        ),
        pytest.param(
            cron(A, A), (Product(NAME_A, volume=volume(NAME_A, "ImportScheduled")),),
            "ImportScheduled", ("False", "ImportProgressing"), id="scheduled",
        ),
        pytest.param(
            cron(A, A), (Product(NAME_A, volume=volume(NAME_A, "ImportInProgress")),),
            "ImportProgressing", ("False", "ImportProgressing"), id="importing",
        ),
        pytest.param(cron(A, A), (GOOD_A,), "NoImport", ("True", "UpToDate"), id="imported"),
        pytest.param(
            cron(A, A), (Product(NAME_A, claim=claim(NAME_A)),),
            "NoImport", ("True", "UpToDate"), id="a-claim-alone",
        ),
        pytest.param(cron(A, A), (), "NoImport", ("False", "Outdated"), id="deleted-by-hand"),
        pytest.param(cron(B, A), (GOOD_A,), "NoImport", ("False", "Outdated"), id="a-new-digest"),
        pytest.param(
            cron("nonsense"), (), "InvalidDigest", ("False", "Outdated"), id="not-a-digest"
        ),
        pytest.param(
            cron(A, A, annotations={known.LAST_POLL_FAILURE: "429"}), (GOOD_A,),
            "PollFailed", ("True", "UpToDate"), id="nobody-answers",
        ),
    ],
)  # fmt: skip
def test_conditions_follow_what_is_there(given, products, progressing, current):
    found = said(look(given, *products))
    assert found["Progressing"][1] == progressing
    assert (found["Progressing"][0] == "True") == (progressing == "ImportProgressing")
    assert found["UpToDate"] == current


def test_a_new_digest_is_imported_exactly_as_it_is():
    planned = look(cron(A))
    (step,) = [x for x in planned.steps if getattr(x, "resource", None) == kinds.DATA_VOLUMES]
    made_volume = step.object
    assert objects.name(made_volume) == NAME_A
    assert made_volume["spec"]["source"]["registry"]["url"] == (
        f"docker://registry.example/boot/fedora@{A}"
    )
    assert objects.annotations(made_volume)[known.BIND_IMMEDIATE] == "true"
    assert objects.labels(made_volume)[labels.DATA_IMPORT_CRON] == "cron"
    imports = written(planned)["status"]["currentImports"]
    assert imports == [{"DataVolumeName": NAME_A, "Digest": A}]


@pytest.mark.parametrize(
    ("url", "pinned"),
    [
        ("docker://host/repo", f"docker://host/repo@{A}"),
        ("docker://host/repo:tag", f"docker://host/repo@{A}"),
        ("docker://host:5000/repo", f"docker://host:5000/repo@{A}"),
        ("docker://host:5000/a/repo:tag", f"docker://host:5000/a/repo@{A}"),
        (f"docker://host/repo@{B}", f"docker://host/repo@{A}"),
        (f"docker://host/repo:tag@{B}", f"docker://host/repo@{A}"),
        ("oci-archive:/images/x.tar", "oci-archive:/images/x.tar"),
    ],
)
def test_an_image_is_named_by_its_digest(url, pinned):
    assert template.pinned_url(url, A) == pinned


UNDER_WAY = Product(NAME_A, volume=volume(NAME_A, "ImportInProgress"), claim=claim(NAME_A))
GOOD_B = Product(NAME_B, volume=volume(NAME_B, "Succeeded"), claim=claim(NAME_B))


@pytest.mark.parametrize(
    ("given", "products", "imports", "removed"),
    [
        pytest.param(cron(B, A), (UNDER_WAY,), [], [], id="waits-for-the-one-under-way"),
        pytest.param(cron(B, A), (GOOD_A,), [NAME_B], [], id="begins-after-a-good-one"),
        pytest.param(
            cron(B, A), (Product(NAME_A, volume=volume(NAME_A, "Failed")),),
            [NAME_B], [NAME_A], id="a-failed-one-makes-way",
        ),
        pytest.param(
            cron(B, A),
            (Product(NAME_A, volume=volume(NAME_A, "ImportScheduled", running="Error")),),
            [NAME_B], [NAME_A], id="so-does-one-with-an-error",
        ),
        pytest.param(
            cron(B, A),
            (Product(NAME_A, volume=volume(NAME_A, "Pending", running="ImagePullFailed")),),
            [NAME_B], [NAME_A], id="or-one-that-cannot-be-pulled",
        ),
        pytest.param(
            cron(B, A),
            (Product(NAME_A, volume=volume(
                NAME_A, "Pending", creationTimestamp="2030-01-01T10:00:00Z")),),
            [NAME_B], [NAME_A], id="or-one-that-never-began",
        ),
        pytest.param(cron(B, A), (GOOD_A, GOOD_B), [], [], id="a-version-that-returns-is-there"),
        pytest.param(
            cron(A, A), (Product(NAME_A, volume=volume(NAME_A, "Failed")),),
            [], [], id="a-failed-one-waits-for-the-next-poll",
        ),
        pytest.param(
            cron(A, A, annotations={known.LAST_CRON_TIME: "2030-01-01T11:59:00Z"}),
            (Product(NAME_A, volume=volume(NAME_A, "Failed", running="Error")),),
            [], [NAME_A], id="and-is-tried-again-then",
        ),
    ],
)  # fmt: skip
def test_when_the_next_import_begins(given, products, imports, removed):
    planned = look(given, *products)
    assert made(planned, kinds.DATA_VOLUMES) == imports
    assert [name for _, name in gone(planned)] == removed


def test_a_half_imported_claim_is_never_taken_for_an_image():
    owner = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "name": NAME_A,
             "uid": "u", "controller": True}  # fmt: skip
    half = Product(NAME_A, claim=claim(NAME_A, ownerReferences=[owner]))
    planned = look(cron(A, A), half)
    assert "lastImportedPVC" not in written(planned)["status"]
    assert points_at(planned) is None


@pytest.mark.parametrize(
    ("given", "products", "pointing_at", "wanted"),
    [
        pytest.param(cron(A, A), (GOOD_A,), source(), {"pvc": NAME_A}, id="first"),
        pytest.param(
            cron(B, B, status={"lastImportedPVC": {"namespace": "ns", "name": NAME_A}}),
            (GOOD_A, GOOD_B), pointing(NAME_A), {"pvc": NAME_B}, id="turns-over",
        ),
        pytest.param(
            cron(B, B, status={"lastImportedPVC": {"namespace": "ns", "name": NAME_A}}),
            (GOOD_A, Product(NAME_B, volume=volume(NAME_B, "ImportInProgress"))),
            pointing(NAME_A), None, id="not-while-importing",
        ),
        pytest.param(cron(A, A), (GOOD_A,), pointing("other"), {"pvc": NAME_A}, id="put-back"),
        pytest.param(
            cron(A, A), (GOOD_A,),
            {"metadata": {"name": "fedora", "namespace": "ns"}, "spec": {"source": {}}},
            None, id="taken-over-by-somebody",
        ),
    ],
)  # fmt: skip
def test_the_data_source_follows(given, products, pointing_at, wanted):
    planned = look(given, *products, data_source=pointing_at, points_at_something=True)
    found = points_at(planned)
    flat = None if found is None else {kind: named["name"] for kind, named in found.items()}
    assert flat == wanted


def test_a_data_source_that_is_gone_is_made_again():
    planned = look(cron(A, A), GOOD_A, data_source=None)
    assert made(planned, kinds.DATA_SOURCES) == ["fedora"]


# Snapshots.

SNAP_A = Product(NAME_A, snapshot=snapshot(NAME_A))


@pytest.mark.parametrize(
    ("profile", "product", "pointing_at", "steps"),
    [
        pytest.param(
            SNAP_PROFILE, GOOD_A, pointing(NAME_A), ["Create VolumeSnapshot"], id="is-taken"
        ),
        pytest.param(
            SNAP_PROFILE,
            Product(NAME_A, GOOD_A.volume, GOOD_A.claim, snapshot(NAME_A, ready=False)),
            pointing(NAME_A), [], id="is-waited-for",
        ),
        pytest.param(
            SNAP_PROFILE, Product(NAME_A, GOOD_A.volume, GOOD_A.claim, snapshot(NAME_A)),
            pointing(NAME_A), ["Change DataSource", "Remove DataVolume"], id="replaces-the-claim",
        ),
        pytest.param(
            SNAP_PROFILE, Product(NAME_A, None, GOOD_A.claim, snapshot(NAME_A)),
            pointing(NAME_A, "snapshot"), ["Remove PersistentVolumeClaim"], id="alone",
        ),
        pytest.param(SNAP_PROFILE, SNAP_A, pointing(NAME_A, "snapshot"), [], id="is-there"),
        pytest.param(
            PVC_PROFILE, SNAP_A, pointing(NAME_A, "snapshot"), ["Create DataVolume"],
            id="not-wanted-any-more",
        ),
        pytest.param(
            PVC_PROFILE, Product(NAME_A, GOOD_A.volume, GOOD_A.claim, snapshot(NAME_A)),
            pointing(NAME_A, "snapshot"), ["Change DataSource", "Remove VolumeSnapshot"],
            id="goes-last",
        ),
        pytest.param(
            SNAP_PROFILE, Product(NAME_A, snapshot=snapshot(NAME_A, of_class="old")),
            pointing(NAME_A, "snapshot"), ["Create DataVolume"], id="of-another-class",
        ),
    ],
)  # fmt: skip
def test_an_import_is_kept_in_the_form_that_is_wanted(profile, product, pointing_at, steps):
    planned = look(
        cron(A, A, status={"lastImportedPVC": {"namespace": "ns", "name": NAME_A}}),
        product,
        profile=profile,
        data_source=pointing_at,
        points_at_something=True,
    )
    counted = ("VolumeSnapshot", "DataVolume", "PersistentVolumeClaim", "DataSource")
    found = [
        f"{type(each).__name__} {each.resource.kind}"
        for each in planned.steps
        if each.resource.kind in counted and not is_mark(each)
    ]
    assert found == steps


def is_mark(step: plan.Step) -> bool:
    return isinstance(step, plan.Change) and step.resource != kinds.DATA_SOURCES


def test_a_snapshot_knows_what_its_clones_need():
    planned = look(cron(A, A), GOOD_A, profile=SNAP_PROFILE)
    (step,) = [each for each in planned.steps if isinstance(each, plan.Create)]
    given = objects.annotations(step.object)
    assert given[known.SOURCE_VOLUME_MODE] == "Filesystem"
    assert given[known.ADVISED_RESTORE_SIZE] == "5Gi"
    assert step.object["spec"] == {
        "source": {"persistentVolumeClaimName": NAME_A},
        "volumeSnapshotClassName": "snaps",
    }


# Storage classes.

NEW = {**FAST, "metadata": {"name": "new", "annotations": {
    known.DEFAULT_VIRT_STORAGE_CLASS: "true"}}}  # fmt: skip


def moved(given: Object, *products: Product) -> plan.Plan:
    seen = Seen(cron=given, settings=SETTINGS, now=NOW, data_source=source(),
                products={each.name: each for each in products}, classes=(FAST, NEW),
                profiles={"fast": PVC_PROFILE, "new": PVC_PROFILE})  # fmt: skip
    return decide(seen)


def test_imports_follow_a_class_that_moves():
    first = moved(cron(A, A), GOOD_A)
    assert gone(first) == [("DataVolume", NAME_A), ("PersistentVolumeClaim", NAME_A)]
    assert made(first, kinds.DATA_VOLUMES) == []
    second = moved(cron(A, A))
    assert written(second)["metadata"]["annotations"][known.STORAGE_CLASS] == "new"
    assert made(second, kinds.DATA_VOLUMES) == [NAME_A]


def test_a_class_that_moves_before_anything_is_known_is_noted():
    planned = moved(cron())
    assert written(planned)["metadata"]["annotations"][known.STORAGE_CLASS] == "new"


def test_a_claim_that_waits_on_another_class_is_made_again():
    waiting = Product(NAME_A, volume(NAME_A, "Pending"), claim(NAME_A, "Pending", "gone"))
    assert gone(look(cron(A, A), waiting)) == [("PersistentVolumeClaim", NAME_A)]


def test_without_a_class_imports_wait_as_they_are():
    planned = look(cron(A, A), GOOD_A, classes=())
    assert gone(planned) == []
    assert said(planned)["UpToDate"] == ("True", "UpToDate")


# Old imports.


def old(number: int, **more: Any) -> Product:
    used = {known.LAST_USE_TIME: f"2030-01-01T0{number}:00:00Z"}
    name = f"fedora-{number}"
    return Product(name, claim=claim(name, annotations=used, **more))


@pytest.mark.parametrize(
    ("spec", "others", "removed"),
    [
        pytest.param({"importsToKeep": 2}, [1, 2, 3], ["fedora-1", "fedora-2"], id="oldest-first"),
        pytest.param({}, [1, 2], [], id="three-by-default"),
        pytest.param({"importsToKeep": 0}, [1], ["fedora-1"], id="never-the-newest"),
        pytest.param({"importsToKeep": 1, "garbageCollect": "Never"}, [1, 2], [], id="never"),
    ],
)
def test_old_imports_go(spec, others, removed):
    planned = look(cron(A, A, **spec), GOOD_A, *map(old, others), data_source=pointing(NAME_A))
    assert sorted(name for _, name in gone(planned)) == removed


def test_what_the_data_source_names_never_goes():
    planned = look(cron(A, A, importsToKeep=1), GOOD_A, old(1), data_source=pointing("fedora-1"))
    assert gone(planned) == []


def test_last_uses_are_compared_as_times():
    assert marks.parsed("2030-01-01T00:00:00.5Z") > marks.parsed("2030-01-01T00:00:00.123456789Z")
    assert marks.parsed("nonsense") < marks.parsed("1970-01-01T00:00:00Z")


def test_a_good_import_is_not_marked_at_every_look():
    fresh = {known.LAST_USE_TIME: "2030-01-01T11:59:00Z"}
    product = Product(NAME_A, claim=claim(NAME_A, annotations=fresh))
    planned = look(cron(A, A), product)
    assert [x for x in planned.steps if x.resource == PERSISTENT_VOLUME_CLAIMS] == []


# Whose DataSource it is.


def test_the_first_cron_keeps_its_data_source():
    planned = look(cron(A), data_source=source(), rival="first")
    assert said(planned) == {"Progressing": ("False", "ErrDataSourceAlreadyManaged")}
    assert [each.reason for each in planned.events] == ["ErrDataSourceAlreadyManaged"]
    again = look(written(planned), data_source=source(), rival="first")
    assert (again.steps, again.events) == ((), ())


# Polling.


def poller(message: Object, code: int = 0, at: str = "2030-01-01T11:59:30Z") -> Object:
    ended = {"exitCode": code, "finishedAt": at, "message": json.dumps(message)}
    status = {"name": pollers.CONTAINER, "state": {"terminated": ended}}
    return {"metadata": {"name": "p"}, "status": {"containerStatuses": [status]}}


POLLED = {"schedule": "0 0 * * *"}


def cron_job(given: Object) -> Object:
    seen = Seen(cron=given, settings=SETTINGS, now=NOW)
    found = pollers.cron_job_for(seen)
    found["metadata"]["uid"] = "uid-job"
    return found


def test_a_cron_job_comes_first_and_then_its_first_job():
    first = look(cron(**POLLED))
    assert made(first, CRON_JOBS) == ["cron-uid-cron"]
    second = look(cron(**POLLED), cron_job=cron_job(cron(**POLLED)))
    assert made(second, JOBS) == ["initial-job-cron-uid-cron"]
    polled = cron(annotations={known.LAST_CRON_TIME: "2030-01-01T11:00:00Z"}, **POLLED)
    assert made(look(polled, cron_job=cron_job(polled)), JOBS) == []


def test_a_poller_holds_no_credentials_of_the_cluster():
    spec = cron_job(cron(**POLLED))["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    env = {each["name"]: each.get("value") for each in spec["containers"][0]["env"]}
    assert (env["IMPORTER_SOURCE"], env["IMPORTER_ENDPOINT"]) == ("registry", URL)


def test_what_a_poller_finds_is_imported_at_once():
    given = cron(**POLLED)
    planned = look(given, cron_job=cron_job(given), pollers=(poller({"version": A}),))
    after = written(planned)
    assert objects.annotations(after)[known.DESIRED_DIGEST] == A
    assert after["status"]["lastExecutionTimestamp"] == "2030-01-01T11:59:30Z"
    assert made(planned, kinds.DATA_VOLUMES) == [NAME_A]


def test_a_poller_that_fails_leaves_the_last_image_and_says_so():
    given = cron(A, A, annotations={known.LAST_CRON_TIME: "2030-01-01T11:00:00Z"}, **POLLED)
    failed = poller({"message": "429 Too Many Requests", "reason": "SourceUnavailable"}, 1)
    planned = look(given, GOOD_A, cron_job=cron_job(given), pollers=(failed,))
    assert said(planned)["Progressing"] == ("False", "PollFailed")
    assert said(planned)["UpToDate"] == ("True", "UpToDate")
    assert "429" in written(planned)["status"]["conditions"][0]["message"]
    after = written(planned)
    well = poller({"version": A}, at="2030-01-01T11:59:50Z")
    better = look(after, GOOD_A, cron_job=cron_job(given), pollers=(failed, well))
    assert said(better)["Progressing"] == ("False", "NoImport")


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_answers_in_one_second_the_later_counts(turned):
    before = poller({"version": A, "endedAt": "2030-01-01T11:59:30.200000+00:00"})
    after = poller({"version": B, "endedAt": "2030-01-01T11:59:30.700000+00:00"})
    pods = (after, before) if turned else (before, after)
    given = cron(**POLLED)
    planned = look(given, cron_job=cron_job(given), pollers=pods)
    assert objects.annotations(written(planned))[known.DESIRED_DIGEST] == B


def of_others(status: Object) -> Object:
    """A poller of another operator's: its own program, which writes on the cron what it finds."""
    job = {"kind": "Job", "name": "initial-job-cron-uid-cron", "uid": "j", "controller": True}
    return {
        "metadata": {"name": "p", "namespace": "cdi", "ownerReferences": [job]},
        "spec": {"containers": [{"name": pollers.CONTAINER, "image": "registry.example/other:1"}]},
        "status": {"containerStatuses": [{"name": pollers.CONTAINER, "state": status}]},
    }


def test_a_poller_of_others_that_has_ended_well_has_not_failed():
    given = cron(A, A, annotations={known.LAST_CRON_TIME: "2030-01-01T11:00:00Z"}, **POLLED)
    ended = {"terminated": {"exitCode": 0, "finishedAt": "2030-01-01T11:59:30Z"}}
    planned = look(given, GOOD_A, cron_job=cron_job(given), pollers=(of_others(ended),))
    assert said(planned)["Progressing"] == ("False", "NoImport")


def test_a_job_whose_pollers_image_is_gone_makes_way():
    given = cron(**POLLED)
    waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "x"}}
    job = {"metadata": {"name": "initial-job-cron-uid-cron", "namespace": "cdi", "uid": "j"}}
    found = of_others(waiting)
    planned = look(given, cron_job=cron_job(given), first_job=job, pollers=(found,))
    gone = [each.seen for each in planned.steps if isinstance(each, plan.Remove)]
    assert gone == [job]


def test_an_older_answer_says_nothing():
    given = cron(B, annotations={known.LAST_CRON_TIME: "2030-01-01T11:59:59Z"}, **POLLED)
    planned = look(given, cron_job=cron_job(given), pollers=(poller({"version": A}),))
    assert made(planned, kinds.DATA_VOLUMES) == [NAME_B]


def test_an_answer_counts_whatever_a_clock_has_noted_that_was_ahead():
    given = cron(B, annotations={known.LAST_CRON_TIME: "2031-01-01T00:00:00Z"}, **POLLED)
    planned = look(given, cron_job=cron_job(given), pollers=(poller({"version": A}),))
    assert made(planned, kinds.DATA_VOLUMES) == [NAME_A]


def test_pollers_of_one_minute_are_spread_out():
    waits = [pollers.delay_for("0 * * * *", f"uid-{number}") for number in range(100)]
    assert 0 <= min(waits) < max(waits) < 30
    busiest = max(waits.count(second) for second in set(waits))
    assert busiest < 15
    assert max(pollers.delay_for("* * * * *", f"uid-{n}") for n in range(100)) < 6


# The end.


def kept(found):
    """The same without the mark that it goes with its cron."""
    metadata = {**found["metadata"], "labels": {labels.DATA_IMPORT_CRON: "cron"}}
    return {**found, "metadata": metadata}


def test_what_a_cron_made_goes_after_it_if_asked():
    made = (
        (CRON_JOBS, cron_job(cron(A, A))),
        (PERSISTENT_VOLUME_CLAIMS, GOOD_A.claim),
        (PERSISTENT_VOLUME_CLAIMS, kept(claim(NAME_B))),
        (PERSISTENT_VOLUME_CLAIMS, {**claim(NAME_B), "metadata": {
            **claim(NAME_B)["metadata"], "deletionTimestamp": "2030-01-01T11:59:00Z"}}),
    )  # fmt: skip
    planned = cleanup.swept("cron", made)
    assert gone(planned) == [("CronJob", "cron-uid-cron"), ("PersistentVolumeClaim", NAME_A)]
    assert gone(cleanup.swept("another", made[1:])) == []
    unchanged = [each.seen for each in planned.steps if isinstance(each, plan.Confirm)]
    assert unchanged == [GOOD_A.claim]  # its label may say by now that it stays


@pytest.mark.parametrize("deleting", [{}, {"deletionTimestamp": "2030-01-01T11:59:00Z"}])
def test_a_cron_that_an_older_version_holds_is_let_go(deleting):
    given = cron(A)
    theirs = "example.com/theirs"
    given["metadata"]["finalizers"] = [finalizers.DATA_IMPORT_CRON, theirs]
    given["metadata"].update(deleting)
    (step,) = look(given).steps
    assert step.wanted["metadata"]["finalizers"] == [theirs]


def test_nothing_is_done_for_a_cron_that_goes():
    given = cron(A, A, **POLLED)
    given["metadata"]["deletionTimestamp"] = "2030-01-01T11:59:00Z"
    assert look(given, GOOD_A).steps == ()


# The metric.


class Told:
    """Keeps what was published last of each cron."""

    def __init__(self) -> None:
        self.shown: dict[str, tuple[bool, bool]] = {}

    def cron_outdated(self, namespace: str, name: str, *, outdated: bool, pending: bool) -> None:
        self.shown[f"{namespace}/{name}"] = outdated, pending

    def cron_gone(self, namespace: str, name: str) -> None:
        self.shown.pop(f"{namespace}/{name}", None)


def up_to_date(status: str) -> Object:
    return {"conditions": [{"type": "UpToDate", "status": status}]}


WITHOUT_CLASS = {known.STORAGE_CLASS: ""}
NAMED_CLASS = {"template": {"spec": {"storage": {"storageClassName": "mine"}}}}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        pytest.param(cron(status=up_to_date("True")), (False, False), id="up-to-date"),
        pytest.param(cron(status=up_to_date("False")), (True, False), id="outdated"),
        pytest.param(cron(), (True, False), id="nobody-knows"),
        pytest.param(cron(annotations=WITHOUT_CLASS), (True, True), id="no-default-class"),
        pytest.param(
            cron(annotations=WITHOUT_CLASS, **NAMED_CLASS), (True, False), id="class-is-named"
        ),
    ],
)
def test_the_metric_tells_outdated_from_pending(given, shown):
    told = Told()
    metrics.note(told, objects.key(given), given)
    assert told.shown == {"ns/cron": shown}
    metrics.note(told, objects.key(given), None)
    assert told.shown == {}


@pytest.mark.parametrize(
    ("given", "pending"),
    [
        pytest.param(cron(status=up_to_date("False")), True, id="relies-on-the-default"),
        pytest.param(cron(status=up_to_date("True")), False, id="needs-nothing"),
        pytest.param(cron(**NAMED_CLASS), False, id="class-is-named"),
    ],
)
def test_a_cron_whose_default_class_is_gone_is_pending(given, pending):
    told = Told()
    metrics.note(told, objects.key(given), given, has_default=False)
    assert told.shown["ns/cron"][1] is pending


# Images that nodes pull.


def node_pull(**more: Any) -> Object:
    given = cron(**{**POLLED, **more})
    source = given["spec"]["template"]["spec"]["source"]["registry"]
    source |= {"pullMethod": "node", "platform": {"architecture": "arm64"}}
    return given


def pulled(**status: Any) -> Object:
    container = {"name": nodepull.CONTAINER, **status}
    return {"metadata": {"name": "p", "namespace": "ns"}, "status": {
        "containerStatuses": [container]}}  # fmt: skip


ENDED = {"terminated": {"exitCode": 0}}
PULLING = pulled(state={"waiting": {"reason": "ContainerCreating"}})
PULLED = pulled(state=ENDED, imageID=f"registry.example/boot/fedora@{A}")
REFUSED = pulled(state={"waiting": {"reason": "ErrImagePull", "message": "401 Unauthorized"}})


def test_a_node_is_made_to_pull_the_image():
    planned = look(node_pull())
    assert made(planned, CRON_JOBS) == []
    (step,) = [each for each in planned.steps if getattr(each, "resource", None) == PODS]
    assert objects.name(step.object) == "poller-cron-uid-cron"
    spec = step.object["spec"]
    assert spec["nodeSelector"] == {"kubernetes.io/arch": "arm64"}
    assert spec["containers"][0]["image"] == "registry.example/boot/fedora:latest"
    assert step.object["metadata"]["ownerReferences"][0]["name"] == "cron"


@pytest.mark.parametrize(
    ("pod", "digest", "reason"),
    [
        pytest.param(PULLING, None, "NoImport", id="at-it"),
        pytest.param(PULLED, A, "NoImport", id="pulled"),
        pytest.param(REFUSED, None, "PollFailed", id="refused"),
        pytest.param(pulled(state=ENDED, imageID="x"), None, "PollFailed", id="without-a-digest"),
    ],
)
def test_what_a_node_has_pulled_is_the_version(pod, digest, reason):
    planned = look(node_pull(), pulling=pod)
    assert objects.annotations(written(planned)).get(known.DESIRED_DIGEST) == digest
    assert said(planned)["Progressing"][1] == reason
    over = pod is not PULLING
    assert gone(planned) == ([("Pod", "p")] if over else [])
    again = objects.annotations(written(planned)).get(known.NEXT_CRON_TIME)
    assert (again == "2030-01-02T00:00:00Z") is over


def test_a_node_is_not_asked_before_its_time():
    later = {known.NEXT_CRON_TIME: "2030-01-02T00:00:00Z"}
    planned = look(node_pull(annotations=later))
    assert [each for each in planned.steps if each.resource == PODS] == []
    assert planned.again_in == 12 * 3600


def test_a_node_is_asked_again_after_a_clock_that_was_ahead():
    ahead = {known.NEXT_CRON_TIME: "2031-01-02T00:00:00Z"}
    assert made(look(node_pull(annotations=ahead)), PODS) != []


# Pollers beside the cron, where its Secrets are.

ASKING: Object = {"metadata": {"name": "p", "namespace": "ns"}, "status": {}}


def asked(code: int, **said: Any) -> Object:
    ended = {"exitCode": code, "message": json.dumps(said), "finishedAt": "2030-01-01T11:59:00Z"}
    container = {"name": pollers.CONTAINER, "state": {"terminated": ended}}
    return {**ASKING, "status": {"containerStatuses": [container]}}


def private(**more: Any) -> Object:
    given = cron(**{**POLLED, **more})
    source = given["spec"]["template"]["spec"]["source"]["registry"]
    source |= {"secretRef": "login", "certConfigMap": "authorities"}
    return given


def test_a_poller_is_where_its_secrets_are():
    assert len(made(look(private()), CRON_JOBS)) == 1
    planned = look(private(), polled_beside=True)
    assert made(planned, CRON_JOBS) == []
    (step,) = [each for each in planned.steps if getattr(each, "resource", None) == PODS]
    meta, spec = step.object["metadata"], step.object["spec"]
    assert (meta["namespace"], meta["name"]) == ("ns", "poller-cron-uid-cron")
    assert meta["ownerReferences"][0]["name"] == "cron"
    assert "serviceAccountName" not in spec
    sources = [{**each} for each in spec["volumes"]]
    assert {"configMap": {"name": "authorities"}, "name": "cdi-cert-vol"} in sources
    variables = {each["name"]: each for each in spec["containers"][0]["env"]}
    assert variables["IMPORTER_SECRET_KEY"]["valueFrom"]["secretKeyRef"]["name"] == "login"


def test_a_poller_beside_the_cron_does_not_wait_for_what_is_the_installations():
    config = {"status": {"importProxy": {"trustedCAProxy": "proxy"}}}
    planned = look(private(), polled_beside=True, config=config)
    (step,) = [each for each in planned.steps if getattr(each, "resource", None) == PODS]
    volumes = {each["name"]: each for each in step.object["spec"]["volumes"]}
    authorities = volumes["cdi-proxy-cert-vol"]["configMap"]
    assert authorities == {"name": "import-proxy-cm-poller-cron-uid-cron", "optional": True}
    assert "optional" not in volumes["cdi-cert-vol"]["configMap"]


BUNDLE: Object = {"metadata": {"name": "proxy"}, "data": {"ca.pem": "PEM"}}


def test_authorities_of_a_proxy_are_copied_for_a_poller_and_go_with_it():
    config = {"status": {"importProxy": {"trustedCAProxy": "proxy"}}}
    planned = look(private(), polled_beside=True, config=config, beside=Beside(authorities=BUNDLE))
    (step,) = [each for each in planned.steps if getattr(each, "resource", None) == PODS]
    volumes = {each["name"]: each for each in step.object["spec"]["volumes"]}
    named = "import-proxy-cm-poller-cron-uid-cron"
    assert volumes["cdi-proxy-cert-vol"]["configMap"] == {"name": named, "optional": False}
    (copied,) = step.made(
        {**step.object, "metadata": {**step.object["metadata"], "uid": "u"}}
    ).steps
    assert (copied.resource, copied.object["data"]) == (CONFIG_MAPS, {"ca.pem": "PEM"})
    assert objects.key(copied.object) == ("ns", named)
    (owner,) = copied.object["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Pod", "poller-cron-uid-cron", "u")


def test_what_pollers_of_the_installation_wait_for_is_said_until_it_is_there():
    config = {"status": {"importProxy": {"trustedCAProxy": "proxy"}}}
    given = cron(**POLLED)
    planned = look(given, cron_job=cron_job(given), config=config)
    assert made(planned, JOBS) == []  # its pod would hang
    assert (
        "the poller waits for ConfigMap proxy in namespace cdi (importProxy.trustedCAProxy), which "
        "does not exist; create what is missing"
    ) in written(planned)["status"]["conditions"][0]["message"]
    there = look(
        written(planned),
        cron_job=cron_job(given),
        config=config,
        beside=Beside(authorities=BUNDLE),
    )
    assert made(there, JOBS) == ["initial-job-cron-uid-cron"]
    assert said(there)["Progressing"] == ("False", "NoImport")
    without = look(written(planned), cron_job=cron_job(given))
    assert said(without)["Progressing"] == ("False", "NoImport")


def test_what_a_poller_has_said_itself_stays_when_nothing_is_missing():
    given = cron(A, A, annotations={known.LAST_POLL_FAILURE: "429 Too Many Requests"}, **POLLED)
    planned = look(given, GOOD_A, cron_job=cron_job(given))
    assert said(planned)["Progressing"] == ("False", "PollFailed")


WAITS = {"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "status": {"phase": "Pending"}}


@pytest.mark.parametrize(
    ("beside", "copies", "message"),
    [
        pytest.param(Beside(), [], None, id="on-its-way"),
        pytest.param(
            Beside(lacks=("Secret login",)),
            [],
            "the poller waits for Secret login in namespace ns, which does not exist; create what "
            "is missing",
            id="no-secret",
        ),
        pytest.param(
            Beside(lacks=("Secret login", "ConfigMap authorities")),
            [],
            "the poller waits for Secret login and ConfigMap authorities in namespace ns, which do "
            "not exist; create what is missing",
            id="nothing-there",
        ),
        pytest.param(
            Beside(warning='secret "login" not found'),
            [],
            'the poller in namespace ns has not started: secret "login" not found',
            id="by-the-kubelet",
        ),
        pytest.param(Beside(authorities=BUNDLE), ["import-proxy-cm-p"], None, id="no-copy-yet"),
        pytest.param(Beside(authorities=BUNDLE, copied=True), [], None, id="copied"),
    ],
)
def test_a_poller_that_waits_is_given_what_is_ours_and_says_what_is_not(beside, copies, message):
    planned = look(private(), polled_beside=True, pulling=WAITS, pollers=(WAITS,), beside=beside)
    assert made(planned, CONFIG_MAPS) == copies
    assert planned.again_in == besides.LOOK_AGAIN
    told = {each["type"]: each for each in written(planned)["status"]["conditions"]}["Progressing"]
    if message is None:
        assert told["reason"] == "NoImport"
    else:
        wanted = f"Polling failed, and the last image stays: {message}"
        assert (told["reason"], told["message"]) == ("PollFailed", wanted)


def test_a_poller_that_has_started_is_not_looked_after():
    running = {**WAITS, "status": {"phase": "Running"}}
    planned = look(
        private(),
        polled_beside=True,
        pulling=running,
        pollers=(running,),
        beside=Beside(authorities=BUNDLE),
    )
    assert made(planned, CONFIG_MAPS) == []
    assert planned.again_in is None


@pytest.mark.parametrize(
    ("pod", "digest", "reason", "over"),
    [
        pytest.param(ASKING, None, "NoImport", False, id="at-it"),
        pytest.param(asked(0, version=A), A, "NoImport", True, id="found"),
        pytest.param(asked(1, message="401"), None, "PollFailed", True, id="refused"),
    ],
)
def test_what_a_poller_beside_the_cron_says_is_taken_over(pod, digest, reason, over):
    planned = look(private(), polled_beside=True, pulling=pod, pollers=(pod,))
    assert objects.annotations(written(planned)).get(known.DESIRED_DIGEST) == digest
    assert said(planned)["Progressing"][1] == reason
    assert gone(planned) == ([("Pod", "p")] if over else [])
    again = objects.annotations(written(planned)).get(known.NEXT_CRON_TIME)
    assert (again == "2030-01-02T00:00:00Z") is over


def test_the_cron_job_goes_when_secrets_are_beside_the_cron():
    job = {"metadata": {"name": "job", "namespace": "cdi"}, "spec": {}}
    planned = look(private(), polled_beside=True, cron_job=job)
    assert ("CronJob", "job") in gone(planned)
