"""What a DataSource, a DataImportCron and a pod wait for: tables."""

from datetime import UTC, datetime, timedelta

import pytest

from cdi.cli import dependents
from cdi.cli.dependents import Needed
from cdi.cli.explanation import Explanation

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
THEN = "2030-01-01T11:59:00Z"
FILLED = Needed("disk", Explanation("nothing", "use it", settled=True))
MISSING = Needed("disk", None)
FILLING = Needed("disk", Explanation("the bytes, 25.0% are there", "nothing: it is at work"))


def stated(*conditions, **annotations):
    found = [
        {"type": kind, "status": status, "reason": reason, "message": "why"}
        for kind, status, reason in conditions
    ]
    metadata = {"name": "x", "creationTimestamp": THEN, "annotations": annotations}
    return {"metadata": metadata, "status": {"conditions": found}}


@pytest.mark.parametrize(
    ("source", "needed", "waits_for", "do"),
    [
        pytest.param(stated(("Ready", "True", "Ready")), [], "nothing", "sourceRef", id="ready"),
        pytest.param(stated(), [], "none has looked", "cdi controller", id="unseen"),
        pytest.param(
            stated(("Ready", "False", "NotFound")), [MISSING], "does not exist", "make", id="claim"
        ),
        pytest.param(
            stated(("Ready", "False", "NotFound")), [FILLING], "25.0%", "at work", id="filling"
        ),
        pytest.param(
            stated(("Ready", "False", "NoSource")), [], "NoSource: why", "set spec", id="no-source"
        ),
        pytest.param(
            stated(("Ready", "False", "SnapshotNotReady")), [], "why", "snapshot", id="snapshot"
        ),
        pytest.param(
            stated(("Ready", "False", "Odd")), [FILLED], "Odd: why", "see the message", id="odd"
        ),
    ],
)
def test_a_data_source_waits_for_what_it_names(source, needed, waits_for, do):
    found = dependents.explanation_of_source(source, needed, NOW)
    assert waits_for in found.waits_for
    assert do in found.do


@pytest.mark.parametrize(
    ("cron", "needed", "waits_for", "do"),
    [
        pytest.param(stated(), [], "none has looked", "cdi controller", id="unseen"),
        pytest.param(
            stated(
                ("UpToDate", "True", "UpToDate"),
                **{"cdi.kubevirt.io/storage.import.nextCronTime": "2030-01-02T00:00:00Z"},
            ),
            [FILLED],
            "the next look is at 2030-01-02",
            "DataSource",
            id="up-to-date",
        ),
        pytest.param(
            stated(("UpToDate", "False", "Outdated")), [FILLING], "25.0%", "at work", id="importing"
        ),
        pytest.param(
            stated(("UpToDate", "False", "NoDigest")), [], "NoDigest: why", "poller", id="no-digest"
        ),
        pytest.param(
            stated(("UpToDate", "False", "Outdated"), ("Progressing", "False", "NotAuthorized")),
            [],
            "NotAuthorized: why",
            "service account",
            id="not-authorized",
        ),
        pytest.param(
            stated(("UpToDate", "True", "UpToDate"), ("Progressing", "False", "PollFailed")),
            [],
            "newer images: PollFailed: why",
            "mend",
            id="nobody-answers",
        ),
        pytest.param(
            stated(("UpToDate", "False", "NoDigest"), ("Progressing", "False", "PollFailed")),
            [],
            "PollFailed: why",
            "mend",
            id="nobody-has-ever-answered",
        ),
        pytest.param(
            stated(("UpToDate", "False", "ErrDataSourceAlreadyManaged")),
            [],
            "why",
            "managedDataSource",
            id="managed",
        ),
    ],
)
def test_a_cron_waits_for_its_import(cron, needed, waits_for, do):
    found = dependents.explanation_of_cron(cron, needed, NOW)
    assert waits_for in found.waits_for
    assert do in found.do


def pod(phase, *conditions, **state):
    containers = [{"name": "main", "state": state}] if state else []
    status = {"phase": phase, "conditions": list(conditions), "containerStatuses": containers}
    return {"metadata": {"name": "vm"}, "status": status}


UNSCHEDULED = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0"}


@pytest.mark.parametrize(
    ("found", "needed", "waits_for", "do"),
    [
        pytest.param(pod("Pending"), [FILLED, FILLING], "25.0%", "at work", id="claim"),
        pytest.param(pod("Pending"), [MISSING], "does not exist", "make", id="no-claim"),
        pytest.param(
            pod("Pending", UNSCHEDULED), [FILLED], "a node: Unschedulable", "see", id="no-node"
        ),
        pytest.param(
            pod("Pending", waiting={"reason": "ErrImagePull", "message": "no"}),
            [],
            "container main: ErrImagePull: no",
            "kubectl describe",
            id="image",
        ),
        pytest.param(
            pod("Running", running={"startedAt": THEN}), [FILLED], "it runs", "logs", id="runs"
        ),
        pytest.param(pod("Failed"), [MISSING], "it has ended: Failed", "logs", id="ended"),
        pytest.param(pod("Pending"), [], "its node", "describe", id="node"),
    ],
)
def test_a_pod_waits_for_its_claims_and_then_its_node(found, needed, waits_for, do):
    explained = dependents.explanation_of_pod(found, needed)
    assert waits_for in explained.waits_for
    assert do in explained.do


def test_what_runs_says_since_when():
    found = dependents.explanation_of_pod(pod("Running", running={"startedAt": THEN}), [])
    assert found.since == NOW - timedelta(minutes=1)
