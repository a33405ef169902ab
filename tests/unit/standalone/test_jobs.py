"""What Jobs and CronJobs of one machine do next."""

from datetime import UTC, datetime, timedelta

import pytest

from cdi.kube.objects import Object
from cdi.standalone.jobs import cronjobs, jobs

NOW = datetime(2030, 1, 1, 12, 0, 45, tzinfo=UTC)
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c"}]}}


def job(name: str = "job", *, status: Object | None = None, **spec: object) -> Object:
    return {
        "metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}"},
        "spec": {"template": TEMPLATE, "backoffLimit": 2, **spec},
        "status": status or {},
    }


def pod(phase: str, ended: datetime = NOW) -> Object:
    state = {"terminated": {"finishedAt": ended.isoformat()}} if phase != "Running" else {}
    return {"status": {"phase": phase, "containerStatuses": [{"state": state}]}}


LONG_AGO = NOW - timedelta(hours=1)
AHEAD = NOW + timedelta(days=365)


@pytest.mark.parametrize(
    ("pods", "created", "condition"),
    [
        pytest.param([], "job-0", None, id="the-first"),
        pytest.param([pod("Running")], None, None, id="one-at-a-time"),
        pytest.param([pod("Succeeded")], None, "Complete", id="done"),
        pytest.param([pod("Failed", LONG_AGO)], "job-1", None, id="another-try"),
        pytest.param([pod("Failed")], None, None, id="not-at-once"),
        pytest.param([pod("Failed", AHEAD)], "job-1", None, id="the-clock-was-ahead"),
        pytest.param([pod("Failed")] * 3, None, "Failed", id="given-up"),
    ],
)
def test_a_job_runs_pods_until_one_succeeds(pods, created, condition):
    decided = jobs.decide(job(), pods, NOW)
    assert (decided.create and decided.create["metadata"]["name"]) == created
    found = [each["type"] for each in decided.status.get("conditions", [])]
    assert found == ([condition] if condition else [])


def test_a_pod_is_the_jobs_and_carries_its_labels():
    made = jobs.decide(job(), [], NOW).create
    assert made["metadata"]["labels"] == {
        "a": "b", "job-name": "job", "batch.kubernetes.io/job-name": "job",
    }  # fmt: skip
    assert made["metadata"]["ownerReferences"][0]["uid"] == "uid-job"


def finished(name: str, kind: str, at: datetime) -> Object:
    condition = {"type": kind, "status": "True", "lastTransitionTime": at.isoformat()}
    return job(name, status={"conditions": [condition]}, ttlSecondsAfterFinished=60)


def test_a_finished_job_goes_when_its_time_is_over():
    assert jobs.decide(finished("a", "Complete", LONG_AGO), [], NOW).remove
    left = jobs.decide(finished("a", "Failed", NOW - timedelta(seconds=20)), [], NOW)
    assert (left.remove, left.again_in) == (False, 40)


def cron_job(since: datetime, **spec: object) -> Object:
    template = {"metadata": {"labels": {"cron": "x"}}, "spec": {"template": TEMPLATE}}
    return {
        "metadata": {
            "name": "cron",
            "namespace": "ns",
            "uid": "uid-cron",
            "creationTimestamp": since.isoformat(),
        },
        "spec": {"schedule": "* * * * *", "jobTemplate": template, **spec},
    }


A_MINUTE_AGO = NOW - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("given", "own", "starts"),
    [
        pytest.param(cron_job(A_MINUTE_AGO), [], True, id="due"),
        pytest.param(cron_job(NOW), [], False, id="not-yet"),
        pytest.param(cron_job(A_MINUTE_AGO, suspend=True), [], False, id="suspended"),
        pytest.param(
            cron_job(A_MINUTE_AGO, concurrencyPolicy="Forbid"), [job()], False, id="one-at-a-time"
        ),
        pytest.param(cron_job(A_MINUTE_AGO), [job()], True, id="several"),
        pytest.param(cron_job(A_MINUTE_AGO, schedule="nonsense"), [], False, id="never"),
    ],
)
def test_a_cron_job_starts_jobs_at_its_minutes(given, own, starts):
    decided = cronjobs.decide(given, own, NOW)
    assert (decided.create is not None) == starts
    if starts:
        assert decided.status["lastScheduleTime"] == "2030-01-01T12:00:00Z"
        assert decided.create["metadata"]["labels"] == {"cron": "x"}
        again = cronjobs.decide({**given, "status": decided.status}, own, NOW)
        assert again.create is None


def test_of_minutes_that_were_missed_only_the_last_counts():
    decided = cronjobs.decide(cron_job(NOW - timedelta(hours=3)), [], NOW)
    assert decided.status["lastScheduleTime"] == "2030-01-01T12:00:00Z"


def test_a_turn_that_a_clock_took_that_was_ahead_holds_up_no_other():
    given = {**cron_job(LONG_AGO), "status": {"lastScheduleTime": AHEAD.isoformat()}}
    decided = cronjobs.decide(given, [], NOW)
    assert decided.create is None
    later = {**given, "status": decided.status}
    assert cronjobs.decide(later, [], NOW + timedelta(minutes=2)).create is not None


def test_cron_jobs_of_one_minute_start_one_after_the_other():
    whole = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)
    waits = set()
    for number in range(10):
        given = cron_job(whole)
        given["metadata"]["uid"] = f"uid-{number}"
        waits.add(cronjobs.decide(given, [], whole).again_in)
    assert len(waits) == 10
    assert all(60 <= each <= 66 for each in waits)  # a tenth of the pause


def test_old_jobs_go_and_the_last_of_each_kind_stays():
    own = [
        finished("old", "Complete", LONG_AGO),
        finished("new", "Complete", NOW),
        finished("bad", "Failed", LONG_AGO),
    ]
    given = cron_job(NOW, successfulJobsHistoryLimit=1, failedJobsHistoryLimit=1)
    assert [each["metadata"]["name"] for each in cronjobs.decide(given, own, NOW).remove] == ["old"]


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_jobs_that_ended_in_one_second_the_later_stays(turned):
    own = [finished("first", "Complete", NOW), finished("second", "Complete", NOW)]
    for job, version in zip(own, ("9", "10"), strict=True):
        job["metadata"]["resourceVersion"] = version
    given = cron_job(NOW, successfulJobsHistoryLimit=1)
    removed = cronjobs.decide(given, own[::-1] if turned else own, NOW).remove
    assert [each["metadata"]["name"] for each in removed] == ["first"]
