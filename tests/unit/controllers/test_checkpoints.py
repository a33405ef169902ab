"""Imports in several stages, from the first checkpoint to the end."""

from typing import Any

import pytest

from cdi.api import annotations as known
from cdi.controllers.importing import checkpoints
from cdi.kube.objects import Object

LIST = [{"previous": "", "current": "a"}, {"previous": "a", "current": "b"}]


def claim(**given: str) -> Object:
    return {"metadata": {"annotations": given}}


def after(found: Object, stages: Any, *, final: bool) -> Object:
    """The claim with the changes of one pass."""
    changes = checkpoints.after_stage(found, stages, final=final)
    given = {**found["metadata"]["annotations"], **changes}
    return claim(**{key: value for key, value in given.items() if value is not None})


def begun() -> Object:
    first = checkpoints.first(LIST, final=True)
    given = {key: value for key, value in first.items() if value is not None}
    return claim(**given, **{known.CHECKPOINT_POD: "p1", known.POD_PHASE: "Succeeded"})


def test_the_first_stage_is_not_the_last() -> None:
    assert checkpoints.first(LIST, final=True) == {
        known.CHECKPOINT_CURRENT: "a",
        known.CHECKPOINT_PREVIOUS: "",
        known.CHECKPOINT_FINAL: "false",
    }
    assert checkpoints.first([], final=True) == {}
    assert checkpoints.first(LIST[:1], final=True)[known.CHECKPOINT_FINAL] == "true"


def test_each_stage_is_marked_then_followed_by_the_next() -> None:
    marked = after(begun(), LIST, final=True)
    assert marked["metadata"]["annotations"][known.checkpoint_copied("a")] == "p1"
    second = after(marked, LIST, final=True)["metadata"]["annotations"]
    assert second[known.CHECKPOINT_CURRENT] == "b"
    assert second[known.CHECKPOINT_FINAL] == "true"
    assert second[known.POD_PHASE] == "Unknown"
    done = claim(**{**second, known.CHECKPOINT_POD: "p2", known.POD_PHASE: "Succeeded"})
    done = after(after(done, LIST, final=True), LIST, final=True)
    assert done["metadata"]["annotations"] == {
        known.CHECKPOINT_DONE: "true",
        known.POD_PHASE: "Succeeded",
    }
    assert not checkpoints.in_progress(done)


def test_without_a_final_stage_it_waits_for_more() -> None:
    marked = after(begun(), LIST[:1], final=False)
    assert checkpoints.after_stage(marked, LIST[:1], final=False) == {}
    assert checkpoints.in_progress(marked)
    assert checkpoints.after_stage(marked, LIST, final=False)[known.CHECKPOINT_CURRENT] == "b"


def test_a_list_may_be_declared_complete_after_its_last_stage() -> None:
    marked = after(begun(), LIST[:1], final=False)
    assert checkpoints.after_stage(marked, LIST[:1], final=True)[known.CHECKPOINT_DONE] == "true"


def test_a_pod_counts_for_one_stage_only() -> None:
    marked = after(begun(), LIST, final=True)
    second = after(marked, LIST, final=True)
    assert (
        known.checkpoint_copied("b")
        not in after(second, LIST, final=True)["metadata"]["annotations"]
    )


@pytest.mark.parametrize(
    ("given", "stages", "missing"),
    [
        pytest.param({}, LIST, True, id="never-heard-of"),
        pytest.param({}, [], False, id="one-stage"),
        pytest.param({known.CHECKPOINT_CURRENT: "a"}, LIST, False, id="under-way"),
        pytest.param({known.CHECKPOINT_DONE: "true"}, LIST, False, id="done"),
    ],
)
def test_missing_checkpoints(given: dict[str, str], stages: Any, missing: bool) -> None:
    assert checkpoints.are_missing(claim(**given), stages) is missing
