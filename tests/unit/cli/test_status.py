"""Rows of the status table, from objects."""

from datetime import UTC, datetime

import pytest

from cdi.cli import rows, status
from cdi.cli.rows import Row

NOW = datetime(2030, 1, 1, 12, 0, 10, tzinfo=UTC)
CLAIM = {"spec": {"resources": {"requests": {"storage": "1000"}}}}
POD = {
    "status": {"containerStatuses": [{"state": {"running": {"startedAt": "2030-01-01T12:00:00Z"}}}]}
}


def volume(phase, progress="N/A", *conditions):
    found = {"phase": phase, "progress": progress, "conditions": list(conditions)}
    return {"metadata": {"namespace": "a", "name": "disk"}, "status": found}


FAILED = {"type": "Running", "status": "False", "reason": "NotADisk", "message": "a web page"}


@pytest.mark.parametrize(
    ("obj", "pod", "wanted"),
    [
        pytest.param(
            {"metadata": {"name": "new", "namespace": "a"}}, None, Row("a", "new", ""), id="new"
        ),
        pytest.param(
            volume("ImportInProgress", "50.00%"),
            POD,
            Row("a", "disk", "ImportInProgress", 50.0, 50.0),
            id="half-after-ten-seconds",
        ),
        pytest.param(
            volume("ImportInProgress", "50.00%"),
            None,
            Row("a", "disk", "ImportInProgress", 50.0),
            id="between-two-attempts",
        ),
        pytest.param(
            volume("Failed", "N/A", FAILED),
            None,
            Row("a", "disk", "Failed", reason="NotADisk", message="a web page"),
            id="failed",
        ),
        pytest.param(
            volume("Succeeded", "100.0%", FAILED),
            POD,
            Row("a", "disk", "Succeeded", 100.0),
            id="succeeded",
        ),
    ],
)
def test_a_row_sums_a_volume_up(obj, pod, wanted):
    assert rows.row_for(obj, CLAIM, pod, NOW) == wanted


def test_the_table_is_aligned_and_says_why():
    rows = [
        Row("a", "disk", "ImportInProgress", 12.5, 3 * 1024 * 1024),
        Row("default", "b", "Failed", reason="NotADisk", message="a\nweb page"),
    ]
    assert status.table(rows) == [
        "NAMESPACE   NAME   PHASE              PROGRESS   RATE        REASON",
        "a           disk   ImportInProgress   12.5%      3.0 MiB/s   -",
        "default     b      Failed             -          -           NotADisk: a web page",
    ]


@pytest.mark.parametrize(
    ("spec", "annotated", "reference", "worker"),
    [
        pytest.param({"source": {"upload": {}}}, {}, {}, "cdi-upload-disk", id="data-volume"),
        pytest.param({}, {"cdi.kubevirt.io/storage.upload.target": ""}, {}, "cdi-upload-disk",
                     id="claim"),
        pytest.param({}, {"cdi.kubevirt.io/storage.populator.pvcPrime": "prime-1"},
                     {"kind": "VolumeUploadSource"}, "cdi-upload-prime-1", id="populated"),
    ],
)  # fmt: skip
def test_the_worker_of_an_upload_is_its_server(spec, annotated, reference, worker):
    claim = {"metadata": {"annotations": annotated}, "spec": {"dataSourceRef": reference}}
    assert rows.worker_of(volume("UploadReady") | {"spec": spec}, claim) == worker


def test_the_worker_of_a_populated_claim_is_that_of_its_prime():
    claim = {"metadata": {"annotations": {"cdi.kubevirt.io/storage.populator.pvcPrime": "prime-1"}}}
    assert rows.worker_of(volume("Pending"), claim) == "importer-prime-1"
    assert rows.worker_of(volume("Pending"), None) == "importer-disk"
