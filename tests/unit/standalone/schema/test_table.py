"""Table answers, cell by cell as kubectl prints them."""

from datetime import UTC, datetime, timedelta

import pytest

from cdi.standalone.schema import age, jsonpath, registry, table

NOW = datetime(2026, 1, 10, tzinfo=UTC)
KINDS = {(kind.group, kind.kind): kind for kind in registry.builtin_kinds()}


def ago(**units):
    return (NOW - timedelta(**units)).strftime("%Y-%m-%dT%H:%M:%SZ")


def row(group, kind, obj, *, wide=False):
    meta = {"name": "x", "creationTimestamp": ago(minutes=5), **obj.get("metadata", {})}
    answer = table.table_for(KINDS[group, kind], [{**obj, "metadata": meta}], "None", NOW)
    columns = answer["columnDefinitions"]
    cells = answer["rows"][0]["cells"]
    assert len(cells) == len(columns)
    return [
        cell for cell, column in zip(cells, columns, strict=True) if wide or not column["priority"]
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (-1, "0s"), (-5, "<invalid>"), (119, "119s"), (200, "3m20s"), (180, "3m"),
        (700, "11m"), (3 * 3600, "3h"), (3 * 3600 + 600, "3h10m"), (9 * 3600 + 60, "9h"),
        (51 * 3600, "2d3h"), (9 * 86400, "9d"), (800 * 86400, "2y70d"), (9 * 365 * 86400, "9y"),
    ],
)  # fmt: skip
def test_ages_are_short(seconds, text):
    assert age.human(seconds) == text


def container(**state):
    return {"name": "c", "ready": False, "restartCount": 0, **state}


@pytest.mark.parametrize(
    ("pod", "want"),
    [
        pytest.param(
            {"spec": {"containers": [{}]}, "status": {"phase": "Pending"}},
            ["x", "0/1", "Pending", "0", "5m"],
            id="new",
        ),
        pytest.param(
            {
                "spec": {"containers": [{}]},
                "status": {
                    "phase": "Running",
                    "containerStatuses": [
                        container(
                            ready=True,
                            restartCount=2,
                            state={"running": {}},
                            lastState={"terminated": {"finishedAt": ago(seconds=30)}},
                        )
                    ],
                },
            },
            ["x", "1/1", "Running", "2 (30s ago)", "5m"],
            id="restarted",
        ),
        pytest.param(
            {
                "spec": {"containers": [{}]},
                "status": {
                    "phase": "Succeeded",
                    "containerStatuses": [
                        container(state={"terminated": {"reason": "Completed", "exitCode": 0}})
                    ],
                },
            },
            ["x", "0/1", "Completed", "0", "5m"],
            id="completed",
        ),
        pytest.param(
            {
                "spec": {"containers": [{}]},
                "status": {
                    "phase": "Pending",
                    "containerStatuses": [
                        container(state={"waiting": {"reason": "ContainerCreating"}})
                    ],
                },
            },
            ["x", "0/1", "ContainerCreating", "0", "5m"],
            id="waiting",
        ),
        pytest.param(
            {
                "spec": {"containers": [{}], "initContainers": [{"name": "i"}, {"name": "j"}]},
                "status": {
                    "phase": "Pending",
                    "initContainerStatuses": [
                        {"name": "i", "state": {"terminated": {"exitCode": 0}}},
                        {"name": "j", "state": {"running": {}}},
                    ],
                },
            },
            ["x", "0/1", "Init:1/2", "0", "5m"],
            id="initializing",
        ),
        pytest.param(
            {
                "metadata": {"deletionTimestamp": ago(seconds=1)},
                "spec": {"containers": [{}]},
                "status": {"phase": "Running"},
            },
            ["x", "0/1", "Terminating", "0", "5m"],
            id="terminating",
        ),
        pytest.param(
            {
                "spec": {"containers": [{}]},
                "status": {
                    "phase": "Failed",
                    "containerStatuses": [container(state={"terminated": {"exitCode": 3}})],
                },
            },
            ["x", "0/1", "ExitCode:3", "0", "5m"],
            id="failed-without-reason",
        ),
    ],
)
def test_a_pods_row(pod, want):
    assert row("", "Pod", pod) == want


@pytest.mark.parametrize(
    ("group", "kind", "obj", "want"),
    [
        pytest.param(
            "", "PersistentVolumeClaim",
            {
                "spec": {"volumeName": "pv1", "storageClassName": "local", "volumeMode": "Block"},
                "status": {
                    "phase": "Bound",
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                },
            },
            ["x", "Bound", "pv1", "1Gi", "RWO,RWX", "local", "<unset>", "5m", "Block"],
            id="bound-claim",
        ),
        pytest.param(
            "", "PersistentVolumeClaim",
            {"spec": {"accessModes": ["ReadWriteOnce"]}, "status": {"phase": "Pending"}},
            ["x", "Pending", "", "", "", "", "<unset>", "5m", "<unset>"],
            id="pending-claim",
        ),
        pytest.param(
            "", "PersistentVolume",
            {
                "spec": {
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteOncePod"],
                    "persistentVolumeReclaimPolicy": "Delete",
                    "claimRef": {"namespace": "n", "name": "c"},
                    "storageClassName": "local",
                    "volumeMode": "Filesystem",
                },
                "status": {"phase": "Bound"},
            },
            [
                "x", "1Gi", "RWOP", "Delete", "Bound", "n/c", "local", "<unset>", "", "5m",
                "Filesystem",
            ],
            id="volume",
        ),
        pytest.param(
            "storage.k8s.io", "StorageClass",
            {
                "metadata": {
                    "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}
                },
                "provisioner": "p",
                "reclaimPolicy": "Delete",
                "volumeBindingMode": "Immediate",
                "allowVolumeExpansion": True,
            },
            ["x (default)", "p", "Delete", "Immediate", "true", "5m"],
            id="default-class",
        ),
        pytest.param(
            "", "Secret", {"type": "Opaque", "data": {"a": "", "b": ""}},
            ["x", "Opaque", "2", "5m"], id="secret",
        ),
        pytest.param(
            "", "ConfigMap", {"data": {"a": ""}, "binaryData": {"b": ""}},
            ["x", "2", "5m"], id="config-map",
        ),
        pytest.param(
            "", "Namespace", {"status": {"phase": "Active"}}, ["x", "Active", "5m"], id="namespace"
        ),
        pytest.param(
            "", "Node",
            {
                "metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}},
                "spec": {"unschedulable": True},
                "status": {
                    "conditions": [{"type": "Ready", "status": "True"}],
                    "nodeInfo": {"kubeletVersion": "v1"},
                    "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
                },
            },
            [
                "x", "Ready,SchedulingDisabled", "control-plane", "5m", "v1", "127.0.0.1", "<none>",
                "<unknown>", "<unknown>", "<unknown>",
            ],
            id="node",
        ),
        pytest.param(
            "", "Event",
            {
                "lastTimestamp": ago(seconds=90), "firstTimestamp": ago(minutes=3), "count": 4,
                "type": "Warning", "reason": "Failed", "message": " no \n",
                "involvedObject": {"kind": "Pod", "name": "p"},
                "source": {"component": "kubelet", "host": "n1"},
            },
            ["90s", "Warning", "Failed", "pod/p", "", "kubelet, n1", "no", "3m", "4", "x"],
            id="event",
        ),
        pytest.param(
            "", "Service",
            {
                "spec": {
                    "type": "NodePort", "clusterIP": "10.0.0.1", "selector": {"b": "2", "a": "1"},
                    "ports": [{"port": 80, "nodePort": 30000, "protocol": "TCP"}],
                }
            },
            ["x", "NodePort", "10.0.0.1", "<none>", "80:30000/TCP", "5m", "a=1,b=2"],
            id="service",
        ),
        pytest.param(
            "batch", "Job",
            {
                "spec": {
                    "completions": 1,
                    "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}},
                },
                "status": {
                    "succeeded": 1, "startTime": ago(minutes=4), "completionTime": ago(minutes=3),
                    "conditions": [{"type": "Complete", "status": "True"}],
                },
            },
            ["x", "Complete", "1/1", "60s", "5m", "c", "i", "<none>"],
            id="job",
        ),
        pytest.param(
            "apps", "Deployment",
            {"spec": {"replicas": 2}, "status": {"readyReplicas": 1, "updatedReplicas": 2}},
            ["x", "1/2", "2", "0", "5m", "", "", "<none>"],
            id="deployment",
        ),
        pytest.param(
            "coordination.k8s.io", "Lease", {"spec": {"holderIdentity": "me"}},
            ["x", "me", "5m"], id="lease",
        ),
        pytest.param(
            "snapshot.storage.k8s.io", "VolumeSnapshot",
            {
                "spec": {"source": {"persistentVolumeClaimName": "c"}},
                "status": {"readyToUse": True, "restoreSize": "1Gi"},
            },
            ["x", "true", "c", None, "1Gi", None, None, None, "5m"],
            id="snapshot",
        ),
        pytest.param(
            "rbac.authorization.k8s.io", "Role", {}, ["x", ago(minutes=5)],
            id="kind-without-columns",
        ),
    ],
)  # fmt: skip
def test_a_row_of_a_built_in_kind(group, kind, obj, want):
    assert row(group, kind, obj, wide=True) == want


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: f"{kind.group}/{kind.kind}")
def test_every_kind_has_a_cell_for_every_column_even_of_an_empty_object(kind):
    answer = table.table_for(kind, [{"metadata": {"name": "x"}}], "Metadata", NOW)
    (found,) = answer["rows"]
    assert len(found["cells"]) == len(answer["columnDefinitions"])
    assert found["object"]["kind"] == "PartialObjectMetadata"


def column(name, kind, path, priority=0):
    return {"name": name, "type": kind, "jsonPath": path, "priority": priority}


def custom(*columns):
    (info,) = registry.kinds_of_crd(
        {
            "metadata": {"name": "ws.e.com"},
            "spec": {
                "group": "e.com",
                "scope": "Namespaced",
                "names": {"plural": "ws", "kind": "W"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "additionalPrinterColumns": list(columns),
                        "schema": {"openAPIV3Schema": {"type": "object"}},
                    }
                ],
            },
        }
    )
    return info


def test_custom_columns_are_read_at_their_paths():
    info = custom(
        column("Phase", "string", ".status.phase"),
        column("Progress", "integer", ".status.n"),
        column("Ready", "string", '.status.conditions[?(@.type=="Ready")].status'),
        column("Age", "date", ".metadata.creationTimestamp"),
        column("None", "string", ".status.none", 1),
    )
    obj = {
        "metadata": {"name": "w", "creationTimestamp": ago(seconds=7)},
        "status": {
            "phase": "Ok",
            "n": 3.0,
            "conditions": [{"type": "A", "status": "x"}, {"type": "Ready", "status": "True"}],
        },
    }
    answer = table.table_for(info, [obj], "Object", NOW)
    assert answer["rows"] == [{"cells": ["w", "Ok", 3, "True", "7s", None], "object": obj}]
    assert [c["priority"] for c in answer["columnDefinitions"]] == [0, 0, 0, 0, 0, 1]


def test_a_custom_kind_without_columns_shows_its_age():
    obj = {"metadata": {"name": "w", "creationTimestamp": ago(days=1)}}
    answer = table.table_for(custom(), [obj], "", NOW)
    assert [c["name"] for c in answer["columnDefinitions"]] == ["Name", "Age"]
    assert answer["rows"][0]["cells"] == ["w", "24h"]


VALUE = {"a": {"b.c": [1, 2, {"d": "x"}]}, "l": [{"n": 1}, {"n": 2}]}


@pytest.mark.parametrize(
    ("path", "want"),
    [
        (".l[0].n", [1]), (".l[*].n", [1, 2]), (".l[-1].n", [2]), (".l[0:1].n", [1]),
        (".a['b.c'][2].d", ["x"]), (r".a.b\.c[0]", [1]), ("{.l[?(@.n>1)].n}", [2]),
        (".missing.x", []), ("..n", [1, 2]), (".l[?(@.n)].n", [1, 2]),
    ],
)  # fmt: skip
def test_a_path_finds(path, want):
    assert jsonpath.find(path, VALUE) == want


@pytest.mark.parametrize("path", [".a[", ".a[?(@.b==x)]", ".a]"])
def test_a_path_that_is_none_is_refused(path):
    with pytest.raises(jsonpath.InvalidPath):
        jsonpath.steps(path)
