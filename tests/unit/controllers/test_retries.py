"""What somebody may mend elsewhere is tried again, for as long as the claim has patience."""

from datetime import timedelta
from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.controllers import plan
from cdi.controllers.importing.decide import decide
from cdi.controllers.importing.pod import PodContext, pod_for
from cdi.controllers.importing.retries import Inputs
from cdi.controllers.importing.seen import Seen
from cdi.kube import objects
from cdi.kube.objects import Object
from support import world
from support.world import World, final, mendable, with_classes

HTTP = {known.SOURCE: "http", known.ENDPOINT: "http://images.example/x"}
MISSING = ("SourceNotFound", "404 Not Found; correct the URL")
SINCE = "2030-01-01T00:00:00Z"
AS_IT_WAS = "size=1Gi secret= configMap="


def claim(size: str = "1Gi", **given: str) -> Object:
    meta: Object = {"name": "disk", "namespace": "ns", "uid": "c", "annotations": {**HTTP, **given}}
    spec = world.pvc_spec()
    spec["resources"] = {"requests": {"storage": size}}
    return {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec,
        "status": {"phase": "Bound"},
    }  # fmt: skip


def importer(status: Object) -> Object:
    found = pod_for(claim(), PodContext(world.SETTINGS), with_scratch=False)
    found["metadata"]["uid"] = "p"
    return found | {"status": status}


def decided(of: Object, status: Object | None, *, minutes: float = 1, **fields: Any) -> plan.Plan:
    config = {"spec": fields.pop("config", {})}
    at = Seen(
        claim=of,
        context=PodContext(world.SETTINGS, config=config),
        now=world.START + timedelta(minutes=minutes),
        pod=None if status is None else importer(status),
        gates=("HonorWaitForFirstConsumer",),
        **fields,
    )
    return decide(at)


def annotated(of: plan.Plan) -> dict[str, str]:
    change = next(step for step in of.steps if isinstance(step, plan.Change))
    return objects.annotations(change.wanted)


def removed(of: plan.Plan) -> list[str]:
    return [step.seen["kind"] for step in of.steps if isinstance(step, plan.Remove)]


def test_the_first_failure_is_shown_and_tried_again() -> None:
    result = decided(claim(), mendable(*MISSING))
    given = annotated(result)
    assert given[known.RUNNING] == "false"
    assert "404 Not Found" in given[known.RUNNING_MESSAGE]
    assert given[known.POD_PHASE] == "Running"
    assert known.FATAL_ERROR not in given
    assert given[known.FAILING_SINCE] == SINCE
    assert not removed(result)
    assert result.again_in is not None
    assert "ErrImportFailed" in [event.reason for event in result.events]


def test_it_says_when_the_next_attempt_is() -> None:
    result = decided(claim(), mendable(*MISSING, restarts=1))
    assert "next attempt at 2030-01-01T00:00:10Z" in annotated(result)[known.RUNNING_MESSAGE]


@pytest.mark.parametrize(
    ("given", "config", "minutes", "ends"),
    [
        pytest.param({}, {}, 59, False, id="an-hour-by-default"),
        pytest.param({}, {}, 60, True, id="and-no-longer"),
        pytest.param({}, {"importRetryFor": "30m"}, 29, False, id="as-the-config-says"),
        pytest.param({}, {"importRetryFor": "30m"}, 30, True, id="the-config-ends-it"),
        pytest.param({}, {"importRetryFor": "0"}, 0, True, id="never"),
        pytest.param(
            {known.RETRY_FOR: "2h"}, {"importRetryFor": "0"}, 119, False, id="the-claim-says-more"
        ),
        pytest.param({known.RETRY_FOR: "0"}, {}, 0, True, id="the-claim-says-never"),
        pytest.param({known.RETRY_FOR: "soon"}, {}, 59, False, id="nonsense-does-not-count"),
        pytest.param({known.RETRY_FOR: "99999999h"}, {}, 600, False, id="beyond-the-calendar"),
        pytest.param({known.RETRY_FOR: "9" * 400 + "h"}, {}, 600, False, id="beyond-numbers"),
    ],
)
def test_patience_ends_when_it_was_said_to(
    given: dict[str, str], config: Object, minutes: float, ends: bool
) -> None:
    of = claim(**{known.FAILING_SINCE: SINCE, known.FAILED_WITH: AS_IT_WAS, **given})
    result = decided(of, mendable(*MISSING, restarts=5), minutes=minutes, config=config)
    fatal = any(
        objects.annotations(step.wanted).get(known.FATAL_ERROR) == "true"
        for step in result.steps
        if isinstance(step, plan.Change)
    )
    assert fatal is ends
    assert removed(result) == (["Pod"] if ends else [])


def test_a_clock_that_was_ahead_once_buys_no_patience() -> None:
    ahead = claim(**{known.FAILING_SINCE: "2031-01-01T00:00:00Z", known.FAILED_WITH: AS_IT_WAS})
    result = decided(ahead, mendable(*MISSING, restarts=5))
    assert annotated(result)[known.FAILING_SINCE] == "2030-01-01T00:01:00Z"


def test_it_is_looked_at_again_at_the_end_of_its_patience() -> None:
    of = claim(**{known.FAILING_SINCE: SINCE, known.FAILED_WITH: AS_IT_WAS})
    result = decided(of, mendable(*MISSING, restarts=5), minutes=60 - 1 / 60)
    assert result.again_in == pytest.approx(1.0)


@pytest.mark.parametrize("status", [
    pytest.param(final("CorruptImage", "the image is broken"), id="corrupt"),
    pytest.param(final("UnsafeImage", "a backing file"), id="unsafe"),
    pytest.param(final("TargetTooSmall", "larger"), id="too-small"),
    pytest.param(final("ChecksumError", "checksum mismatch", 0), id="checksum"),
    pytest.param(final("NotADisk", "a web page"), id="no-disk"),
])  # fmt: skip
def test_what_nobody_can_mend_elsewhere_is_final_at_once(status: Object) -> None:
    result = decided(claim(), status)
    assert annotated(result)[known.FATAL_ERROR] == "true"
    assert removed(result) == ["Pod"]


CHANGED = [
    pytest.param(claim("2Gi"), Inputs(), id="size"),
    pytest.param(claim(), Inputs(secret="s.2"), id="secret"),
    pytest.param(claim(), Inputs(config_map="m.2"), id="config-map"),
]


@pytest.mark.parametrize(("of", "inputs"), CHANGED)
def test_a_change_of_what_it_depends_on_ends_a_pause(of: Object, inputs: Inputs) -> None:
    of["metadata"]["annotations"] |= {known.FAILING_SINCE: SINCE, known.FAILED_WITH: AS_IT_WAS}
    result = decided(of, mendable(*MISSING, restarts=5), minutes=70, inputs=inputs)
    assert removed(result) == ["Pod"]
    given = annotated(result)
    assert known.FATAL_ERROR not in given
    assert known.FAILING_SINCE not in given


@pytest.mark.parametrize(("of", "inputs"), CHANGED)
def test_a_change_of_what_it_depends_on_is_another_chance(of: Object, inputs: Inputs) -> None:
    of["metadata"]["annotations"] |= {
        known.FATAL_ERROR: "true", known.POD_PHASE: "Failed", known.FAILED_WITH: AS_IT_WAS,
    }  # fmt: skip
    given = annotated(decided(of, None, inputs=inputs))
    assert known.FATAL_ERROR not in given
    assert known.POD_PHASE not in given


def test_a_corrupt_image_is_not_tried_again_with_another_secret() -> None:
    failed = annotated(decided(claim(), final("CorruptImage", "broken")))
    of = claim(**failed)
    assert not decided(of, None, inputs=Inputs(secret="s.2")).steps
    larger = claim("2Gi", **failed)
    assert known.FATAL_ERROR not in annotated(decided(larger, None))


def test_an_attempt_that_lasted_a_while_is_a_new_beginning() -> None:
    of = claim(**{known.FAILING_SINCE: SINCE, known.FAILED_WITH: AS_IT_WAS})
    when = {"startedAt": "2030-01-01T01:00:00Z", "finishedAt": "2030-01-01T01:30:00Z"}
    result = decided(of, mendable("AccessDenied", "403", restarts=5, **when), minutes=91)
    assert annotated(result)[known.FAILING_SINCE] == "2030-01-01T01:30:00Z"
    assert not removed(result)


def test_a_pod_that_is_lost_meanwhile_is_replaced() -> None:
    lost = mendable(*MISSING) | {"phase": "Failed", "reason": "Evicted"}
    assert removed(decided(claim(), lost, minutes=5)) == ["Pod"]


# Whole lives.


def lived(script: list[Object], *, populator: bool) -> World:
    found = with_classes(World([script]))
    if populator:
        found.put("csi_drivers", {"metadata": {"name": world.DRIVER}})
    found.settle()
    found.put("data_volumes", world.data_volume())
    found.settle()
    return found


POPULATOR = pytest.mark.parametrize("populator", [False, True], ids=["direct", "populator"])


@POPULATOR
def test_a_source_that_appears_later_is_imported(populator: bool) -> None:
    script = [
        world.CREATING, world.RUNNING, mendable(*MISSING), mendable(*MISSING, restarts=1),
        world.state("Running", 1, running={}),
        world.state("Succeeded", 1, terminated=world.ended(world.COMPLETE)),
    ]  # fmt: skip
    found = lived(script, populator=populator)
    assert "Failed" not in found.phases["dv"]
    assert found.phases["dv"][-2:] == ["ImportInProgress", "Succeeded"]
    claim_now = found.get_one("claims", "dv")
    assert claim_now is not None
    left = objects.annotations(claim_now).keys() & {known.FAILING_SINCE, known.FAILED_WITH}
    assert not left


@POPULATOR
def test_a_source_that_never_appears_fails_in_the_end(populator: bool) -> None:
    script = [world.CREATING, world.RUNNING, *(mendable(*MISSING, n) for n in range(40))]
    found = with_classes(World([script]))
    if populator:
        found.put("csi_drivers", {"metadata": {"name": world.DRIVER}})
    found.settle()
    found.put("data_volumes", world.data_volume())
    for _ in range(30):
        found.settle()
        assert found.phases["dv"][-1] in ("ImportInProgress", "Failed")
        found.clock.seconds += 180
    assert found.phases["dv"][-2:] == ["ImportInProgress", "Failed"]
    status = objects.get(found.get_one("data_volumes", "dv"), "status", default={})
    running = next(each for each in status["conditions"] if each["type"] == "Running")
    assert "404 Not Found" in running["message"]
    assert found.cluster.pods.list() == []
