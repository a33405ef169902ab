"""What the import populator decides about one target, and how volumes change hands."""

from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.controllers import plan
from cdi.controllers.populating.decide import decide
from cdi.controllers.populating.readiness import ClassNotUsable, Readiness, readiness_of
from cdi.controllers.populating.rebind import CannotRebind, rebind
from cdi.controllers.populating.seen import Seen
from cdi.kube import errors, owners
from cdi.kube.objects import Object
from support import world

LATE = {"name": "late"}
CLASSES = [
    world.storage_class(),
    world.storage_class("late", volumeBindingMode="WaitForFirstConsumer"),
    {"metadata": {"name": "old"}, "provisioner": "kubernetes.io/gce-pd"},
]


def target(phase: str = "Pending", reference: Object | None = None, **fields: Any) -> Object:
    named = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": "s"}
    meta = {
        "name": "disk", "namespace": "ns", "uid": "t", "resourceVersion": "7",
        "annotations": fields.pop("annotations", {}), "labels": fields.pop("labels", {}),
    }  # fmt: skip
    spec = {
        **world.pvc_spec(),
        "dataSourceRef": named if reference is None else reference,
        **fields,
    }
    found = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}
    return {**found, "status": {"phase": phase}}


def source(**spec: Any) -> Object:
    return {"metadata": {"name": "s"}, "spec": {"source": world.HTTP, **spec}}


def prime(phase: str = "Bound", labels: Object | None = None, **given: str) -> Object:
    meta = {"name": "prime-t", "namespace": "ns", "uid": "p", "annotations": given,
            "labels": labels or {}}  # fmt: skip
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta,
        "spec": {**world.pvc_spec(), "volumeName": "pv"}, "status": {"phase": phase},
    }  # fmt: skip


def volume(of: Object | None) -> Object:
    ref = of and {key: of["metadata"][key] for key in ("name", "namespace", "uid")}
    return {"kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": {"claimRef": ref}}


def namesake() -> Object:
    found = target()
    found["metadata"]["uid"] = "x"
    return found


def seen(of: Object | None = None, **fields: Any) -> Seen:
    return Seen(of or target(), world.SETTINGS, **{"classes": CLASSES, **fields})


def shown(of: plan.Plan) -> Object:
    for step in of.steps:
        if isinstance(step, plan.Change) and step.seen["metadata"]["name"] == "disk":
            return step.wanted["metadata"]
    return {"annotations": {}}


def told(of: plan.Plan) -> list[str]:
    return [event.reason for event in of.events]


def creates(of: plan.Plan) -> bool:
    return any(isinstance(step, plan.Create) for step in of.steps)


@pytest.mark.parametrize(
    ("of", "fields", "made"),
    [
        pytest.param(target(), {"source_object": source()}, True, id="ready"),
        pytest.param(target(), {}, False, id="source-not-there-yet"),
        pytest.param(target("Bound"), {"source_object": source()}, False, id="bound-already"),
        pytest.param(target("Lost"), {"source_object": source()}, False, id="lost"),
        pytest.param(
            target(reference={"apiGroup": "other", "kind": "VolumeImportSource", "name": "s"}),
            {"source_object": source()},
            False,
            id="another-group",
        ),
        pytest.param(
            target(reference={"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource",
                              "name": "s", "namespace": "ns"}),
            {"source_object": source()},
            False,
            id="with-a-namespace",
        ),
        pytest.param(
            target(), {"source_object": source(targetClaim="other")}, False, id="for-another-claim"
        ),
        pytest.param(
            target(), {"source_object": source(targetClaim="disk")}, True, id="for-this-claim"
        ),
        pytest.param(
            target(storageClassName="late"), {"source_object": source()}, False, id="no-consumer"
        ),
    ],
)  # fmt: skip
def test_a_prime_is_made_when_the_target_can_be_filled(
    of: Object, fields: Object, made: bool
) -> None:
    assert creates(decide(seen(of, **fields))) is made


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(target(), Readiness(ready=True), id="immediate-class"),
        pytest.param(target(storageClassName=None), Readiness(ready=False), id="no-class-yet"),
        pytest.param(target(storageClassName="late"), Readiness(ready=False), id="no-consumer"),
        pytest.param(
            target(storageClassName="late", annotations={known.SELECTED_NODE: "n"}),
            Readiness(ready=True, node="n"),
            id="consumer-has-a-node",
        ),
        pytest.param(
            target(storageClassName="late", annotations={known.BIND_IMMEDIATE: ""}),
            Readiness(ready=True),
            id="immediate-binding",
        ),
        pytest.param(
            target(annotations={known.SELECTED_NODE: "n"}), Readiness(ready=True), id="node-ignored"
        ),
        pytest.param(
            target(storageClassName="old", annotations={known.MIGRATED_TO: "csi"}),
            Readiness(ready=True),
            id="migrated",
        ),
    ],
)
def test_readiness(of: Object, expected: Readiness) -> None:
    assert readiness_of(of, CLASSES) == expected


@pytest.mark.parametrize("name", ["", "missing", "old"])
def test_a_class_that_cannot_be_used_is_told(name: str) -> None:
    of = target(storageClassName=name)
    with pytest.raises(ClassNotUsable):
        readiness_of(of, CLASSES)
    found = decide(seen(of, source_object=source()))
    assert told(found) == ["ErrCreatingPVCPrime"]
    assert found.failure is not None


def test_the_prime_is_exactly_this() -> None:
    given = {
        known.SELECTED_NODE: "node1", known.RETAIN_AFTER_COMPLETION: "true", "users": "own",
        known.MULTUS_NETWORKS: "net",
    }  # fmt: skip
    of = target(annotations=given, labels={"users": "own"}, storageClassName="late")
    found = decide(seen(of, source_object=source(preallocation=True)))
    made = next(step.object for step in found.steps if isinstance(step, plan.Create))
    assert made == {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": "prime-t",
            "namespace": "ns",
            "labels": {
                "app": "containerized-data-importer",
                "velero.io/exclude-from-backup": "true",
                "app.kubernetes.io/managed-by": "cdi-controller",
                "app.kubernetes.io/component": "storage",
            },
            "annotations": {
                known.MULTUS_NETWORKS: "net",
                known.ISTIO_INJECT: "false",
                known.LINKERD_INJECT: "disabled",
                known.RETAIN_AFTER_COMPLETION: "true",
                known.BIND_IMMEDIATE: "",
                known.SELECTED_NODE: "node1",
                known.POPULATOR_KIND: "VolumeImportSource",
                known.CONTENT_TYPE: "kubevirt",
                known.PREALLOCATION_REQUESTED: "true",
                known.SOURCE: "http",
                known.ENDPOINT: world.HTTP["http"]["url"],
            },
            "ownerReferences": [owners.owner_reference(of)],
        },
        "spec": world.pvc_spec(storageClassName="late"),
    }
    assert told(found) == ["CreatedPVCPrimeSuccessfully"]


def test_a_refused_prime_is_told() -> None:
    create = decide(seen(source_object=source())).steps[0]
    assert isinstance(create, plan.Create)
    assert create.refused is not None
    error = errors.from_status({"code": 403, "reason": "Forbidden", "message": "quota"})
    assert told(create.refused(error)) == ["ErrCreatingPVCPrime"]


def test_the_target_shows_what_the_prime_shows() -> None:
    given = {known.POD_PHASE: "Running", known.RUNNING: "true", known.ENDPOINT: "secret business"}
    of = target(annotations={known.FATAL_ERROR: "old", "mine": "x"})
    found = decide(seen(of, prime=prime(**given), progress="12.34%"))
    after = shown(found)["annotations"]
    assert after == {
        "mine": "x",
        known.PVC_PRIME: "prime-t",
        known.POD_PHASE: "Running",
        known.RUNNING: "true",
        known.POPULATOR_PROGRESS: "12.34%",
    }
    assert found.again_in == 2.0


@pytest.mark.parametrize(
    ("of_prime", "heard", "known_so_far", "expected"),
    [
        pytest.param(prime(), None, None, "N/A", id="bound-and-no-pod"),
        pytest.param(prime("Pending"), None, None, None, id="not-bound"),
        pytest.param(prime(**{known.POD_PHASE: "Running"}), "5.00%", None, "5.00%", id="heard"),
        pytest.param(
            prime(**{known.POD_PHASE: "Running"}), "100.00%", "99.00%", "99.00%", id="withheld"
        ),
        pytest.param(prime(**{known.POD_PHASE: "Running"}), None, "9.00%", "9.00%", id="silent"),
        pytest.param(prime(**{known.POD_PHASE: "Succeeded"}), None, "9.00%", "100.0%", id="done"),
    ],
)
def test_progress(
    of_prime: Object, heard: str | None, known_so_far: str | None, expected: str | None
) -> None:
    given = {known.POPULATOR_PROGRESS: known_so_far} if known_so_far else {}
    at = seen(target(annotations=given), prime=of_prime, progress=heard, volume=volume(of_prime))
    after = {**given, **shown(decide(at))["annotations"]}
    assert after.get(known.POPULATOR_PROGRESS) == expected


def test_labels_and_annotations_come_before_the_volume() -> None:
    labels = {
        "instancetype.kubevirt.io/default-preference": "fedora", "kubevirt.io/own": "new",
        "app": "x",
    }  # fmt: skip
    done = prime(labels=labels, **{known.POD_PHASE: "Succeeded"})
    of = target(labels={"kubevirt.io/own": "kept"})
    found = decide(seen(of, prime=done, volume=volume(done)))
    first, confirm, move = found.steps
    assert shown(found)["labels"] == {
        "kubevirt.io/own": "kept",
        "instancetype.kubevirt.io/default-preference": "fedora",
    }
    assert isinstance(first, plan.Change)
    assert isinstance(confirm, plan.Confirm)
    assert isinstance(move, plan.Change)
    assert move.wanted["spec"]["claimRef"] == {
        "namespace": "ns", "name": "disk", "uid": "t", "resourceVersion": "7",
    }  # fmt: skip
    assert told(found) == ["importSucceeded"]


@pytest.mark.parametrize(
    "held",
    [
        pytest.param(None, id="volume-gone"),
        pytest.param(volume(None), id="no-claim"),
        pytest.param(
            volume(target() | {"metadata": {**target()["metadata"], "uid": "x"}}), id="namesake"
        ),
    ],
)
def test_a_volume_in_other_hands_is_not_taken(held: Object | None) -> None:
    found = rebind(held, prime(), target())
    assert found.steps == ()
    assert isinstance(found.failure, CannotRebind)


def test_handing_over_twice_changes_nothing() -> None:
    assert rebind(volume(target()), prime(), target()) == plan.NOTHING


@pytest.mark.parametrize(
    ("of_prime", "held", "goes"),
    [
        pytest.param("Lost", None, True, id="lost"),
        pytest.param("Bound", "target", True, id="volume-is-the-targets-already"),
        pytest.param("Bound", "prime", False, id="volume-is-the-primes"),
    ],
)
def test_a_prime_goes_once_its_volume_is_the_targets(
    of_prime: str, held: str | None, goes: bool
) -> None:
    of = target("Bound", annotations={known.POD_PHASE: "Succeeded", known.PVC_PRIME: "prime-t"})
    done = prime(of_prime, **{known.POD_PHASE: "Succeeded"})
    holder = {"target": of, "prime": done}.get(held or "")
    found = decide(seen(of, prime=done, volume=holder and volume(holder)))
    assert any(isinstance(step, plan.Remove) for step in found.steps) is goes


def test_a_failure_is_told_once() -> None:
    failed = prime(**{known.POD_PHASE: "Failed", known.RUNNING_MESSAGE: "why"})
    found = decide(seen(prime=failed))
    assert told(found) == ["importFailed"]
    assert "why" in found.events[0].message
    again = target(annotations=shown(found)["annotations"])
    assert decide(seen(again, prime=failed)).events == ()


def test_events_of_the_prime_are_told_on_the_target() -> None:
    events = [
        {"reason": "ProvisioningFailed", "type": "Warning", "message": "no room"},
        {"reason": "ClaimMisbound", "type": "Warning", "message": "never"},
        {"reason": "Old", "type": "Normal", "message": "told before"},
    ]
    here = [{"message": "[prime-t] : told before"}]
    found = decide(seen(prime=prime("Pending"), prime_events=events, target_events=here))
    assert [(each.reason, each.message) for each in found.events] == [
        ("ProvisioningFailed", "[prime-t] : no room")
    ]
    after = shown(found)["annotations"]
    assert after[known.BOUND] == "false"
    assert after[known.BOUND_REASON] == "Pending"


def test_a_target_that_goes_is_not_touched() -> None:
    of = target()
    of["metadata"]["deletionTimestamp"] = "x"
    assert decide(seen(of, prime=prime())) == plan.NOTHING


def test_a_source_that_is_missing_is_named_until_it_is_there() -> None:
    found = decide(seen())
    assert told(found) == ["ErrResourceDoesntExist"]
    step = found.steps[0]
    assert isinstance(step, plan.Change)
    given = step.wanted["metadata"]["annotations"]
    assert given[known.BOUND] == "false"
    assert "VolumeImportSource" in given[known.BOUND_MESSAGE]
    again = decide(seen(step.wanted))
    assert (again.steps, again.events) == ((), ())
    appeared = decide(seen(step.wanted, source_object=source()))
    last = appeared.steps[-1]
    assert isinstance(last, plan.Change)
    assert known.BOUND_MESSAGE not in last.wanted["metadata"]["annotations"]


def test_that_a_prime_is_kept_is_told_once() -> None:
    kept = prime("Lost", **{known.POD_PHASE: "Succeeded", known.RETAIN_AFTER_COMPLETION: "true"})
    of = target("Bound", annotations={known.POD_PHASE: "Succeeded"})
    assert told(decide(seen(of, prime=kept))) == ["RetainedPVCPrime"]
    said = [{"reason": "RetainedPVCPrime", "message": "m"}]
    again = decide(seen(of, prime=kept, prime_events=said))
    assert [event for event in again.events if event.about is kept] == []


def test_a_class_that_cannot_be_used_is_told_once() -> None:
    of = target(storageClassName="old")
    first = decide(seen(of, source_object=source()))
    assert told(first) == ["ErrCreatingPVCPrime"]
    said = [{"reason": each.reason, "message": each.message} for each in first.events]
    again = decide(seen(of, source_object=source(), target_events=said))
    assert again.events == ()
    assert again.failure is not None
