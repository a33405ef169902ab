"""What a StorageProfile says of a class."""

from typing import Any

import pytest

from cdi.storage import profile as profiles
from cdi.storage import profileinfo, snapshots
from support.storage_objects import (
    K8S_DEFAULT,
    SNAPSHOT_DEFAULT,
    VIRT_DEFAULT,
    persistent_volume,
    profile,
    snapshot_class,
    storage_class,
)

NOW = "2025-06-01T12:00:00Z"
CEPH, TOPOLVM, GKE = "rook-ceph.rbd.csi.ceph.com", "topolvm.io", "pd.csi.storage.gke.io"
STRATEGY = "cdi.kubevirt.io/clone-strategy"
RWO_FOR_CRON = "cdi.kubevirt.io/useReadWriteOnceForDataImportCron"
SNAPSHOT_FOR_CRON = "cdi.kubevirt.io/snapshotClassForDataImportCron"
MINIMUM = "cdi.kubevirt.io/minimumSupportedPvcSize"


def wanted(
    provisioner: str = "example.com/unknown",
    spec: dict[str, Any] | None = None,
    parameters: dict[str, str] | None = None,
    **seen: Any,
) -> profiles.Wanted:
    existing = profile("gold", **seen.pop("annotations", {})) | {"spec": spec or {}}
    marked = storage_class("gold", provisioner, parameters=parameters, **seen.pop("marks", {}))
    return profiles.profile_for(profiles.Seen(marked, existing, **seen), NOW)


def sets(answer: profiles.Wanted) -> list[str]:
    return [
        f"{'+'.join(each['accessModes'])}/{each['volumeMode']}"
        for each in answer.status["claimPropertySets"]
    ]


def test_class_and_provisioner_are_copied() -> None:
    status = wanted(TOPOLVM).status
    assert (status["storageClass"], status["provisioner"]) == ("gold", TOPOLVM)


def test_known_sets_come_in_the_order_of_the_table() -> None:
    assert sets(wanted(CEPH)) == [
        "ReadWriteMany/Block",
        "ReadWriteOnce/Block",
        "ReadWriteOnce/Filesystem",
    ]


def test_nothing_is_known_of_an_unknown_provisioner() -> None:
    assert sets(wanted()) == []


def test_the_administrator_wins_over_the_table() -> None:
    mine = [{"accessModes": ["ReadWriteOnce", "ReadOnlyMany"], "volumeMode": "Filesystem"}]
    assert sets(wanted(CEPH, {"claimPropertySets": mine})) == [
        "ReadWriteOnce+ReadOnlyMany/Filesystem"
    ]


@pytest.mark.parametrize(
    "incomplete",
    [
        pytest.param({"accessModes": [], "volumeMode": "Block"}, id="no-access-mode"),
        pytest.param({"accessModes": ["ReadWriteOnce"]}, id="no-volume-mode"),
    ],
)
def test_an_incomplete_set_is_refused(incomplete: dict[str, Any]) -> None:
    complete = {"accessModes": ["ReadWriteOnce"], "volumeMode": "Block"}
    with pytest.raises(profiles.IncompleteProperties, match="gold"):
        wanted(CEPH, {"claimPropertySets": [complete, incomplete]})


def test_volumes_made_by_hand_are_sorted_so_that_the_default_is_stable() -> None:
    volumes = [
        persistent_volume("a", "gold", access="ReadOnlyMany ReadWriteOnce"),
        persistent_volume("b", "gold", access="ReadWriteOnce", volume_mode="Block"),
        persistent_volume("c", "gold", access="ReadWriteMany ReadWriteOnce"),
        persistent_volume("d", "other", access="ReadWriteMany", volume_mode="Block"),
    ]
    for order in (volumes, volumes[::-1]):
        assert sets(wanted("kubernetes.io/no-provisioner", volumes=order)) == [
            "ReadWriteOnce/Block",
            "ReadWriteMany/Filesystem",
            "ReadWriteOnce/Filesystem",
            "ReadOnlyMany/Filesystem",
        ]


LEGACY = {"gold.accessMode": "ReadWriteMany", "accessMode": "ReadWriteOnce"}


@pytest.mark.parametrize(
    ("provisioner", "data", "expected"),
    [
        pytest.param("x", LEGACY, ["ReadWriteMany/Filesystem"], id="of-the-class"),
        pytest.param(
            "x",
            {"accessMode": "ReadWriteMany", "volumeMode": "Block"},
            ["ReadWriteMany/Block"],
            id="of-all-classes",
        ),
        pytest.param(
            "x", LEGACY | {"volumeMode": "Block"}, ["ReadWriteMany/Block"], id="each-mode-by-itself"
        ),
        pytest.param("x", {"silver.accessMode": "ReadWriteMany"}, [], id="of-another-class"),
        pytest.param("x", {"gold.volumeMode": "Wood"}, [], id="nonsense"),
        pytest.param(TOPOLVM, LEGACY, sets(wanted(TOPOLVM)), id="the-table-wins"),
    ],
)
def test_the_predecessor_of_profiles_is_read(
    provisioner: str, data: dict[str, str], expected: list[str]
) -> None:
    assert sets(wanted(provisioner, legacy_defaults=data)) == expected


# Snapshot class, clone strategy, format of boot images


def of_driver(*marks: str, name: str = "snap", driver: str = CEPH, **parameters: str) -> Any:
    return snapshot_class(name, driver, *marks, **parameters)


@pytest.mark.parametrize(
    ("found", "spec", "expected"),
    [
        pytest.param([], {}, None, id="none"),
        pytest.param([of_driver(driver="other")], {}, None, id="of-another-driver"),
        pytest.param([of_driver(name="b"), of_driver(name="a")], {}, "a", id="first-by-name"),
        pytest.param(
            [of_driver(name="a"), of_driver(SNAPSHOT_DEFAULT, name="b")], {}, "b", id="default"
        ),
        pytest.param(
            [of_driver(name="a"), of_driver(name="b")], {"snapshotClass": "b"}, "b", id="asked-for"
        ),
        pytest.param(
            [of_driver(name="a"), of_driver(name="b", driver="other")],
            {"snapshotClass": "b"},
            None,
            id="asked-for-but-of-another-driver",
        ),
    ],
)
def test_snapshot_class(found: Any, spec: Any, expected: str | None) -> None:
    assert wanted(CEPH, spec, snapshot_classes=found).status.get("snapshotClass") == expected


def test_a_snapshot_class_that_does_not_exist_is_named() -> None:
    with pytest.raises(snapshots.SnapshotClassNotFound, match='"mine" not found'):
        wanted(CEPH, {"snapshotClass": "mine"})


SNAP = [snapshot_class("snap", "example.com/unknown"), snapshot_class("snap-gke", GKE)]


@pytest.mark.parametrize(
    ("provisioner", "spec", "mark", "classes", "expected"),
    [
        pytest.param(CEPH, {"cloneStrategy": "copy"}, "snapshot", [], "copy", id="spec"),
        pytest.param(CEPH, {}, "snapshot", [], "snapshot", id="annotation"),
        pytest.param(CEPH, {}, None, [], "csi-clone", id="table"),
        pytest.param(TOPOLVM, {}, None, SNAP, "copy", id="table-says-copy"),
        pytest.param("example.com/unknown", {}, None, SNAP, "snapshot", id="general"),
        pytest.param("example.com/unknown", {}, None, [], "copy", id="general-without-snapshots"),
        pytest.param(GKE, {}, None, SNAP, "snapshot", id="table-says-snapshot"),
        pytest.param(GKE, {}, None, [], "copy", id="table-says-snapshot-but-there-are-none"),
        pytest.param(GKE, {"cloneStrategy": "snapshot"}, None, [], "snapshot", id="spec-stands"),
    ],
)
def test_clone_strategy(
    provisioner: str, spec: Any, mark: str | None, classes: Any, expected: str
) -> None:
    marks = {STRATEGY: mark} if mark else {}
    answer = wanted(provisioner, spec, snapshot_classes=classes, marks=marks)
    assert (answer.status["cloneStrategy"], answer.warnings) == (expected, ())


def test_a_mistyped_strategy_is_ignored_and_told() -> None:
    answer = wanted(CEPH, marks={STRATEGY: "csiclone"})
    assert answer.status["cloneStrategy"] == "csi-clone"
    assert "'csiclone' and has no effect" in answer.warnings[0]


@pytest.mark.parametrize(
    ("provisioner", "spec", "classes", "expected"),
    [
        pytest.param(GKE, {}, SNAP, "snapshot", id="table"),
        pytest.param(GKE, {}, [], "pvc", id="no-snapshots"),
        pytest.param(GKE, {"dataImportCronSourceFormat": "pvc"}, SNAP, "pvc", id="spec"),
        pytest.param("example.com/unknown", {}, SNAP, "pvc", id="not-listed"),
    ],
)
def test_format_of_boot_images(provisioner: str, spec: Any, classes: Any, expected: str) -> None:
    status = wanted(provisioner, spec, snapshot_classes=classes).status
    assert status["dataImportCronSourceFormat"] == expected


# Condition and annotations


@pytest.mark.parametrize(
    ("provisioner", "status", "reason"),
    [
        pytest.param(CEPH, "True", "RecognizedProvisioner", id="known"),
        pytest.param("x", "False", "UnrecognizedProvisioner", id="unknown"),
        pytest.param(
            "kubernetes.io/no-provisioner", "False", "UnrecognizedProvisioner", id="by-hand"
        ),
        pytest.param("xspc.csi.hpe.com", "False", "UnrecognizedProvisioner", id="minimum-only"),
        pytest.param(
            "infinibox-csi-driver", "False", "UnrecognizedStorageClassParameters", id="parameters"
        ),
    ],
)
def test_condition(provisioner: str, status: str, reason: str) -> None:
    (condition,) = wanted(provisioner).status["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "Recognized",
        status,
        reason,
    )
    assert condition["lastTransitionTime"] == condition["lastHeartbeatTime"] == NOW


def with_conditions(provisioner: str, old: list[Any], now: str) -> Any:
    existing = {"metadata": {"name": "gold"}, "status": {"conditions": old}}
    seen = profiles.Seen(storage_class("gold", provisioner), existing)
    return profiles.profile_for(seen, now).status["conditions"]


def test_a_condition_said_again_does_not_change() -> None:
    first = with_conditions(CEPH, [], NOW)
    assert with_conditions(CEPH, first, "2026-01-01T00:00:00Z") == first


def test_a_new_reason_moves_the_heartbeat_only() -> None:
    later = "2026-01-01T00:00:00Z"
    (condition,) = with_conditions("infinibox-csi-driver", with_conditions("x", [], NOW), later)
    assert (condition["lastTransitionTime"], condition["lastHeartbeatTime"]) == (NOW, later)


def test_a_new_status_moves_both_times() -> None:
    later = "2026-01-01T00:00:00Z"
    (condition,) = with_conditions(CEPH, with_conditions("x", [], NOW), later)
    assert (condition["lastTransitionTime"], condition["lastHeartbeatTime"]) == (later, later)


def test_a_minimum_is_written_once() -> None:
    gp = {"type": "gp3"}
    assert wanted("ebs.csi.aws.com", parameters=gp).annotations[MINIMUM] == "1Gi"
    by_hand = wanted("ebs.csi.aws.com", parameters=gp, annotations={MINIMUM: ""})
    assert MINIMUM not in by_hand.annotations


IMAGES = {"snapshot-type": "images"}


@pytest.mark.parametrize(
    ("provisioner", "found", "expected"),
    [
        pytest.param(GKE, [of_driver(driver=GKE)], None, id="no-images"),
        pytest.param(GKE, [of_driver(driver=GKE, name="i", **IMAGES)], "i", id="images"),
        pytest.param(
            GKE,
            [
                of_driver(driver=GKE, name="a", **IMAGES),
                of_driver(SNAPSHOT_DEFAULT, driver=GKE, name="b", **IMAGES),
            ],
            "b",
            id="default-first",
        ),
        pytest.param(CEPH, [of_driver(name="i", **IMAGES)], None, id="other-storage"),
    ],
)
def test_snapshot_class_for_boot_images(provisioner: str, found: Any, expected: Any) -> None:
    answer = wanted(provisioner, snapshot_classes=found)
    assert answer.annotations[SNAPSHOT_FOR_CRON] == expected
    assert answer.annotations.get(RWO_FOR_CRON) == ("true" if provisioner == GKE else None)


# The metric

INFO = [
    pytest.param(CEPH, [], {CEPH}, False, ("true", "true", "true", "false"), id="good"),
    pytest.param(CEPH, [], set(), False, ("true", "true", "false", "true"), id="no-driver"),
    pytest.param(TOPOLVM, [], set(), False, ("true", "false", "false", "true"), id="copies"),
    pytest.param(
        GKE, SNAP, set(), False, ("true", "false", "true", "true"), id="one-node-at-a-time"
    ),
    pytest.param(GKE, SNAP, set(), True, ("true", "false", "true", "false"), id="one-node-only"),
    pytest.param("x", [], set(), False, ("false", "false", "false", "true"), id="unknown"),
    pytest.param(
        "stork-snapshot", [], set(), False, ("true", "false", "false", "true"), id="unsupported"
    ),
]


@pytest.mark.parametrize(("provisioner", "classes", "drivers", "single", "expected"), INFO)
def test_metric(provisioner: str, classes: Any, drivers: Any, single: bool, expected: Any) -> None:
    status = wanted(provisioner, snapshot_classes=classes).status
    marked = storage_class("gold", provisioner, K8S_DEFAULT)
    labels = profileinfo.labels_for(marked, status, classes, drivers, single_node=single)
    assert tuple(labels[key] for key in ("complete", "rwx", "smartclone", "degraded")) == expected
    assert (labels["default"], labels["virtdefault"]) == ("true", "false")


def test_metric_knows_the_default_for_machines() -> None:
    marked = storage_class("gold", CEPH, VIRT_DEFAULT)
    labels = profileinfo.labels_for(marked, {}, [], set(), single_node=False)
    assert (labels["default"], labels["virtdefault"]) == ("false", "true")
    assert (labels["storageclass"], labels["provisioner"]) == ("gold", CEPH)
