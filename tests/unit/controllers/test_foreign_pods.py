"""What caches keep of pods: all of ours, little of others."""

import json
import tracemalloc
from typing import Any

import pytest

from cdi.api import labels
from cdi.controllers.cluster import empty_cluster
from cdi.controllers.foreignpods import kept_of
from cdi.controllers.origins import use
from cdi.kube import objects
from cdi.kube.objects import Object

MOST = 2 << 10  # bytes that a pod of others may take
# The interpreter's table of interned texts grows in one step, at a time that depends on all tests
# before; it is nobody's pods'. Nothing of a cache takes as much in one piece. Bytes.
SHARED = 1 << 20


def pod(name: str = "main", *, of: Object | None = None, **spec: Any) -> Object:
    """A pod as a busy cluster has them: what a server sends is about eight KiB."""
    container = {
        "name": "main",
        "image": "registry.example/app:1",
        "env": [{"name": f"SETTING_{number}", "value": "x" * 40} for number in range(20)],
        "volumeMounts": [{"name": "token", "mountPath": "/var/run", "readOnly": True}],
    }
    owner = {"kind": "ReplicaSet", "name": "app-5d6d58977b", "uid": name * 8, "controller": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "apps",
            "uid": f"2f1e0d9c-0000-4000-8000-{name:>12}",
            "resourceVersion": f"1{name}",
            "labels": {"app": "main", "pod-template-hash": "5d6d58977b"},
            "annotations": {"example/config": "y" * 500},
            "ownerReferences": [owner],
            "managedFields": [{"fieldsV1": {f"f:{number}": {} for number in range(100)}}],
            **(of or {}),
        },
        "spec": {"containers": [container], "nodeName": "node01", **spec},
        "status": {
            "phase": "Running",
            "conditions": [{"type": kind, "status": "True"} for kind in ("Ready", "Initialized")],
            "containerStatuses": [{"name": "main", "ready": True, "restartCount": 0}],
        },
    }


def test_pods_of_others_take_little() -> None:
    texts = [json.dumps(pod(f"app-{number}")) for number in range(1000)]
    cache = empty_cluster().pods
    tracemalloc.start()
    try:
        cache.replace([kept_of(json.loads(text)) for text in texts])
        taken = sum(each.size for each in tracemalloc.take_snapshot().traces if each.size < SHARED)
    finally:
        tracemalloc.stop()
    assert len(cache) == 1000
    assert taken / 1000 <= MOST


@pytest.mark.parametrize(
    "of",
    [
        pytest.param({"labels": {labels.COMPONENT: "importer"}}, id="worker"),
        pytest.param({"labels": {labels.OWNED_BY_UID: "u"}}, id="temporary-of-a-clone"),
        pytest.param({"labels": {labels.DATA_IMPORT_CRON: "c"}}, id="poller"),
        pytest.param(
            {
                "labels": {},
                "ownerReferences": [
                    {"kind": "PersistentVolumeClaim", "name": "d", "uid": "c", "controller": True}
                ],
            },
            id="made-for-a-claim",
        ),
    ],
)
def test_pods_of_ours_are_kept_whole(of: Object) -> None:
    whole = pod(of=of)
    assert kept_of(json.loads(json.dumps(whole))) == objects.compact(whole)


MOUNT = {"name": "disk", "mountPath": "/d"}


@pytest.mark.parametrize(
    ("claim", "containers", "writes"),
    [
        pytest.param({}, {"containers": [{"volumeMounts": [MOUNT]}]}, True, id="mounts"),
        pytest.param(
            {},
            {"containers": [{"volumeMounts": [{**MOUNT, "readOnly": True}]}]},
            False,
            id="mounts-read-only",
        ),
        pytest.param(
            {"readOnly": True}, {"containers": [{"volumeMounts": [MOUNT]}]}, False, id="read-only"
        ),
        pytest.param(
            {},
            {"containers": [{"volumeDevices": [{"name": "disk", "devicePath": "/dev/d"}]}]},
            True,
            id="device",
        ),
        pytest.param(
            {},
            {"containers": [{}], "initContainers": [{"volumeMounts": [MOUNT]}]},
            True,
            id="at-its-start",
        ),
        pytest.param(
            {},
            {"containers": [{}], "ephemeralContainers": [{"volumeMounts": [MOUNT]}]},
            True,
            id="debugged",
        ),
    ],
)
def test_who_uses_a_claim_is_still_known(claim: Object, containers: Object, writes: bool) -> None:
    volume = {"name": "disk", "persistentVolumeClaim": {"claimName": "data", **claim}}
    other = {"name": "token", "projected": {"sources": ["x" * 1000]}}
    kept = kept_of(pod(volumes=[volume, other], **containers))
    cluster = empty_cluster()
    cluster.pods.upsert(kept)
    wanted = {"metadata": {"name": "data", "namespace": "apps"}}
    users = cluster.pods_using(wanted)
    assert [objects.name(each) for each in users] == ["main"]
    assert bool(use.writers(wanted, users)) is writes
    assert "token" not in json.dumps(kept)


def test_one_that_is_over_or_going_says_so() -> None:
    volume = {"name": "disk", "persistentVolumeClaim": {"claimName": "data"}}
    over = pod(volumes=[volume], of={"deletionTimestamp": "2030-01-01T00:00:00Z"})
    over["status"]["phase"] = "Succeeded"
    kept = kept_of(over)
    assert objects.is_deleting(kept)
    assert use.users([kept]) == []
