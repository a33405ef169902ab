"""What a volume waits for follows from what is there: a table."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cdi.cli.explanation import Seen, explanation_for
from cdi.cli.remedies import REMEDIES

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
THEN = "2030-01-01T11:59:00Z"


def volume(phase="", running=(), bound=(), **metadata):
    """A DataVolume with conditions as (reason, message)."""
    conditions = [
        {"type": kind, "status": "False", "reason": said[0], "message": said[1]}
        for kind, said in (("Running", running), ("Bound", bound))
        if said
    ]
    for each in conditions:
        each["lastTransitionTime"] = THEN
    return {
        "metadata": {"name": "disk", "namespace": "a", "creationTimestamp": THEN, **metadata},
        "status": {"phase": phase, "conditions": conditions, "progress": "25.0%"},
    }


def upload(phase, running=()):
    """A DataVolume that somebody is to send to."""
    return volume(phase, running) | {"spec": {"source": {"upload": {}}}}


FAILED_UPLOAD = "the last upload failed: it is a page"


def claim(phase="Bound", storage_class="local"):
    spec = {"resources": {"requests": {"storage": "1Gi"}}, "storageClassName": storage_class}
    return {"metadata": {"name": "disk"}, "spec": spec, "status": {"phase": phase}}


def clone(phase, message="", error="", progress=""):
    given = {
        "clonePhase": phase,
        "cloneError": error,
        "storage.condition.running.message": message,
        "storage.populator.progress": progress,
    }
    found = claim("Pending")
    found["spec"]["dataSourceRef"] = {"kind": "VolumeCloneSource", "name": "x"}
    said = {f"cdi.kubevirt.io/{key}": value for key, value in given.items() if value}
    found["metadata"]["annotations"] = said
    return found


def pod(state=None, conditions=()):
    status = {"containerStatuses": [{"state": state}] if state else [], "conditions": conditions}
    metadata = {"name": "importer-disk", "creationTimestamp": THEN}
    return {"metadata": metadata, "status": status}


LOCAL = {"metadata": {"name": "local"}}
REFUSED = {
    "type": "PodScheduled",
    "status": "False",
    "message": "0/1 nodes are available",
    "lastTransitionTime": THEN,
}
FULL = {
    "type": "Warning",
    "involvedObject": {"kind": "PersistentVolumeClaim", "name": "disk"},
    "message": "no room on the pool",
    "lastTimestamp": THEN,
}


@pytest.mark.parametrize(
    ("seen", "waits_for", "do"),
    [
        pytest.param(
            {"volume": volume(deletionTimestamp=THEN, finalizers=["x/y"])},
            "its deletion, held by x/y",
            "nothing",
            id="deleted",
        ),
        pytest.param(
            {"volume": volume("Succeeded")}, "nothing: the volume is filled", "use", id="done"
        ),
        pytest.param(
            {"volume": volume("CSICloneInProgress"), "claim": clone("CSIClone")},
            "the storage to clone its source",
            "nothing: it is at work",
            id="cloned-by-the-storage",
        ),
        pytest.param(
            {"volume": volume("CloneInProgress"), "claim": clone("HostClone", progress="40.00%")},
            "a pod that copies its source, 40.00% is done",
            "nothing: it is at work",
            id="copied",
        ),
        pytest.param(
            {
                "volume": volume("CloneScheduled"),
                "claim": clone("Pending", message="PVC a/src is in use by pod vm"),
            },
            "the clone to begin: PVC a/src is in use by pod vm",
            "see the message; it is tried again by itself",
            id="the-source-is-in-use",
        ),
        pytest.param(
            {"volume": volume("CloneScheduled"), "claim": clone("Error", error="no room")},
            "another attempt at the clone, after: no room",
            "see the message; it is tried again by itself",
            id="the-clone-has-failed",
        ),
        pytest.param(
            {"volume": volume("Pending", bound=("CloneWithoutSource", "no PVC a/src"))},
            "its claim to be created: CloneWithoutSource: no PVC a/src",
            "make the source, or name another one; it is tried again by itself",
            id="the-source-does-not-exist",
        ),
        pytest.param(
            {"volume": volume("Failed", ("SourceNotFound", "404"))},
            "nothing: it failed for good: SourceNotFound: 404",
            "check the URL, then delete the DataVolume",
            id="failed",
        ),
        pytest.param(
            {"volume": volume("Failed", bound=("ClaimLost", "Claim Lost"))},
            "ClaimLost",
            "see the message",
            id="lost",
        ),
        pytest.param({"volume": volume()}, "none has looked at it", "cdi controller", id="unseen"),
        pytest.param(
            {"volume": volume("Pending", bound=("ErrClaimNotValid", "no size"))},
            "its claim to be created: ErrClaimNotValid: no size",
            "correct the manifest",
            id="no-claim",
        ),
        pytest.param(
            {
                "volume": volume("PendingPopulation", bound=("Pending", "")),
                "claim": claim("Pending"),
            },
            "a pod that uses claim disk, as StorageClass local demands",
            "storage.bind.immediate.requested",
            id="first-consumer",
        ),
        pytest.param(
            {"volume": volume("Pending", bound=("Pending", "")), "claim": claim("Pending", "none")},
            "StorageClass none, which does not exist",
            "create it",
            id="no-class",
        ),
        pytest.param(
            {
                "volume": volume("Pending", bound=("Pending", "")),
                "claim": claim("Pending"),
                "storage_class": LOCAL,
                "events": [FULL],
            },
            "a volume for claim disk: no room on the pool",
            "provisioner",
            id="not-provisioned",
        ),
        pytest.param(
            {
                "volume": volume("ImportScheduled", ("ErrExceededQuota", "exceeded quota: q")),
                "claim": claim(),
            },
            "its importer pod to be created: ErrExceededQuota",
            "raise the quota",
            id="quota",
        ),
        pytest.param(
            {
                "volume": volume("ImportScheduled", ("Unschedulable", "no node")),
                "claim": claim(),
                "pod": pod(conditions=[REFUSED]),
            },
            "a node for pod importer-disk: 0/1 nodes are available",
            "kubectl describe pod importer-disk",
            id="no-node",
        ),
        pytest.param(
            {
                "volume": volume("ImportInProgress"),
                "claim": claim(),
                "pod": pod({"running": {"startedAt": THEN}}),
            },
            "the bytes, 25.0% are there, 4.3 MiB/s, about 3 min left",
            "nothing: it is at work",
            id="at-work",
        ),
        pytest.param(
            {
                "volume": volume("ImportInProgress", ("Error", "503; next attempt at X")),
                "claim": claim(),
                "pod": pod({"waiting": {"reason": "CrashLoopBackOff"}}),
            },
            "another attempt, after Error: 503; next attempt at X",
            "tried again by itself",
            id="retried",
        ),
        pytest.param(
            {
                "volume": volume("ImportScheduled"),
                "claim": claim(),
                "pod": pod({"waiting": {"reason": "ContainerCreating", "message": "soon"}}),
            },
            "its importer to start: ContainerCreating: soon",
            "nothing",
            id="starting",
        ),
        pytest.param(
            {"volume": volume("Paused", ("", "stage")), "claim": claim()},
            "the next checkpoint",
            "spec.checkpoints",
            id="paused",
        ),
        pytest.param(
            {"volume": upload("UploadReady"), "claim": claim(), "pod": pod()},
            "somebody to send the disk",
            "cdi image-upload dv disk --image-path FILE",
            id="ready-for-an-upload",
        ),
        pytest.param(
            {
                "volume": upload(
                    "UploadReady", ("Pod is running", f"{FAILED_UPLOAD}; reason=NotADisk")
                ),
                "claim": claim(),
                "pod": pod(),
            },
            "after the last upload failed: it is a page (NotADisk)",
            "use the image itself, not a page about it, then cdi image-upload",
            id="the-last-upload-failed",
        ),
        pytest.param(
            {"volume": upload("UploadScheduled"), "claim": claim()},
            "its upload server pod to be created",
            "nothing",
            id="no-upload-server-yet",
        ),
        pytest.param(
            {
                "volume": upload("UploadScheduled"),
                "claim": claim(),
                "pod": pod({"running": {"startedAt": THEN}}),
            },
            "the controllers' next step",
            "nothing",
            id="upload-server-not-ready",
        ),
    ],
)
def test_the_first_thing_that_has_not_happened_is_explained(seen, waits_for, do):
    found = explanation_for(Seen(now=NOW, **seen))
    assert waits_for in found.waits_for
    assert do in found.do
    if found.since is not None:
        assert found.since == NOW - timedelta(minutes=1)
        assert "(60 s ago)" in "\n".join(found.lines(NOW))


AT_WORK = pod({"running": {"startedAt": THEN}})
WAITING = pod({"waiting": {"reason": "ContainerCreating"}})


@pytest.mark.parametrize("reason", sorted(REMEDIES))
@pytest.mark.parametrize(
    ("phase", "worker"),
    [
        pytest.param("ImportScheduled", None, id="no-pod"),
        pytest.param("ImportScheduled", WAITING, id="starting"),
        pytest.param("ImportInProgress", AT_WORK, id="running"),
        pytest.param("ImportInProgress", pod(), id="unknown"),
        pytest.param("Failed", None, id="failed"),
    ],
)
@pytest.mark.parametrize("condition", ["running", "bound"])
def test_what_a_condition_names_is_never_nothing_to_do(reason, phase, worker, condition):
    told = volume(phase, **{condition: (reason, "because of that")})
    found = explanation_for(Seen(told, NOW, claim=claim(), storage_class=LOCAL, pod=worker))
    assert found.do.startswith(REMEDIES[reason])
    assert "because of that" in found.waits_for
    assert ("apply it again" in found.do) is (phase == "Failed")
    assert ("tried again by itself" in found.do) is (phase != "Failed")


def test_a_reason_that_nobody_knows_is_not_nothing_either():
    told = volume("ImportInProgress", ("Odd", "something odd"))
    found = explanation_for(Seen(told, NOW, claim=claim(), pod=AT_WORK))
    assert found.do == "see the message; it is tried again by itself"


@pytest.mark.parametrize("condition", ["running", "bound"])
def test_a_pod_that_lacks_something_names_it(condition):
    lacks = "waits for ConfigMap certs, which does not exist"
    told = volume("ImportScheduled", **{condition: ("ErrResourceDoesntExist", lacks)})
    creating = volume("ImportScheduled", ("ContainerCreating", lacks))
    for each in (told, creating):
        found = explanation_for(Seen(each, NOW, claim=claim(), pod=WAITING, storage_class=LOCAL))
        assert lacks in found.waits_for
        assert not found.do.startswith("nothing")


def test_every_reason_of_a_failed_transfer_has_a_remedy():
    page = (Path(__file__).parents[3] / "docs" / "reasons.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    # Any failure; an end that somebody wanted; something that controllers see to.
    others = {"Error", "Cancelled", "ScratchSpaceRequired"}
    assert documented - others <= set(REMEDIES)


def test_a_claim_that_another_pod_uses_names_the_pod():
    used = {**FULL, "reason": "ImportTargetInUse", "message": "pod vm uses it"}
    told = volume("ImportScheduled")
    found = explanation_for(Seen(told, NOW, claim=claim(), events=[used]))
    assert "pod vm uses it" in found.waits_for
    assert found.do == "stop the pod that uses the claim; it is tried again by itself"


def test_the_claim_of_the_user_is_named_and_not_the_one_that_is_filled_for_it():
    prime = {"metadata": {"name": "prime-1"}, "status": {"phase": "Pending"}}
    told = {**FULL, "message": "no room for prime-1, pod importer-prime-1 waits"}
    found = explanation_for(
        Seen(
            volume("ImportScheduled", bound=("Pending", "target PVC disk Pending and prime-1 too")),
            NOW,
            claim=claim("Pending"),
            prime=prime,
            storage_class=LOCAL,
            events=[told],
        )
    )
    assert found.waits_for == (
        "a volume for claim disk: no room for disk, pod importer-prime-1 waits"
    )
